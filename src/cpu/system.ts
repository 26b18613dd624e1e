/**
 * System instructions that every mode has: descriptor-table registers, control registers, HLT, CPUID, RDTSC, MSRs,
 * cache control.
 *
 * Intel SDM vol. 3A, “System Instruction Summary”; vol. 2 for the checks.
 */
import { FORM_REG, type Insn } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_HLT,
  EXIT_REASON_MSR_READ,
  EXIT_REASON_MSR_WRITE,
} from '../uapi/vmx.ts';
import {
  effectiveAddress,
  load16,
  load32,
  probeStore,
  raise,
  store16,
  store32,
  storeSized,
} from './access.ts';
import { invalidatePage, setCr0, setCr3, setCr4 } from './control-registers.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { holdsMsr, readMsr, timeStamp, writeMsr } from './msrs.ts';
import { readDst, writeReg } from './operand.ts';
import { requirePrivilege } from './privilege.ts';
import { EAX, ECX, EDX, GP_VECTOR, UD_VECTOR, X86_CR0_TS, X86_CR4_TSD } from './registers.ts';
import { COLD_EXIT, COLD_NEXT } from './status.ts';

const TWO_32 = 0x1_0000_0000;

/** #UD */
export function undefinedOpcode(cpu: Cpu, _insn: Insn): number {
  raise(cpu, UD_VECTOR, 0);
  return COLD_NEXT;
}

/** #GP(0): an instruction of more than 15 bytes */
export function tooLong(cpu: Cpu, _insn: Insn): number {
  raise(cpu, GP_VECTOR, 0);
  return COLD_NEXT;
}

/** Leaves with EXIT_REASON_HLT; the handler moves EIP and halts. */
export function hlt(cpu: Cpu, insn: Insn): number {
  cpu.exitReason = EXIT_REASON_HLT;
  cpu.exitInstructionLength = insn.len;
  cpu.exitQualification = 0;
  cpu.exitInsn = insn;
  return COLD_EXIT;
}

/** CPUID exits unconditionally. */
export function cpuid(cpu: Cpu, insn: Insn): number {
  cpu.exitReason = EXIT_REASON_CPUID;
  cpu.exitInstructionLength = insn.len;
  cpu.exitQualification = 0;
  cpu.exitInsn = insn;
  return COLD_EXIT;
}

/** EDX:EAX ← value */
function writePair(cpu: Cpu, value: number): void {
  cpu.gpr[EAX] = value;
  cpu.gpr[EDX] = Math.floor(value / TWO_32);
}

/** IF CR4.TSD = 1 and CPL > 0 THEN #GP(0) */
function mayReadTimeStamp(cpu: Cpu): boolean {
  return (cpu.cr4 & X86_CR4_TSD) === 0 || requirePrivilege(cpu);
}

/** EDX:EAX ← time-stamp counter */
export function rdtsc(cpu: Cpu, _insn: Insn): number {
  if (mayReadTimeStamp(cpu)) writePair(cpu, timeStamp(cpu));
  return COLD_NEXT;
}

/** EDX:EAX ← time-stamp counter; ECX ← IA32_TSC_AUX */
export function rdtscp(cpu: Cpu, _insn: Insn): number {
  if (!mayReadTimeStamp(cpu)) return COLD_NEXT;
  writePair(cpu, timeStamp(cpu));
  cpu.gpr[ECX] = cpu.tscAux;
  return COLD_NEXT;
}

/** An MSR that the processor does not hold. */
function leaveForMsr(cpu: Cpu, insn: Insn, exitReason: number): number {
  if (cpu.msrExiting === 0) {
    raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
  cpu.exitReason = exitReason;
  cpu.exitInstructionLength = insn.len;
  cpu.exitQualification = 0;
  cpu.exitInsn = insn;
  return COLD_EXIT;
}

/** EDX:EAX ← MSR[ECX] */
export function rdmsr(cpu: Cpu, insn: Insn): number {
  const index = cpu.gpr[ECX];
  if (!holdsMsr(cpu, index)) return leaveForMsr(cpu, insn, EXIT_REASON_MSR_READ);
  writePair(cpu, readMsr(cpu, index));
  return COLD_NEXT;
}

/** MSR[ECX] ← EDX:EAX */
export function wrmsr(cpu: Cpu, insn: Insn): number {
  const { gpr } = cpu;
  if (!holdsMsr(cpu, gpr[ECX])) return leaveForMsr(cpu, insn, EXIT_REASON_MSR_WRITE);
  if (!writeMsr(cpu, gpr[ECX], gpr[EAX], gpr[EDX])) raise(cpu, GP_VECTOR, 0);
  return COLD_NEXT;
}

/** There are no performance counters. */
export function rdpmc(cpu: Cpu, _insn: Insn): number {
  raise(cpu, GP_VECTOR, 0);
  return COLD_NEXT;
}

/** DEST ← CRn */
export function movFromCr(cpu: Cpu, insn: Insn): number {
  const cr = insn.src;
  cpu.gpr[insn.dst] = cr === 0 ? cpu.cr0 : cr === 2 ? cpu.cr2 : cr === 3 ? cpu.cr3 : cpu.cr4;
  return COLD_NEXT;
}

/** CRn ← SRC; the checks are in control-registers.ts. */
export function movToCr(cpu: Cpu, insn: Insn): number {
  const value = cpu.gpr[insn.src];
  let isGood = true;
  if (insn.dst === 0) isGood = setCr0(cpu, value);
  else if (insn.dst === 2) cpu.cr2 = value;
  else if (insn.dst === 3) isGood = setCr3(cpu, value);
  else isGood = setCr4(cpu, value);
  if (!isGood) raise(cpu, GP_VECTOR, 0);
  return COLD_NEXT;
}

/** Limit (16 bits), base (24 bits with a 16-bit operand, else 32). */
export function loadTable(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const limit = load16(cpu, insn.seg, ea);
  const base = load32(cpu, insn.seg, (ea + 2) & insn.addrMask);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const cut = insn.opSize === 2 ? base & 0xffffff : base;
  if (insn.op === Op.Lgdt) {
    cpu.gdtLimit = limit;
    cpu.gdtBase = cut;
  } else {
    cpu.idtLimit = limit;
    cpu.idtBase = cut;
  }
  return COLD_NEXT;
}

/** Stores limit and 32-bit base whatever the operand size, as processors since the 386 do. */
export function storeTable(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const ea2 = (ea + 2) & insn.addrMask;
  if (!probeStore(cpu, insn.seg, ea, 2) || !probeStore(cpu, insn.seg, ea2, 4)) return COLD_NEXT;
  const gdt = insn.op === Op.Sgdt;
  store16(cpu, insn.seg, ea, gdt ? cpu.gdtLimit : cpu.idtLimit);
  store32(cpu, insn.seg, ea2, gdt ? cpu.gdtBase : cpu.idtBase);
  return COLD_NEXT;
}

/** DEST ← CR0[15:0] to memory, CR0[31:0] to a 32-bit register. */
export function smsw(cpu: Cpu, insn: Insn): number {
  if (insn.form === FORM_REG) writeReg(cpu, insn.dst, insn.size, cpu.cr0);
  else storeSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), 2, cpu.cr0);
  return COLD_NEXT;
}

/** CR0[3:0] ← SRC[3:0]; PE can be set but not cleared. */
export function lmsw(cpu: Cpu, insn: Insn): number {
  const value = readDst(cpu, insn, 2);
  if (cpu.fault === FAULT_NONE) setCr0(cpu, (cpu.cr0 & ~0xe) | (value & 0xf));
  return COLD_NEXT;
}

/** CR0.TS ← 0 */
export function clts(cpu: Cpu, _insn: Insn): number {
  cpu.cr0 &= ~X86_CR0_TS;
  return COLD_NEXT;
}

/** Forgets the translation of the operand's page, global or not. The segment is not checked, only added. */
export function invlpg(cpu: Cpu, insn: Insn): number {
  invalidatePage(cpu, (cpu.segBase[insn.seg] + effectiveAddress(cpu.gpr, insn)) | 0);
  return COLD_NEXT;
}

/** Caches are not modelled: INVD and WBINVD do nothing. */
export function nothing(_cpu: Cpu, _insn: Insn): number {
  return COLD_NEXT;
}
