/**
 * Who may touch a port, as the processor checks it before the VM exit. (KVM's emulator makes its own check, which differs at
 * the edges: emulate/io-permission.ts.)
 *
 * Intel SDM vol. 1, “I/O Permission Bit Map”.
 */
import { SEG_TR } from '../decoder/insn.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { systemType, TYPE_TSS32, TYPE_TSS32_BUSY } from './descriptor.ts';
import {
  IO_NOT_REFUSED,
  IO_REFUSED_BIT,
  IO_REFUSED_MAP_LIMIT,
  IO_REFUSED_NO_TSS,
  IO_REFUSED_TSS_LIMIT,
  IO_REFUSED_TSS_TYPE,
  type IoRefusal,
} from './io-refusal.ts';
import { cpl, iopl } from './privilege.ts';
import { AR_P, AR_UNUSABLE, X86_CR0_PE, X86_EFLAGS_VM } from './registers.ts';
import { readSystem16 } from './system-access.ts';
import { IO_MAP_BASE_OFFSET, TSS32_MIN_LIMIT } from './tss.ts';

/** Whether the bitmap must be asked: always in virtual-8086 mode, else when CPL > IOPL. */
function bitmapDecides(cpu: Cpu): boolean {
  return (cpu.cr0 & X86_CR0_PE) !== 0 && bitmapDecidesProtected(cpu);
}

/** Apart, so that real mode leaves V8 room to see through the device behind the port. */
function bitmapDecidesProtected(cpu: Cpu): boolean {
  return (cpu.sysFlags & X86_EFLAGS_VM) !== 0 || cpl(cpu) > iopl(cpu);
}

/** Whether the program may access every port: nobody asks the bit map. */
export function portAccessIsFree(cpu: Cpu): boolean {
  return !bitmapDecides(cpu);
}

/**
 * Whether the program may access `size` ports from `port` on; what was found is left in `cpu.ioRefusal`.
 *
 *     IF (PE = 1) and ((CPL > IOPL) or (VM = 1)) THEN
 *       IF any bit of the I/O permission bit map of the accessed ports is 1 THEN #GP(0)
 *
 * The processor reads two bytes of the map, both within the TSS limit, and wants the bits of all `size` ports clear.
 */
export function portAllowed(cpu: Cpu, port: number, size: number): boolean {
  return !bitmapDecides(cpu) || bitmapAllows(cpu, port, size);
}

function bitmapAllows(cpu: Cpu, port: number, size: number): boolean {
  const found = cpu.ioRefusal;
  found.port = port;
  found.size = size;
  found.cpl = cpl(cpu);
  found.iopl = iopl(cpu);
  found.isV86 = (cpu.sysFlags & X86_EFLAGS_VM) !== 0;
  found.tssAttr = cpu.segAttr[SEG_TR];
  found.tssLimit = cpu.segLimit[SEG_TR];
  found.reason = askBitmap(cpu, found);
  // A page fault of the TSS stays in `cpu.fault`: it is the exception that is raised.
  return cpu.fault === FAULT_NONE && found.reason === IO_NOT_REFUSED;
}

/** @returns IO_REFUSED_* */
function askBitmap(cpu: Cpu, found: IoRefusal): number {
  const { tssAttr, tssLimit, port, size } = found;
  if ((tssAttr & (AR_P | AR_UNUSABLE)) !== AR_P) return IO_REFUSED_NO_TSS;
  const type = systemType(tssAttr);
  if (type !== TYPE_TSS32 && type !== TYPE_TSS32_BUSY) return IO_REFUSED_TSS_TYPE;
  if (tssLimit < TSS32_MIN_LIMIT) return IO_REFUSED_TSS_LIMIT;
  const tss = cpu.segBase[SEG_TR];
  found.mapBase = readSystem16(cpu, tss + IO_MAP_BASE_OFFSET);
  found.offset = found.mapBase + (port >> 3);
  if (found.offset + 1 > tssLimit) return IO_REFUSED_MAP_LIMIT;
  found.bits = readSystem16(cpu, tss + found.offset);
  return ((found.bits >> (port & 7)) & ((1 << size) - 1)) === 0 ? IO_NOT_REFUSED : IO_REFUSED_BIT;
}
