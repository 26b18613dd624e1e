/**
 * Virtual-8086 mode: what IOPL and the virtual-mode extensions (CR4.VME, CR4.PVI) make of CLI, STI, PUSHF, POPF, INT n and
 * IRET.
 *
 * | IOPL | VME | CLI STI | PUSHF POPF IRET | INT n |
 * | --- | --- | --- | --- | --- |
 * | 3 | 0 | IF | IF | through the IDT |
 * | 3 | 1 | IF | IF | redirection bit 1: through the IDT; 0: the program's own vector |
 * | < 3 | 0 | #GP(0) | #GP(0) | #GP(0) |
 * | < 3 | 1 | VIF | VIF (32-bit operand: #GP(0)) | redirection bit 1: #GP(0); 0: the program's own vector, with VIF |
 *
 * Intel SDM vol. 3B, “8086 Emulation”: “Class 3—Software Interrupt Handling in Virtual-8086 Mode”, “Protected-Mode Virtual
 * Interrupts”.
 */
import { SEG_CS, SEG_SS, SEG_TR } from '../decoder/insn.ts';
import { probeStore, raise, store16 } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { TYPE_32 } from './descriptor.ts';
import { getEflags, setEflags } from './flags.ts';
import { cpl, iopl } from './privilege.ts';
import {
  ESP,
  GP_VECTOR,
  STATUS_FLAGS,
  X86_CR4_PVI,
  X86_CR4_VME,
  X86_EFLAGS_DF,
  X86_EFLAGS_IF,
  X86_EFLAGS_IOPL,
  X86_EFLAGS_NT,
  X86_EFLAGS_RF,
  X86_EFLAGS_TF,
  X86_EFLAGS_VIF,
  X86_EFLAGS_VIP,
  X86_EFLAGS_VM,
} from './registers.ts';
import { loadSegmentV86 } from './segments.ts';
import { setStackPointer, stackMask } from './stack.ts';
import { readSystem8, readSystem16 } from './system-access.ts';
import { IO_MAP_BASE_OFFSET } from './tss.ts';

/** VIF lies this many bits above IF. */
const VIF_SHIFT = 10;
/** The redirection map is the 32 bytes below the I/O permission bit map. */
const REDIRECTION_MAP_BYTES = 32;

function refuse(cpu: Cpu): false {
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/** What CLI and STI act on. */
export const FLAG_REAL = 0;
export const FLAG_VIRTUAL = 1;
export const FLAG_REFUSED = 2;

/** IF where CPL does not exceed IOPL; VIF with VME in virtual-8086 mode, with PVI at level 3; else nothing. */
export function interruptFlagKind(cpu: Cpu): number {
  const level = cpl(cpu);
  if (level <= iopl(cpu)) return FLAG_REAL;
  const extension = (cpu.sysFlags & X86_EFLAGS_VM) !== 0 ? X86_CR4_VME : X86_CR4_PVI;
  return level === 3 && (cpu.cr4 & extension) !== 0 ? FLAG_VIRTUAL : FLAG_REFUSED;
}

/** Virtual-8086 mode with IOPL below 3: PUSHF, POPF and IRET need VME and a 16-bit operand. #GP(0) otherwise. */
export function virtualFlagsAllowed(cpu: Cpu, size: number): boolean {
  return ((cpu.cr4 & X86_CR4_VME) !== 0 && size === 2) || refuse(cpu);
}

/** FLAGS as the program sees them: IF ← VIF, IOPL ← 3. */
export function virtualFlags(cpu: Cpu): number {
  const eflags = getEflags(cpu);
  const virtualIf = (eflags & X86_EFLAGS_VIF) >> VIF_SHIFT;
  return (eflags & 0xffff & ~X86_EFLAGS_IF) | virtualIf | X86_EFLAGS_IOPL;
}

/** What the program may change of FLAGS; VIF takes the place of IF. */
const VIRTUAL_MASK = STATUS_FLAGS | X86_EFLAGS_DF | X86_EFLAGS_NT | X86_EFLAGS_TF | X86_EFLAGS_VIF;

/** IF TF in the image, or VIP = 1 and IF in the image THEN #GP(0); ELSE VIF ← IF of the image. @returns false on #GP */
export function loadVirtualFlags(cpu: Cpu, image: number): boolean {
  const opensPending = (image & X86_EFLAGS_IF) !== 0 && (cpu.sysFlags & X86_EFLAGS_VIP) !== 0;
  if ((image & X86_EFLAGS_TF) !== 0 || opensPending) return refuse(cpu);
  const virtualIf = (image & X86_EFLAGS_IF) << VIF_SHIFT;
  setEflags(cpu, (getEflags(cpu) & ~VIRTUAL_MASK) | (image & VIRTUAL_MASK & ~X86_EFLAGS_VIF) | virtualIf);
  return true;
}

/** The redirection bit of `vector`: 0 or 1, −1 with #GP(0) raised where the map is not in a 32-bit TSS. */
function redirectionBit(cpu: Cpu, vector: number): number {
  const limit = cpu.segLimit[SEG_TR];
  if ((cpu.segAttr[SEG_TR] & TYPE_32) !== 0 && limit > IO_MAP_BASE_OFFSET) {
    const tss = cpu.segBase[SEG_TR];
    const at = readSystem16(cpu, tss + IO_MAP_BASE_OFFSET) - REDIRECTION_MAP_BYTES + (vector >> 3);
    if (at >= 0 && at <= limit) {
      const bits = readSystem8(cpu, tss + at);
      return cpu.fault === FAULT_NONE ? (bits >> (vector & 7)) & 1 : -1;
    }
  }
  refuse(cpu);
  return -1;
}

/** INT n goes through the IDT. */
export const INT_THROUGH_IDT = 0;
/** INT n has been delivered to the program's own vector. */
export const INT_REDIRECTED = 1;
/** A fault is raised. */
export const INT_REFUSED = 2;

/** INT n in virtual-8086 mode: which way it goes, and the way to the program's own vector. */
export function virtualInterrupt(cpu: Cpu, vector: number, returnEip: number): number {
  const hasIopl = iopl(cpu) === 3;
  if ((cpu.cr4 & X86_CR4_VME) !== 0) {
    const bit = redirectionBit(cpu, vector);
    if (bit < 0) return INT_REFUSED;
    if (bit === 0) return redirect(cpu, vector, returnEip, hasIopl);
  }
  if (hasIopl) return INT_THROUGH_IDT;
  refuse(cpu);
  return INT_REFUSED;
}

/**
 *     Push(FLAGS; IOPL < 3: with IF ← VIF and IOPL ← 3); Push(CS); Push(IP)
 *     TF ← 0; IOPL = 3: IF ← 0; IOPL < 3: VIF ← 0
 *     CS:IP ← the vector at linear address 4 × n
 */
function redirect(cpu: Cpu, vector: number, returnEip: number, hasIopl: boolean): number {
  const offset = readSystem16(cpu, vector * 4);
  const selector = readSystem16(cpu, vector * 4 + 2);
  if (cpu.fault !== FAULT_NONE) return INT_REFUSED;
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  for (let at = 2; at <= 6; at += 2) if (!probeStore(cpu, SEG_SS, (sp - at) & mask, 2)) return INT_REFUSED;
  store16(cpu, SEG_SS, (sp - 2) & mask, hasIopl ? getEflags(cpu) : virtualFlags(cpu));
  store16(cpu, SEG_SS, (sp - 4) & mask, cpu.segSelector[SEG_CS]);
  store16(cpu, SEG_SS, (sp - 6) & mask, returnEip);
  setStackPointer(cpu, (sp - 6) & mask);
  cpu.sysFlags &= ~(X86_EFLAGS_TF | X86_EFLAGS_RF | (hasIopl ? X86_EFLAGS_IF : X86_EFLAGS_VIF));
  loadSegmentV86(cpu, SEG_CS, selector);
  cpu.eip = offset;
  return INT_REDIRECTED;
}
