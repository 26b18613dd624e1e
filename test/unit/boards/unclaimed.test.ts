import { describe, expect, it } from 'vitest';
import { MAX_WARNINGS, type UnclaimedPolicy } from '../../../src/boards/board.ts';
import { Unclaimed } from '../../../src/boards/unclaimed.ts';

function build(policy: UnclaimedPolicy) {
  const warnings: string[] = [];
  const errors: string[] = [];
  const unclaimed = new Unclaimed({
    policy,
    onWarning: (line) => warnings.push(line),
    onError: (line) => errors.push(line),
    where: () => 'f000:e05b',
  });
  return { unclaimed, warnings, errors };
}

describe('open-bus', () => {
  it('reads as ones and says nothing', () => {
    const { unclaimed, warnings, errors } = build('open-bus');
    expect([1, 2, 4].map((size) => unclaimed.read('port', 0x300, size as 1))).toEqual([
      0xff, 0xffff, 0xffff_ffff,
    ]);
    unclaimed.write('port', 0x300, 1, 0);
    expect([warnings, errors]).toEqual([[], []]);
  });
});

describe('warn', () => {
  it('gives one line a port and direction', () => {
    const { unclaimed, warnings } = build('warn');
    for (let i = 0; i < 3; i++) {
      unclaimed.read('port', 0x300, 1);
      unclaimed.write('port', 0x300, 2, 0xbeef);
      unclaimed.read('port', 0x301, 1);
    }
    expect(warnings).toEqual([
      'no device at port 0x0300: read of 1 byte at f000:e05b',
      'no device at port 0x0300: write of 2 bytes, value 0xbeef, at f000:e05b',
      'no device at port 0x0301: read of 1 byte at f000:e05b',
    ]);
  });

  it('gives one line a page and direction for memory', () => {
    const { unclaimed, warnings } = build('warn');
    for (let at = 0xc000_0000; at < 0xc000_2000; at += 4) unclaimed.write('address', at, 4, 0);
    expect(warnings).toEqual([
      'no device at address 0xc0000000: write of 4 bytes, value 0x0, at f000:e05b',
      'no device at address 0xc0001000: write of 4 bytes, value 0x0, at f000:e05b',
    ]);
  });

  it('stops after 64 lines and one that says so, whatever the guest does', () => {
    const { unclaimed, warnings } = build('warn');
    for (let round = 0; round < 2; round++) {
      for (let port = 0; port < 0x1_0000; port++) unclaimed.read('port', port, 1);
    }
    expect(warnings.length).toBe(MAX_WARNINGS + 1);
    expect(warnings.at(-1)).toBe('more unclaimed ports or addresses: only the first 64 are shown');
  });
});

describe('error', () => {
  it('reports the first access alone until it is armed again', () => {
    const { unclaimed, warnings, errors } = build('error');
    expect(unclaimed.read('port', 0x1f0, 2)).toBe(0xffff);
    unclaimed.write('port', 0x1f1, 1, 0);
    unclaimed.rearm();
    unclaimed.write('port', 0x1f1, 1, 7);
    expect(errors).toEqual([
      'no device at port 0x01f0: read of 2 bytes at f000:e05b',
      'no device at port 0x01f1: write of 1 byte, value 0x7, at f000:e05b',
    ]);
    expect(warnings).toEqual([]);
  });
});
