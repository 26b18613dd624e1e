/** DAA DAS AAA AAS AAM AAD, for every AL, CF and AF. */
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import { AF, CF, exec, OF, PF, resultFlags, SF, ZF } from './reference.ts';

const test = new TestCpu();
const FROM_RESULT = SF | ZF | PF;

/** All of AL × CF × AF, with AH 0x12. */
function forAll(code: string, visit: (al: number, cf: boolean, af: boolean) => void): void {
  for (let al = 0; al < 256; al++) {
    for (let n = 0; n < 4; n++) {
      const [cf, af] = [(n & 1) !== 0, (n & 2) !== 0];
      exec(test, code, { eax: 0x1200 | al, eflags: 2 | (cf ? CF : 0) | (af ? AF : 0) });
      visit(al, cf, af);
    }
  }
}

describe('DAA and DAS', () => {
  it('DAA adjusts as the manual says', () => {
    forAll('27', (old, oldCf, oldAf) => {
      let al = old;
      const af = (old & 15) > 9 || oldAf;
      if (af) al += 6;
      const cf = old > 0x99 || oldCf;
      if (cf) al += 0x60;
      al &= 0xff;
      const want = resultFlags(BigInt(al), 1) | (cf ? CF : 0) | (af ? AF : 0);
      expect([old, test.state.eax, test.state.eflags & ~OF]).toEqual([old, 0x1200 | al, want | 2]);
    });
  });

  it('DAS adjusts as the manual says, with the borrow of the first step', () => {
    forAll('2f', (old, oldCf, oldAf) => {
      let al = old;
      let cf = false;
      const af = (old & 15) > 9 || oldAf;
      if (af) {
        cf = oldCf || al < 6;
        al -= 6;
      }
      if (old > 0x99 || oldCf) {
        al -= 0x60;
        cf = true;
      }
      al &= 0xff;
      const want = resultFlags(BigInt(al), 1) | (cf ? CF : 0) | (af ? AF : 0);
      expect([old, test.state.eax, test.state.eflags & ~OF]).toEqual([old, 0x1200 | al, want | 2]);
    });
  });

  it('DAA after ADD of two packed numbers is their sum', () => {
    const packed = (n: number): number => Math.floor(n / 10) * 16 + (n % 10);
    for (let a = 0; a < 100; a++) {
      for (let b = 0; b < 100; b += 7) {
        test.memory.ram.set([0x00, 0xd8, 0x27], 0x1_0100);
        test.memory.code?.invalidate(0x1_0100, 3);
        test.set({ eip: 0x100, eax: packed(a), ebx: packed(b) }).run(2);
        expect([test.state.eax, test.state.eflags & CF]).toEqual([
          packed((a + b) % 100),
          a + b > 99 ? CF : 0,
        ]);
      }
    }
  });
});

describe('AAA and AAS', () => {
  it.each([
    ['AAA', '37', 1],
    ['AAS', '3f', -1],
  ] as const)('%s adjusts AL and carries into AH', (_, code, sign) => {
    forAll(code, (old, _cf, oldAf) => {
      const adjust = (old & 15) > 9 || oldAf;
      const ax = adjust ? (0x1200 + old + sign * 0x106) & 0xff0f : 0x1200 | (old & 15);
      expect([old, test.state.eax]).toEqual([old, ax]);
      expect(test.state.eflags & (AF | CF)).toBe(adjust ? AF | CF : 0);
    });
  });
});

describe('AAM and AAD', () => {
  it('AAM divides AL by any base but 0', () => {
    for (const base of [1, 2, 7, 10, 16, 255]) {
      forAll(`d4 ${base.toString(16)}`, (al) => {
        expect(test.state.eax).toBe((Math.floor(al / base) << 8) | (al % base));
        expect(test.state.eflags & FROM_RESULT).toBe(resultFlags(BigInt(al % base), 1));
      });
    }
  });

  it('AAD multiplies AH by any base', () => {
    for (const base of [0, 1, 7, 10, 255]) {
      forAll(`d5 ${base.toString(16)}`, (old) => {
        const al = (old + 0x12 * base) & 0xff;
        expect(test.state.eax).toBe(al);
        expect(test.state.eflags & FROM_RESULT).toBe(resultFlags(BigInt(al), 1));
      });
    }
  });

  it.each(
    rows([
      { asm: 'aam 0 is #DE with the IP of its first byte', code: '26 d4 00', fault: 0 },
      { asm: 'salc with CF', code: 'd6', in: { eflags: CF }, out: { eax: 0x1111_a1ff } },
      { asm: 'salc without CF', code: 'd6', out: { eax: 0x1111_a100 } },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});
