import { describe, expect, it } from 'vitest';
import { CaseSource } from '../../../src/fuzz/generate-case.ts';
import { shrinkCase } from '../../../src/fuzz/shrink-case.ts';
import { caseProblem, type StringIoCase } from '../../../src/fuzz/string-io-case.ts';

function firstCase(fails: (test: StringIoCase) => boolean): StringIoCase {
  const cases = new CaseSource(9);
  for (let run = 0; ; run++) {
    const test = cases.at(run);
    if (fails(test)) return test;
  }
}

describe('shrinkCase', () => {
  it('leaves only what the failure needs', async () => {
    const fails = (test: StringIoCase): boolean =>
      test.code.some((bytes) => bytes.includes(0x67)) && test.registers.ecx % 0x1_0000 >= 5;
    const small = await shrinkCase(firstCase(fails), (test) => caseProblem(test) === null && fails(test));
    expect(small.code).toEqual([[0x67]]);
    expect(small.registers).toMatchObject({ ecx: 5, eax: 0, edi: 0, eflags: 2 });
    expect(small).toMatchObject({ path: 'fast', userspace: 'exit', portSeed: 0, devices: [] });
  });

  it('returns the case itself when nothing smaller fails', async () => {
    const test = firstCase(() => true);
    const only = JSON.stringify(test);
    expect(await shrinkCase(test, (candidate) => JSON.stringify(candidate) === only)).toEqual(test);
  });
});
