import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../../src/cli/cli-error.ts';
import {
  linearOf,
  parseAddress,
  parseCount,
  parseNumber,
  parsePorts,
  parseSize,
} from '../../../src/cli/numbers.ts';

describe('numbers', () => {
  it('reads decimal and hexadecimal alike', () => {
    fc.assert(
      fc.property(fc.nat(), (n) => {
        expect(parseNumber('--n', String(n), 0, 0xffff_ffff)).toBe(n);
        expect(parseNumber('--n', `0x${n.toString(16)}`, 0, 0xffff_ffff)).toBe(n);
        expect(parseNumber('--n', `0X${n.toString(16).toUpperCase()}`, 0, 0xffff_ffff)).toBe(n);
      }),
    );
  });

  it('scales sizes by 1024 and counts by 1000', () => {
    expect([parseSize('s', '64K', 0, 1e12), parseSize('s', '2g', 0, 1e12)]).toEqual([65_536, 2_147_483_648]);
    expect([parseCount('n', '10M', 0, 1e12), parseCount('n', '0x10k', 0, 1e12)]).toEqual([
      10_000_000, 16_000,
    ]);
  });

  it.each(['', '-1', '1.5', '0x', 'ten', '1e3', '1 ', '10Q', '0b1', '9007199254740993'])(
    'refuses %j',
    (text) => {
      expect(() => parseNumber('--n', text, 0, 1e15)).toThrow(CliError);
      expect(() => parseSize('--n', text, 0, 1e15)).toThrow(CliError);
      expect(() => parseCount('--n', text, 0, 1e15)).toThrow(/^--n: /);
    },
  );

  it('refuses what is out of bounds and says them', () => {
    expect(() => parseNumber('--seed', '11', 0, 10)).toThrow(
      "--seed: '11' is not a number (decimal or 0x) from 0 to 10",
    );
  });
});

describe('parseAddress', () => {
  it.each([
    ['0x1000', 0x1000],
    ['4096', 0x1000],
    ['1000:0010', 0x10010],
    ['0xf000:0xfff0', 0xffff0],
    ['ffff:ffff', 0x10ffef],
    ['0xffffffff', 0xffffffff],
  ])('reads %s', (text, linear) => {
    expect(linearOf(parseAddress('a', text))).toBe(linear);
  });

  it.each(['', 'main', '0x100000000', '12345:0', ':10', '10:', '-5', '1:2:3'])('refuses %j', (text) => {
    expect(() => parseAddress('--entry', text)).toThrow(/^--entry: '.*' is not an address/);
  });
});

describe('parsePorts', () => {
  it('reads ports and ranges', () => {
    expect(parsePorts('--x', '0x60-0x64, 1016')).toEqual([
      { first: 0x60, last: 0x64 },
      { first: 1016, last: 1016 },
    ]);
  });

  it.each(['', '0x', '5-4', '0x10000', '1-2-3', '0x60,', 'com1'])('refuses %j', (text) => {
    expect(() => parsePorts('--x', text)).toThrow(/^--x: .*list of ports/);
  });
});
