/** BMI1: ANDN BEXTR BLSR BLSMSK BLSI against plain definitions; #UD where there is no VEX. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check } from './driver.ts';
import { ProtectedCpu } from './protected-driver.ts';

const CF = 1;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;

interface Result {
  readonly value: number;
  readonly cf: boolean;
  /** Flags that are defined. */
  readonly mask: number;
  readonly zf?: boolean;
}

const bits = (value: number): string => (value >>> 0).toString(2).padStart(32, '0');
const unsigned = (text: string): number => Number.parseInt(`0${text}`, 2);

/** Dest EAX, VEX.vvvv ECX or EAX, r/m EDX. */
const CASES: Readonly<
  Record<string, { code: string; memory: string; of: (ecx: number, edx: number) => Result }>
> = {
  andn: {
    code: 'c4 e2 70 f2 c2',
    memory: 'c4 e2 70 f2 03',
    of: (ecx, edx) => ({ value: (~ecx & edx) >>> 0, cf: false, mask: CF | ZF | SF | OF }),
  },
  bextr: {
    code: 'c4 e2 70 f7 c2',
    memory: 'c4 e2 70 f7 03',
    of(ecx, edx) {
      const [start, len] = [ecx & 0xff, (ecx >>> 8) & 0xff];
      const reversed = [...bits(edx)].reverse();
      const value = unsigned(
        reversed
          .slice(start, start + len)
          .reverse()
          .join(''),
      );
      return { value, cf: false, mask: CF | ZF | OF };
    },
  },
  blsr: {
    code: 'c4 e2 78 f3 ca',
    memory: 'c4 e2 78 f3 0b',
    of: (_, edx) => ({
      value: unsigned(bits(edx).replace(/1(0*)$/, '0$1')),
      cf: edx === 0,
      mask: CF | ZF | SF | OF,
    }),
  },
  blsmsk: {
    code: 'c4 e2 78 f3 d2',
    memory: 'c4 e2 78 f3 13',
    of(_, edx) {
      const zeros = /0*$/.exec(bits(edx))?.[0].length ?? 0;
      return {
        value: unsigned('1'.repeat(Math.min(zeros + 1, 32))),
        cf: edx === 0,
        zf: false,
        mask: CF | ZF | SF | OF,
      };
    },
  },
  blsi: {
    code: 'c4 e2 78 f3 da',
    memory: 'c4 e2 78 f3 1b',
    of: (_, edx) => ({
      value: unsigned(/10*$/.exec(bits(edx))?.[0] ?? ''),
      cf: edx !== 0,
      mask: CF | ZF | SF | OF,
    }),
  },
};

function run(code: string, ecx: number, edx: number): ProtectedCpu {
  const p = new ProtectedCpu();
  p.cpu.gpr[1] = ecx;
  p.cpu.gpr[2] = edx;
  p.cpu.gpr[3] = 0x5000;
  return p.dword(0x5000, edx).exec(code);
}

describe.each(Object.entries(CASES))('%s', (_, { code, memory, of }) => {
  const word = fc.oneof(
    fc.integer(),
    fc.nat(31).map((n) => 1 << n),
    fc.nat(0x2840),
    fc.constantFrom(0, 1, -1, 1 << 31),
  );

  it('computes what the manual says, from a register and from memory', () => {
    const one = run(code, 0, 0);
    fc.assert(
      fc.property(word, word, (ecx, edx) => {
        const want = of(ecx, edx);
        const zf = want.zf ?? want.value === 0;
        const flags = (want.cf ? CF : 0) | (zf ? ZF : 0) | (want.value >= 2 ** 31 ? SF : 0);
        for (const bytes of [code, memory]) {
          const p = run(bytes, ecx, edx);
          expect([p.cpu.gpr[0] >>> 0, p.get('eflags') & want.mask]).toEqual([want.value, flags & want.mask]);
          expect(p.get('eip')).toBe(one.get('eip'));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is #UD in real mode, where the bytes are LES without memory', () => {
    check({ asm: 'vex', code, fault: 6 });
  });
});
