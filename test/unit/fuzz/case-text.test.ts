import { describe, expect, it } from 'vitest';
import { caseFromText, caseToText } from '../../../src/fuzz/case-text.ts';
import { CaseSource } from '../../../src/fuzz/generate-case.ts';
import { caseProblem } from '../../../src/fuzz/string-io-case.ts';

const text = (run: number): string => caseToText(new CaseSource(5).at(run)).join('\n');

describe('a case as text', () => {
  it('reads back as the same case', () => {
    const cases = new CaseSource(3);
    for (let run = 0; run < 500; run++) {
      const test = cases.at(run * 40);
      expect(caseProblem(test)).toBeNull();
      const read = caseFromText(caseToText(test).join('\n'));
      // In real mode nobody looks at the TSS: the text has none.
      expect({ ...read, tss: test.mode === 'real' ? test.tss : read.tss }).toEqual(test);
    }
  });

  it('carries the disassembly of its bytes and how to replay it', () => {
    const test = { ...new CaseSource(1).at(1), code: [[0xf3, 0x6e]] };
    const lines = caseToText(test, ['seed=1', 'run=1']);
    expect(lines[0]).toContain('pio86 fuzz string-io --replay');
    expect(lines).toContain('code=f3 6e');
    expect(lines[lines.indexOf('code=f3 6e') + 1]).toMatch(/^# +rep outsb$/);
  });

  it.each<[string, (text: string) => string, RegExp]>([
    ['no name=value', (good) => `${good}\nnonsense`, /line \d+: "nonsense" is not name=value/],
    [
      'another target',
      (good) => good.replace('string-io\n', 'other\n').replace('target=string-io', 'target=x'),
      /target needs/,
    ],
    ['no code', (good) => good.replace(/^code=.*$/gm, ''), /needs 1 to 8 instructions/],
    [
      'code that is no hex',
      (good) => good.replace(/^code=.*$/m, 'code=xyz'),
      /line \d+: code needs 1 to 20 hex bytes/,
    ],
    ['a missing register', (good) => good.replace(/^edi=.*$/m, ''), /edi needs a number/],
    [
      'a register beyond 32 bits',
      (good) => good.replace(/^esi=.*$/m, 'esi=0x100000000'),
      /esi needs a number/,
    ],
    [
      'a segment without limit',
      (good) => good.replace(/^es=.*$/m, 'es=0x10'),
      /es needs "SELECTOR limit LIMIT/,
    ],
    [
      'a segment beyond the RAM',
      (good) => good.replace(/^es=.*$/m, 'es=0x0 limit 0xffffffff'),
      /es reaches beyond the RAM/,
    ],
    [
      'a device of no kind',
      (good) => `${good}\ndevice=0x10+1 lazy`,
      /device needs BASE\+LENGTH and one of answer/,
    ],
    [
      'devices that overlap',
      (good) => `${good}\ndevice=0x10+4 answer\ndevice=0x13+1 answer`,
      /device \d+ overlaps another/,
    ],
    ['the trap flag', (good) => good.replace(/^eflags=.*$/m, 'eflags=0x102'), /eflags sets more or less/],
  ])('is refused with %s', (_what, spoil, message) => {
    const good = text(2).replace(/^device=.*$/gm, '');
    expect(() => caseFromText(spoil(good))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(message) }),
    );
  });
});
