/**
 * One pass of the emulator over an I/O instruction: permission, REP count, operands, the access, write-back of the
 * destination, index and count registers, and whether to go on (Linux: arch/x86/kvm/emulate.c, `x86_emulate_insn`).
 * The order of these steps decides what a fault leaves behind.
 */
import { segmentedRead, segmentedWrite, segmentedWriteBlock } from '../cpu/access.ts';
import { FAULT_EXCEPTION, FAULT_MMIO, FAULT_NONE } from '../cpu/cpu.ts';
import { DI, EAX, ECX, EDI, ESI, SI, X86_EFLAGS_DF } from '../cpu/registers.ts';
import { REP_NONE, SEG_ES } from '../decoder/insn.ts';
import { repCount } from './em-io.ts';
import { ioBreakpointTrap } from './guest-debug.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';
import { flushMmioWrites } from './mmio.ts';
import { loadElement, PIO_EXIT, PIO_IN_KERNEL, passTicks, storeElement } from './pio.ts';
import {
  EMULATION_OK,
  EMULATION_RESTART,
  X86EMUL_CONTINUE,
  X86EMUL_IO_NEEDED,
  X86EMUL_PROPAGATE_FAULT,
} from './x86emul.ts';

/** Where the emulator leaves a long REP and lets the guest be re-entered: every this many iterations. */
const RESTART_MASK = 0x3ff;

/** Ends the instruction: RIP behind it. */
function retire(vcpu: KvmVcpu): number {
  const { ctxt } = vcpu;
  ctxt.eip = ctxt.nextEip;
  ctxt.rf = 0;
  return EMULATION_OK;
}

function propagateFault(vcpu: KvmVcpu): number {
  vcpu.ctxt.haveException = 1;
  return EMULATION_OK;
}

/** Moves the fault of a memory operand from the CPU into the context. @returns whether there was one. */
function takeFault(vcpu: KvmVcpu): boolean {
  const { cpu, ctxt } = vcpu;
  if (cpu.fault === FAULT_NONE) return false;
  ctxt.exceptionVector = cpu.fault & ~FAULT_EXCEPTION;
  ctxt.exceptionErrorCode = cpu.faultErrorCode;
  cpu.fault = FAULT_NONE;
  return true;
}

/** Reads the OUTS element at its segment and (E)SI into `val`. @returns X86EMUL_*. */
function readSource(vcpu: KvmVcpu, seg: number, addrMask: number): number {
  const { cpu, ctxt } = vcpu;
  vcpu.mmioRequest.readPos = 0;
  cpu.mmio = vcpu.mmio;
  const value = segmentedRead(cpu, seg, cpu.gpr[ESI] & addrMask, ctxt.opBytes);
  cpu.mmio = null;
  if (cpu.fault === FAULT_MMIO) {
    cpu.fault = FAULT_NONE;
    return X86EMUL_IO_NEEDED;
  }
  if (takeFault(vcpu)) return X86EMUL_PROPAGATE_FAULT;
  storeElement(ctxt.val, 0, ctxt.opBytes, value);
  return X86EMUL_CONTINUE;
}

/** Stores the INS element, or the whole block. @returns false on a fault. */
function writeDestination(vcpu: KvmVcpu): boolean {
  const { cpu, ctxt } = vcpu;
  const size = ctxt.opBytes;
  const { mmioRequest } = vcpu;
  cpu.mmio = vcpu.mmio;
  mmioRequest.isBlock = 1;
  if (ctxt.dstCount !== 0) {
    segmentedWriteBlock(cpu, SEG_ES, ctxt.dstEa, ctxt.ioReadData, ctxt.dstAt, ctxt.dstCount * size);
  } else {
    segmentedWrite(cpu, SEG_ES, ctxt.dstEa, size, loadElement(ctxt.val, 0, size));
  }
  cpu.mmio = null;
  mmioRequest.isBlock = 0;
  if (takeFault(vcpu)) {
    mmioRequest.drop();
    return false;
  }
  flushMmioWrites(vcpu);
  return true;
}

/** Accumulator operands of IN and OUT: EAX, of which IN replaces the low bytes. */
function loadAccumulator(vcpu: KvmVcpu): void {
  storeElement(vcpu.ctxt.val, 0, 4, vcpu.cpu.gpr[EAX]);
}

function storeAccumulator(vcpu: KvmVcpu): void {
  vcpu.cpu.gpr[EAX] = loadElement(vcpu.ctxt.val, 0, 4);
}

/** Moves (E)SI or (E)DI over `count` elements; a 16-bit address size leaves the upper half alone. */
function advanceIndex(vcpu: KvmVcpu, addrMask: number, count: number): void {
  const { cpu, ctxt } = vcpu;
  const bytes = count * ((cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? -ctxt.opBytes : ctxt.opBytes);
  if (ctxt.isIn !== 0) {
    if (addrMask === -1) cpu.gpr[EDI] += bytes;
    else cpu.r16[DI] += bytes;
    ctxt.dstEa = cpu.gpr[EDI] & addrMask;
  } else if (addrMask === -1) {
    cpu.gpr[ESI] += bytes;
  } else {
    cpu.r16[SI] += bytes;
  }
}

/** `count` elements are committed: the ticks that their accesses have not yet taken pass. */
function passIterations(vcpu: KvmVcpu, count: number): void {
  const { ctxt } = vcpu;
  if (ctxt.outResult === PIO_EXIT) {
    vcpu.pio.ticksDue += count;
    return;
  }
  const ahead = Math.min(ctxt.ticksAhead, count);
  ctxt.ticksAhead -= ahead;
  passTicks(vcpu, count - ahead);
}

/**
 * Whether a REP goes on inside the emulator: INS while its read-ahead cache holds elements, OUTS until the low bits
 * of ECX are 0. Otherwise the guest is re-entered at the same instruction.
 */
function restarts(vcpu: KvmVcpu): boolean {
  const { ctxt, cpu } = vcpu;
  if (ctxt.ioReadEnd === 0) return (cpu.gpr[ECX] & RESTART_MASK) !== 0;
  return ctxt.ioReadEnd !== ctxt.ioReadPos;
}

/**
 * @returns EMULATION_OK (`ctxt.haveException` tells whether the guest gets a fault, `pio.count` whether userspace is
 * needed) or EMULATION_RESTART.
 * @kvm x86_emulate_insn(ctxt) arch/x86/kvm/emulate.c
 */
export function x86EmulateInsn(vcpu: KvmVcpu): number {
  const { ctxt, cpu, fn } = vcpu;
  const { insn } = ctxt;
  const { addrMask } = insn;
  const isIn = ctxt.isIn !== 0;
  const isString = ctxt.isString !== 0;
  const isRep = isString && insn.rep !== REP_NONE;
  ctxt.dstCount = 0;

  const permission = isIn ? fn.checkPermIn(vcpu) : fn.checkPermOut(vcpu);
  if (permission === X86EMUL_PROPAGATE_FAULT) return propagateFault(vcpu);
  if (isRep && repCount(vcpu, addrMask) === 0) {
    passTicks(vcpu, 1);
    return retire(vcpu);
  }
  if (!isIn && isString) {
    const read = readSource(vcpu, insn.seg, addrMask);
    if (read === X86EMUL_IO_NEEDED) return EMULATION_OK;
    if (read === X86EMUL_PROPAGATE_FAULT) return propagateFault(vcpu);
    // The next iteration reads anew.
    vcpu.mmioRequest.readEnd = 0;
  }
  if (!isString) loadAccumulator(vcpu);
  ctxt.rf = isRep ? 1 : 0;

  const result = isIn ? fn.emIn(vcpu) : fn.emOut(vcpu);
  if (result !== X86EMUL_CONTINUE) return EMULATION_OK;

  if (isIn && !isString && ctxt.regsNeedSyncFromVcpu === 0) storeAccumulator(vcpu);
  if (isIn && isString && !writeDestination(vcpu)) return propagateFault(vcpu);
  const count = ctxt.dstCount !== 0 ? ctxt.dstCount : 1;
  const isBreak = ioBreakpointTrap(vcpu, ctxt.port, ctxt.opBytes);
  if (isString) advanceIndex(vcpu, addrMask, count);
  // Never more than (E)CX holds: with a 16-bit address size nothing is borrowed from the upper half.
  if (isRep) cpu.gpr[ECX] -= count;
  passIterations(vcpu, count);
  if (!isRep) return retire(vcpu);
  return restarts(vcpu) && !isBreak ? EMULATION_RESTART : EMULATION_OK;
}

/** Whether the last OUT or OUTS element left the kernel, materialised or not. */
export function leftForUserspace(vcpu: KvmVcpu): boolean {
  return vcpu.ctxt.outResult !== PIO_IN_KERNEL;
}
