import { describe, expect, it } from 'vitest';
import { caseFromText, caseToText } from '../../../../src/fuzz/case-text.ts';
import { randomCase } from '../../../../src/fuzz/generate-case.ts';
import { mutateCode } from '../../../../src/fuzz/mutation/code.ts';
import { codeWords } from '../../../../src/fuzz/mutation/dictionary.ts';
import { mutateList } from '../../../../src/fuzz/mutation/lists.ts';
import { mutateNumber, mutateTextNumber } from '../../../../src/fuzz/mutation/numbers.ts';
import { mutateStringIo, varyStringIo } from '../../../../src/fuzz/mutation/string-io.ts';
import { Prng } from '../../../../src/fuzz/prng.ts';
import { CASE_SEGMENTS, caseProblem, isSameFamily } from '../../../../src/fuzz/string-io-case.ts';

const random = new Prng(21, 0);

describe('numbers', () => {
  it('stay in their range, reach its corners, and mostly change', () => {
    for (const max of [1, 0xff, 0xffff, 0x10_ffff, 0xffff_ffff]) {
      const made = Array.from({ length: 2000 }, () => mutateNumber(max >>> 1, max, random));
      expect(made.every((value) => Number.isInteger(value) && value >= 0 && value <= max)).toBe(true);
      expect(new Set(made).size).toBeGreaterThan(Math.min(max, 60));
    }
  });

  it('of a line change one at a time and leave its words alone', () => {
    for (let i = 0; i < 200; i++) {
      const line = mutateTextNumber('out 0x43 size 1 value 0x34', random) ?? '';
      expect(line).toMatch(/^out 0x[0-9a-f]+ size \d+ value 0x[0-9a-f]+$/);
      const parts = line
        .split(' ')
        .filter((part, at) => part !== ['out', '0x43', 'size', '1', 'value', '0x34'][at]);
      expect(parts.length).toBeLessThanOrEqual(1);
    }
    expect(mutateTextNumber('inta', random)).toBeNull();
  });
});

describe('lists', () => {
  const options = { maxLength: 10, change: (n: number) => -n, create: () => 99 };

  it('never become empty or too long, and are made of what there was', () => {
    const list = [1, 2, 3, 4];
    const other = [11, 12, 13, 14, 15, 16, 17, 18, 19];
    const lengths = new Set<number>();
    for (let i = 0; i < 3000; i++) {
      const made = mutateList(list, other, random, options);
      lengths.add(made.length);
      for (const n of made) expect([...list, ...other, ...list.map((x) => -x), 99]).toContain(n);
    }
    expect(Math.min(...lengths)).toBe(1);
    expect(Math.max(...lengths)).toBe(10);
    expect(mutateList([], [], random, options)).toEqual([99]);
  });
});

describe('code', () => {
  it('has a word in its dictionary for every opcode that does something alone', () => {
    const words = codeWords().map((bytes) => bytes.join(' '));
    for (const word of [0xec, 0x6c, 0xf4, 0x9c, 0xaa]) expect(words).toContain(String(word));
    expect(words).toContain([0x0f, 0xa2].join(' '));
    expect(words).not.toContain([0x0f, 0x0b].join(' '));
    expect(new Set(words).size).toBe(words.length);
    expect(words.length).toBeGreaterThan(300);
  });

  it('keeps within the bytes that an instruction may have', () => {
    let bytes: readonly number[] = [0xec];
    for (let i = 0; i < 5000; i++) {
      bytes = mutateCode(bytes, random, { maxBytes: 16, operations: 'all' });
      expect(bytes.length).toBeGreaterThan(0);
      expect(bytes.length).toBeLessThanOrEqual(16);
      expect(bytes.every((byte) => byte >= 0 && byte <= 0xff)).toBe(true);
    }
  });
});

describe('string-io cases', () => {
  it('stay possible and keep their text form through thousands of changes', () => {
    let test = randomCase(random);
    for (let i = 0; i < 5000; i++) {
      const other = randomCase(random);
      test = i % 200 === 0 ? other : mutateStringIo(test, other, random);
      expect(caseProblem(test)).toBeNull();
      if (i % 50 === 0)
        expect(caseToText(caseFromText(caseToText(test).join('\n')))).toEqual(caseToText(test));
    }
  });

  it('differ in every part sooner or later', () => {
    const test = caseFromText(caseToText({ ...randomCase(random), mode: 'prot32' }).join('\n'));
    const changed = new Set<string>();
    for (let i = 0; i < 3000; i++) {
      const made = mutateStringIo(test, test, random);
      for (const key of Object.keys(test) as (keyof typeof test)[]) {
        if (JSON.stringify(made[key]) !== JSON.stringify(test[key])) changed.add(key);
      }
      for (const name of CASE_SEGMENTS) {
        if (made.segments[name] !== test.segments[name]) changed.add(name);
      }
    }
    expect(changed).toEqual(new Set([...Object.keys(test), ...CASE_SEGMENTS]));
  });

  it('that vary one another are of its family', () => {
    for (let i = 0; i < 300; i++) {
      const test = mutateStringIo(randomCase(random), randomCase(random), random);
      const varied = varyStringIo(test, random);
      expect(isSameFamily(test, varied)).toBe(true);
      expect(caseProblem(varied)).toBeNull();
    }
  });
});
