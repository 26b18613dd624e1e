/**
 * Who may touch a port, as the processor checks it before the VM exit. (KVM's emulator makes its own check, which differs at
 * the edges: emulate/io-permission.ts.)
 *
 * Intel SDM vol. 1, “I/O Permission Bit Map”.
 */
import { SEG_TR } from '../decoder/insn.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { cpl, iopl } from './privilege.ts';
import { AR_P, AR_UNUSABLE, X86_CR0_PE, X86_EFLAGS_VM } from './registers.ts';
import { readSystem16 } from './system-access.ts';

/** Types of a 32-bit TSS, available and busy: only that one has an I/O map. */
const TSS32_AVAILABLE = 9;
const TSS32_BUSY = 11;
const AR_TYPE_MASK = 15;
/** Offset of the I/O map base in a 32-bit TSS, and the limit that holds it. */
const IO_MAP_BASE_OFFSET = 102;
const TSS32_MIN_LIMIT = 103;

/** Whether the bitmap must be asked: always in virtual-8086 mode, else when CPL > IOPL. */
function bitmapDecides(cpu: Cpu): boolean {
  if ((cpu.cr0 & X86_CR0_PE) === 0) return false;
  return (cpu.sysFlags & X86_EFLAGS_VM) !== 0 || cpl(cpu) > iopl(cpu);
}

/**
 * Whether the program may access `size` ports from `port` on.
 *
 * The processor reads two bytes of the map, both within the TSS limit, and wants the bits of all `size` ports clear.
 */
export function portAllowed(cpu: Cpu, port: number, size: number): boolean {
  if (!bitmapDecides(cpu)) return true;
  const attr = cpu.segAttr[SEG_TR];
  const type = attr & AR_TYPE_MASK;
  const limit = cpu.segLimit[SEG_TR];
  if ((attr & (AR_P | AR_UNUSABLE)) !== AR_P || (type !== TSS32_AVAILABLE && type !== TSS32_BUSY))
    return false;
  if (limit < TSS32_MIN_LIMIT) return false;
  const tss = cpu.segBase[SEG_TR];
  const at = readSystem16(cpu, tss + IO_MAP_BASE_OFFSET) + (port >> 3);
  if (at + 1 > limit) return false;
  const bits = readSystem16(cpu, tss + at);
  // A page fault of the TSS stays in `cpu.fault`: it is the exception that is raised.
  return cpu.fault === FAULT_NONE && ((bits >> (port & 7)) & ((1 << size) - 1)) === 0;
}
