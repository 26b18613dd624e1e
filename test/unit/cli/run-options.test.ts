import { describe, expect, it } from 'vitest';
import {
  parseLoad,
  parseReg,
  parseRtc,
  parseSerial,
  parseTimeout,
} from '../../../src/cli/run/run-options.ts';

describe("values of run's options", () => {
  it('--load splits at the last @', () => {
    expect(parseLoad('a@b.bin@0x10')).toEqual({ path: 'a@b.bin', address: { selector: null, offset: 16 } });
    expect(() => parseLoad('a.bin')).toThrow(/FILE@ADDR/);
    expect(() => parseLoad('@0x10')).toThrow(/FILE@ADDR/);
    expect(() => parseLoad('a@zz')).toThrow(/not an address/);
  });

  it.each([
    ['EAX=0xffffffff', { name: 'eax', value: 0xffffffff }],
    ['al=255', { name: 'al', value: 255 }],
    ['ds=0x1000', { name: 'ds', value: 0x1000 }],
    ['flags=0x202', { name: 'flags', value: 0x202 }],
  ])('--reg %s', (text, option) => {
    expect(parseReg(text)).toEqual(option);
  });

  it.each(['eax', 'eax=', 'foo=1', 'al=256', 'ax=0x10000', 'cs=-1', '=1', 'constructor=1'])(
    '--reg %s is refused',
    (text) => {
      expect(() => parseReg(text)).toThrow(/^--reg/);
    },
  );

  it('--serial', () => {
    expect(parseSerial('stdio')).toEqual({ kind: 'stdio' });
    expect(parseSerial('none')).toEqual({ kind: 'none' });
    expect(parseSerial('file:a:b')).toEqual({ kind: 'file', path: 'a:b' });
    for (const bad of ['', 'file:', 'tcp:1'])
      expect(() => parseSerial(bad)).toThrow(/stdio, none or file:PATH/);
  });

  it.each([
    ['0', 0],
    ['1767225600', 1767225600],
    ['2026-01-01', 1767225600],
    ['2026-01-01T00:00:00Z', 1767225600],
    ['2026-01-01T00:00', 1767225600],
    ['2026-01-01 01:00:00+01:00', 1767225600],
  ])('--rtc %s', (text, seconds) => {
    expect(parseRtc(text)).toBe(seconds);
  });

  it.each(['', 'today', '2026-13-01', '2026-02-30T25:00', '1969-12-31', '253402300800', '2026'.repeat(8)])(
    '--rtc %j is refused',
    (text) => {
      expect(() => parseRtc(text)).toThrow(/^--rtc/);
    },
  );

  it('--timeout takes fractions and refuses nonsense', () => {
    expect([parseTimeout('0.5'), parseTimeout('10')]).toEqual([0.5, 10]);
    for (const bad of ['0', '-1', 'x', '', '1e9', '3000000'])
      expect(() => parseTimeout(bad)).toThrow(/^--timeout/);
  });
});
