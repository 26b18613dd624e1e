/**
 * The table of cold operations: `Insn.op` → function. A test asserts that every row of the operation table is either here or
 * a case of the hot switch.
 */
import type { Insn } from '../decoder/insn.ts';
import { OP_COUNT, Op } from '../decoder/op.ts';
import * as arithmetic from './arithmetic.ts';
import * as bits from './bit-byte.ts';
import * as bmi from './bmi.ts';
import * as control from './control-transfer.ts';
import type { Cpu } from './cpu.ts';
import * as data from './data-transfer.ts';
import * as debug from './debug-registers.ts';
import * as decimal from './decimal.ts';
import * as flags from './flag-control.ts';
import { iret } from './interrupt-return.ts';
import { requirePrivilege } from './privilege.ts';
import { X86_CR4_UMIP } from './registers.ts';
import { arpl, larLsl, verrVerw } from './selector-checks.ts';
import { shiftRotate, shld, shrd } from './shift-rotate.ts';
import * as stack from './stack-transfer.ts';
import { COLD_NEXT } from './status.ts';
import { stringOperation } from './strings.ts';
import { sysenter, sysexit } from './sysenter.ts';
import * as system from './system.ts';
import { lldt, ltr, storeSystemSegment } from './system-segments.ts';
import * as fpu from './x87/escape.ts';

/** Runs one instruction; `cpu.eip` stands at it. @returns COLD_* (status.ts). */
export type ColdOperation = (cpu: Cpu, insn: Insn) => number;

/** Level 0 only. */
function privileged(run: ColdOperation): ColdOperation {
  return (cpu, insn) => (requirePrivilege(cpu) ? run(cpu, insn) : COLD_NEXT);
}

/** CR4.UMIP: level 0 only. */
function prevented(run: ColdOperation): ColdOperation {
  return (cpu, insn) =>
    (cpu.cr4 & X86_CR4_UMIP) === 0 || requirePrivilege(cpu) ? run(cpu, insn) : COLD_NEXT;
}

/** #UD in real and virtual-8086 mode. */
function protectedOnly(run: ColdOperation): ColdOperation {
  return (cpu, insn) => (cpu.isProtected ? run(cpu, insn) : system.undefinedOpcode(cpu, insn));
}

// biome-ignore format: one operation a line, columns aligned.
const ENTRIES: readonly (readonly [number, ColdOperation])[] = [
  [Op.IncMem8, arithmetic.incDecMem], [Op.IncMem16, arithmetic.incDecMem], [Op.IncMem32, arithmetic.incDecMem],
  [Op.DecMem8, arithmetic.incDecMem], [Op.DecMem16, arithmetic.incDecMem], [Op.DecMem32, arithmetic.incDecMem],
  [Op.Neg, arithmetic.neg], [Op.Not, arithmetic.not],
  [Op.Mul, arithmetic.mul], [Op.Imul, arithmetic.imul], [Op.Imul2, arithmetic.imul2],
  [Op.Div, arithmetic.div], [Op.Idiv, arithmetic.idiv],
  [Op.Adcx, arithmetic.adcx], [Op.Adox, arithmetic.adcx],
  [Op.Shift, shiftRotate], [Op.Shld, shld], [Op.Shrd, shrd],
  [Op.Bt, bits.btImm], [Op.BtReg, bits.btReg], [Op.Bsf, bits.bsf], [Op.Bsr, bits.bsr],
  [Op.Popcnt, bits.popcnt], [Op.Lzcnt, bits.lzcnt], [Op.Tzcnt, bits.tzcnt], [Op.Crc32, bits.crc32], [Op.Setcc, bits.setcc],
  [Op.Andn, protectedOnly(bmi.andn)], [Op.Bextr, protectedOnly(bmi.bextr)], [Op.Bls, protectedOnly(bmi.bls)],
  [Op.Daa, decimal.daa], [Op.Das, decimal.das], [Op.Aaa, decimal.aaa], [Op.Aas, decimal.aas],
  [Op.Aam, decimal.aam], [Op.Aad, decimal.aad],
  [Op.MovFromSreg, data.movFromSreg], [Op.MovToSreg, data.movToSreg], [Op.Xchg, data.xchg],
  [Op.Movzx, data.movzx], [Op.Movsx, data.movsx], [Op.Cmov, data.cmov], [Op.Bswap, data.bswap], [Op.Xadd, data.xadd],
  [Op.Cmpxchg, data.cmpxchg], [Op.Cmpxchg8b, data.cmpxchg8b], [Op.Movbe, data.movbe],
  [Op.Cbw, data.cbw], [Op.Cwde, data.cwde], [Op.Cwd, data.cwd], [Op.Cdq, data.cdq], [Op.Xlat, data.xlat],
  [Op.LoadFarPointer, data.loadFarPointer],
  [Op.PushImm, stack.pushImm], [Op.PushMem, stack.pushMem], [Op.PopMem, stack.popMem],
  [Op.PushSreg, stack.pushSreg], [Op.PopSreg, stack.popSreg], [Op.Pusha, stack.pusha], [Op.Popa, stack.popa],
  [Op.Enter, stack.enter], [Op.Leave, stack.leave],
  [Op.Clc, flags.clc], [Op.Stc, flags.stc], [Op.Cmc, flags.cmc], [Op.Cld, flags.cld], [Op.Std, flags.std],
  [Op.Cli, flags.cli], [Op.Sti, flags.sti], [Op.Lahf, flags.lahf], [Op.Sahf, flags.sahf],
  [Op.Pushf, flags.pushf], [Op.Popf, flags.popf], [Op.Salc, flags.salc],
  [Op.JmpIndirect, control.jmpIndirect], [Op.CallIndirect, control.callIndirect],
  [Op.JmpFar, control.jmpFar], [Op.CallFar, control.callFar],
  [Op.JmpFarMem, control.jmpFarMem], [Op.CallFarMem, control.callFarMem],
  [Op.RetImm, control.retImm], [Op.Retf, control.retf], [Op.Iret, iret],
  [Op.Int, control.int], [Op.Int3, control.int3], [Op.Int1, control.int1], [Op.Into, control.into],
  [Op.Bound, control.bound], [Op.Loope, control.loopcc], [Op.Loopne, control.loopcc], [Op.Jcxz, control.jcxz],
  [Op.Movs, stringOperation], [Op.Cmps, stringOperation], [Op.Stos, stringOperation], [Op.Lods, stringOperation],
  [Op.Scas, stringOperation],
  [Op.Hlt, privileged(system.hlt)], [Op.Cpuid, system.cpuid], [Op.Rdtsc, system.rdtsc], [Op.Rdtscp, system.rdtscp], [Op.Rdmsr, privileged(system.rdmsr)],
  [Op.Wrmsr, privileged(system.wrmsr)], [Op.Rdpmc, privileged(system.rdpmc)],
  [Op.MovFromCr, privileged(system.movFromCr)], [Op.MovToCr, privileged(system.movToCr)], [Op.MovFromDr, privileged(debug.movFromDr)],
  [Op.MovToDr, privileged(debug.movToDr)],
  [Op.Lgdt, privileged(system.loadTable)], [Op.Lidt, privileged(system.loadTable)], [Op.Sgdt, prevented(system.storeTable)], [Op.Sidt, prevented(system.storeTable)],
  [Op.Smsw, prevented(system.smsw)], [Op.Lmsw, privileged(system.lmsw)], [Op.Clts, privileged(system.clts)],
  [Op.Invd, privileged(system.nothing)], [Op.Invlpg, privileged(system.invlpg)],
  [Op.Sldt, protectedOnly(prevented(storeSystemSegment))], [Op.Str, protectedOnly(prevented(storeSystemSegment))],
  [Op.Lldt, protectedOnly(privileged(lldt))], [Op.Ltr, protectedOnly(privileged(ltr))],
  [Op.Lar, protectedOnly(larLsl)], [Op.Lsl, protectedOnly(larLsl)], [Op.Arpl, protectedOnly(arpl)],
  [Op.Verr, protectedOnly(verrVerw)], [Op.Verw, protectedOnly(verrVerw)],
  [Op.Sysenter, sysenter], [Op.Sysexit, sysexit],
  [Op.Esc, fpu.esc], [Op.Wait, fpu.wait],
  [Op.Undefined, system.undefinedOpcode], [Op.TooLong, system.tooLong],
];

/** Indexed by `Insn.op`; operations of the hot switch and unused numbers are #UD here. */
export const COLD_TABLE: ColdOperation[] = new Array<ColdOperation>(OP_COUNT).fill(system.undefinedOpcode);
for (const [op, run] of ENTRIES) COLD_TABLE[op] = run;

/** The operations that have a function here. */
export const COLD_OPS: ReadonlySet<number> = new Set(ENTRIES.map(([op]) => op));
