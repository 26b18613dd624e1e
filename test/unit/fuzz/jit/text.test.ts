import { describe, expect, it } from 'vitest';
import { makeEngineProgram } from '../../../../src/fuzz/jit/program.ts';
import { programFromText, programToText } from '../../../../src/fuzz/jit/text.ts';
import { Prng } from '../../../../src/fuzz/prng.ts';
import { JitTarget } from '../../../../src/fuzz/targets/jit.ts';

const STATE = programToText(makeEngineProgram(new Prng(1, 1)), 1, 1).find((line) =>
  line.startsWith('state='),
);

describe('a program as text', () => {
  it('is the same program when it is read again', () => {
    for (let run = 0; run < 100; run++) {
      const program = makeEngineProgram(new Prng(5, run));
      expect(programFromText(programToText(program, 5, run).join('\n'))).toEqual(program);
    }
  });

  it.each([
    ['', /target=jit is missing/],
    ['target=jit', /1 to 1000 items/],
    ['target=jit\nitem=zz', /"item=zz" is not item=BYTES/],
    ['target=jit\nitem=90\nstate={', /state= needs an object/],
    [`target=jit\nitem=90\n${STATE?.replace(/"mode":"\w+"/, '"mode":"long"')}`, /mode needs one of real/],
    [`target=jit\nitem=90\n${STATE?.replace(/"threshold":\d/, '"threshold":0')}`, /threshold needs a number/],
    [`target=jit\nitem=90\n${STATE?.replace(/"starts":\[/, '"starts":[-1,')}`, /starts needs 1 to 1000/],
    [`target=jit\nitem=90\n${STATE?.replace(/"isPaged":\w+/, '"isPaged":0')}`, /isPaged needs true or false/],
  ])('is refused when it is %j', (text, message) => {
    expect(() => programFromText(text)).toThrow(message);
  });

  it('is replayed, and printed as a test but in no other form', () => {
    const target = new JitTarget();
    const text = programToText(makeEngineProgram(new Prng(1, 1)), 1, 1).join('\n');
    expect(target.replay(text)).toEqual({ isJudged: true, differences: [] });
    expect(target.export(text, 'vitest').join('\n')).toContain('target=jit');
    expect(() => target.export(text, 'c')).toThrow(/no form "c"/);
  });
});
