/** ESC and WAIT without an FPU: #NM by EM, TS and MP, and the check of the operand's address. */
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from '../driver.ts';

const UD = 6;
const NM = 7;
const GP = 13;
const EM = 4;
const MP = 2;
const TS = 8;

describe('WAIT', () => {
  it('is #NM with MP and TS together only, whatever EM is', () => {
    for (let bits = 0; bits < 8; bits++) {
      const cr0 = 0x10 | (bits << 1);
      const faults = (cr0 & MP) !== 0 && (cr0 & TS) !== 0;
      check({ asm: 'wait', code: '9b', in: { cr0 }, ...(faults ? { fault: NM } : {}) });
    }
  });
});

describe('ESC', () => {
  it('is #NM with EM or TS, for every opcode, with memory and registers', () => {
    const test = new TestCpu();
    for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
      for (let modrm = 0; modrm < 256; modrm++) {
        for (const cr0 of [0x10, 0x10 | MP, 0x10 | EM, 0x10 | TS, 0x10 | EM | TS]) {
          test.cpu.gpr[4] = 0x1000;
          test.poke(0x1_0100, [opcode, modrm, 0x10, 0x00]);
          test.set({ cs: 0x1000, eip: 0x100, cr0 }).run(1);
          const want = (cr0 & (EM | TS)) !== 0 ? NM : null;
          if (test.vector !== want)
            expect([opcode, modrm, cr0, test.vector]).toEqual([opcode, modrm, cr0, want]);
          if (want !== null) continue;
          const [mod, rm] = [modrm >> 6, modrm & 7];
          const disp = mod === 1 ? 1 : mod === 2 || (mod === 0 && rm === 6) ? 2 : 0;
          if (test.cpu.eip !== 0x102 + disp)
            expect([opcode, modrm, test.cpu.eip]).toEqual([opcode, modrm, 0x102 + disp]);
        }
      }
    }
  });

  it.each(
    rows([
      { asm: 'fld dword [bx] up to the limit', code: 'd9 07', in: { ebx: 0xfffc } },
      { asm: 'fld dword [bx] beyond the limit is #GP', code: 'd9 07', in: { ebx: 0xfffd }, fault: GP },
      { asm: 'fld qword [bx] beyond the limit', code: 'dd 07', in: { ebx: 0xfff9 }, fault: GP },
      { asm: 'fld tword [bx] beyond the limit', code: 'db 2f', in: { ebx: 0xfff7 }, fault: GP },
      { asm: 'fnsave [bx], 94 bytes', code: 'dd 37', in: { ebx: 0xffa2 } },
      { asm: 'fnsave [bx], 94 bytes, beyond the limit', code: 'dd 37', in: { ebx: 0xffa3 }, fault: GP },
      {
        asm: 'o32 fnsave [bx], 108 bytes, beyond the limit',
        code: '66 dd 37',
        in: { ebx: 0xff95 },
        fault: GP,
      },
      { asm: 'fnstcw [bx], 2 bytes', code: 'd9 3f', in: { ebx: 0xfffe } },
      { asm: 'fld dword [bp] beyond the limit is #SS', code: 'd9 46 00', in: { ebp: 0xfffd }, fault: 12 },
      { asm: 'fld dword [es:bp] is #GP', code: '26 d9 46 00', in: { ebp: 0xfffd }, fault: GP },
      { asm: 'a32 fld dword [eax]', code: '67 d9 00', in: { eax: 0x1_0000 }, fault: GP },
      {
        asm: 'an encoding without a name, d9 /1, checks a doubleword',
        code: 'd9 0f',
        in: { ebx: 0xfffd },
        fault: GP,
      },
      { asm: 'an encoding without a name, d9 /1, within the limit', code: 'd9 0f' },
      { asm: 'an encoding without a name, d9 e2', code: 'd9 e2' },
      {
        asm: 'an encoding without a name with a 32-bit address',
        code: '67 d9 4c 88 10',
        in: { eax: 0x100, ecx: 4 },
      },
      { asm: '#NM goes before the address', code: 'd9 07', in: { ebx: 0xfffd, cr0: 0x14 }, fault: NM },
      { asm: 'lock fld is #UD', code: 'f0 d9 07', fault: UD },
      { asm: 'lock before an encoding without a name is #UD', code: 'f0 d9 0f', fault: UD },
      { asm: 'emms is no escape', code: '0f 77', fault: UD },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});
