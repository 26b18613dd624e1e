/**
 * IN, OUT, INS and OUTS that do not exit: what the processor does when an I/O bitmap lets an access through. The access goes
 * to `cpu.ioIntercept` instead of a physical port. Permission has been checked.
 *
 * Unlike KVM's emulator, the processor checks the destination of INS before it reads the port, stops between any two
 * iterations, and meets data and I/O breakpoints.
 *
 * Intel SDM vol. 2, “IN”, “OUT”, “INS”, “OUTS”.
 */
import { type Insn, REP_NONE, SEG_ES } from '../decoder/insn.ts';
import { IO_QUAL_IN, IO_QUAL_STRING, type IoExitQualification } from '../uapi/vmx.ts';
import { loadSized, probeStore, storeSized } from './access.ts';
import { NO_EXIT } from './boundary.ts';
import { checkIoBreakpoints } from './breakpoints.ts';
import { type Cpu, FAULT_NONE, type IoIntercept } from './cpu.ts';
import { readReg, writeReg } from './operand.ts';
import { EAX, ECX, EDI, ESI, X86_EFLAGS_DF, X86_EFLAGS_TF } from './registers.ts';
import { advance, suspend } from './strings.ts';

/** A REP has iterations left: run it again. */
export const NATIVE_REPEAT = -2;

/** One INS or OUTS element. On a fault nothing has changed. */
function element(cpu: Cpu, io: IoIntercept, insn: Insn, port: number, size: number, isIn: boolean): void {
  const mask = insn.addrMask;
  const by = (cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? -size : size;
  if (isIn) {
    const di = cpu.gpr[EDI] & mask;
    if (!probeStore(cpu, SEG_ES, di, size)) return;
    storeSized(cpu, SEG_ES, di, size, io.read(port, size));
    advance(cpu, EDI, by, mask);
    return;
  }
  const value = loadSized(cpu, insn.seg, cpu.gpr[ESI] & mask, size);
  if (cpu.fault !== FAULT_NONE) return;
  io.write(port, size, value >>> 0);
  advance(cpu, ESI, by, mask);
}

/** @returns NO_EXIT (done, or `cpu.fault` is set) or {@link NATIVE_REPEAT}. */
export function nativePortIo(
  cpu: Cpu,
  io: IoIntercept,
  insn: Insn,
  qual: IoExitQualification,
  port: number,
  size: number,
): number {
  const isIn = (qual & IO_QUAL_IN) !== 0;
  if ((qual & IO_QUAL_STRING) === 0) {
    if (isIn) writeReg(cpu, EAX, size, io.read(port, size));
    else io.write(port, size, readReg(cpu, EAX, size) >>> 0);
    checkIoBreakpoints(cpu, port, size);
    return NO_EXIT;
  }
  const isRep = insn.rep !== REP_NONE;
  cpu.repSuspended = 0;
  if (isRep && (cpu.gpr[ECX] & insn.addrMask) === 0) return NO_EXIT;
  element(cpu, io, insn, port, size, isIn);
  if (cpu.fault !== FAULT_NONE) return NO_EXIT;
  checkIoBreakpoints(cpu, port, size);
  if (!isRep) return NO_EXIT;
  advance(cpu, ECX, -1, insn.addrMask);
  const isTrap = (cpu.sysFlags & X86_EFLAGS_TF) !== 0 || cpu.debug.hits !== 0;
  if (isTrap && (cpu.gpr[ECX] & insn.addrMask) === 0) return NO_EXIT;
  suspend(cpu);
  return NATIVE_REPEAT;
}
