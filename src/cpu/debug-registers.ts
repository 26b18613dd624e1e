/**
 * MOV to and from DR0–DR7.
 *
 * Intel SDM vol. 3B, “Debug Registers”; vol. 2, “MOV—Move to/from Debug Registers”.
 */
import type { Insn } from '../decoder/insn.ts';
import { raise } from './access.ts';
import type { Cpu } from './cpu.ts';
import { DR6_ACTIVE_LOW, DR6_BD, DR7_FIXED_1, DR7_GD } from './debug-state.ts';
import { DB_VECTOR, UD_VECTOR, X86_CR4_DE } from './registers.ts';
import { COLD_NEXT } from './status.ts';

/** DR6 bits that software can change: B0–B3, BD, BS, BT. */
const DR6_WRITABLE = 0xe00f;
/** KVM: bit 11 (RTM) of DR7 can be set. */
const DR7_VOLATILE = 0xffff2bff | 0;

/** DR4 and DR5 are DR6 and DR7, or #UD with CR4.DE; with DR7.GD any access is #DB, a fault. @returns −1 after a fault. */
function debugRegister(cpu: Cpu, n: number): number {
  const isAlias = n === 4 || n === 5;
  if (isAlias && (cpu.cr4 & X86_CR4_DE) !== 0) {
    raise(cpu, UD_VECTOR, 0);
    return -1;
  }
  if ((cpu.debug.dr7 & DR7_GD) !== 0) {
    raise(cpu, DB_VECTOR, DR6_BD);
    return -1;
  }
  return isAlias ? n + 2 : n;
}

/** DEST ← DRn */
export function movFromDr(cpu: Cpu, insn: Insn): number {
  const n = debugRegister(cpu, insn.src);
  if (n >= 0) cpu.gpr[insn.dst] = cpu.dr[n];
  return COLD_NEXT;
}

/** DRn ← SRC. DR6 reads FFFF0FF0H | BT BS BD and B3–B0; DR7 bit 10 is 1, bits 12, 14 and 15 are 0. */
export function movToDr(cpu: Cpu, insn: Insn): number {
  const n = debugRegister(cpu, insn.dst);
  if (n < 0) return COLD_NEXT;
  const value = cpu.gpr[insn.src];
  if (n === 6) {
    cpu.dr[6] = (value & DR6_WRITABLE) | DR6_ACTIVE_LOW;
    return COLD_NEXT;
  }
  cpu.dr[n] = n === 7 ? (value & DR7_VOLATILE) | DR7_FIXED_1 : value;
  cpu.debug.update(cpu);
  return COLD_NEXT;
}
