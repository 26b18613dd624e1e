/**
 * System instructions that real mode has: descriptor-table registers, control registers, HLT, CPUID, RDTSC, MSRs,
 * cache control.
 *
 * Intel SDM vol. 3A, “System Instruction Summary”; vol. 2 for the checks.
 */
import { FORM_REG, type Insn } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { EXIT_REASON_CPUID, EXIT_REASON_HLT } from '../uapi/vmx.ts';
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
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { readDst, writeReg } from './operand.ts';
import {
  EAX,
  ECX,
  EDX,
  GP_VECTOR,
  UD_VECTOR,
  X86_CR0_CD,
  X86_CR0_ET,
  X86_CR0_NW,
  X86_CR0_PE,
  X86_CR0_PG,
  X86_CR0_TS,
} from './registers.ts';
import { COLD_EXIT, COLD_NEXT } from './status.ts';

/** CR0 bits that exist: the others read as 0 (ET is always 1). */
const CR0_MASK = 0xe005003f | 0;
/** CR4 bits that this processor has in real mode: VME PVI TSD DE PSE PAE MCE PGE PCE. */
const CR4_MASK = 0x1ff;

/** MSR_IA32_TSC. */
const MSR_IA32_TSC = 0x10;
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

/** The time-stamp counter: one count a tick. */
function timeStamp(cpu: Cpu): number {
  return cpu.ticksAtEntry + cpu.retired + cpu.tscOffset;
}

/** EDX:EAX ← value */
function writePair(cpu: Cpu, value: number): void {
  cpu.gpr[EAX] = value;
  cpu.gpr[EDX] = Math.floor(value / TWO_32);
}

/** EDX:EAX ← time-stamp counter (CR4.TSD counts only above CPL 0) */
export function rdtsc(cpu: Cpu, _insn: Insn): number {
  writePair(cpu, timeStamp(cpu));
  return COLD_NEXT;
}

/** Only IA32_TIME_STAMP_COUNTER exists so far; any other MSR is #GP(0). */
export function rdmsr(cpu: Cpu, _insn: Insn): number {
  if (cpu.gpr[ECX] !== MSR_IA32_TSC) raise(cpu, GP_VECTOR, 0);
  else writePair(cpu, timeStamp(cpu));
  return COLD_NEXT;
}

/** Only IA32_TIME_STAMP_COUNTER exists so far; any other MSR is #GP(0). */
export function wrmsr(cpu: Cpu, _insn: Insn): number {
  if (cpu.gpr[ECX] !== MSR_IA32_TSC) {
    raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
  // Bits above 2^53 cannot be kept: virtual time never reaches them.
  const value = (cpu.gpr[EAX] >>> 0) + ((cpu.gpr[EDX] >>> 0) % 0x200000) * TWO_32;
  cpu.tscOffset = value - (cpu.ticksAtEntry + cpu.retired);
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

/** Sets CR0 and what hangs on it. */
export function writeCr0(cpu: Cpu, value: number): void {
  const old = cpu.cr0;
  cpu.cr0 = (value & CR0_MASK) | X86_CR0_ET;
  if (((old ^ cpu.cr0) & X86_CR0_PE) !== 0) {
    for (let seg = 0; seg < 8; seg++) cpu.updateSegBound(seg);
    cpu.attention = 1;
  }
}

/** CRn ← SRC, with the checks that real mode has. */
export function movToCr(cpu: Cpu, insn: Insn): number {
  const value = cpu.gpr[insn.src];
  switch (insn.dst) {
    case 0: {
      // #GP(0): PG without PE, NW without CD.
      const pagingAlone = (value & X86_CR0_PG) !== 0 && (value & X86_CR0_PE) === 0;
      const notWriteThrough = (value & X86_CR0_NW) !== 0 && (value & X86_CR0_CD) === 0;
      if (pagingAlone || notWriteThrough) raise(cpu, GP_VECTOR, 0);
      else writeCr0(cpu, value);
      return COLD_NEXT;
    }
    case 2:
      cpu.cr2 = value;
      return COLD_NEXT;
    case 3:
      cpu.cr3 = value;
      return COLD_NEXT;
    default:
      if ((value & ~CR4_MASK) !== 0) raise(cpu, GP_VECTOR, 0);
      else cpu.cr4 = value;
      return COLD_NEXT;
  }
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
  if (cpu.fault === FAULT_NONE) writeCr0(cpu, (cpu.cr0 & ~0xe) | (value & 0xf));
  return COLD_NEXT;
}

/** CR0.TS ← 0 */
export function clts(cpu: Cpu, _insn: Insn): number {
  cpu.cr0 &= ~X86_CR0_TS;
  return COLD_NEXT;
}

/** Caches are not modelled: INVD, WBINVD and INVLPG (paging off) do nothing. */
export function nothing(_cpu: Cpu, _insn: Insn): number {
  return COLD_NEXT;
}

/** SYSENTER and SYSEXIT in real mode. */
export function sysenter(cpu: Cpu, _insn: Insn): number {
  raise(cpu, GP_VECTOR, 0);
  return COLD_NEXT;
}
