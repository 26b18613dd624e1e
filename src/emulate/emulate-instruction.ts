/**
 * The emulator seen from the exit handlers: takes the instruction over, runs it pass by pass, and writes RIP and flags
 * back (Linux: arch/x86/kvm/x86.c, `x86_emulate_instruction` and around it).
 *
 * Nothing is decoded again: the CPU left with the instruction in `cpu.exitInsn`.
 */
import { peekLinear } from '../cpu/access.ts';
import { queueException } from '../cpu/exceptions.ts';
import { getEflags, setEflags } from '../cpu/flags.ts';
import { suspendAlignmentCheck } from '../cpu/privilege.ts';
import { EDI, X86_EFLAGS_RF, X86_EFLAGS_TF } from '../cpu/registers.ts';
import { SEG_CS } from '../decoder/insn.ts';
import { ioQualIsIn, ioQualIsString, ioQualPort, ioQualSize } from '../uapi/vmx.ts';
import { leftForUserspace } from './emulate-insn.ts';
import { decodeMemoryInstruction, emulateMemoryInstruction } from './emulate-memory.ts';
import { prepareEmulationFailureExit } from './emulation-failure.ts';
import { codeBreakpointsEnabled, writeBackTrapFlag } from './guest-debug.ts';
import { COMPLETE_EMULATED_PIO, type KvmVcpu, NO_INSN } from './kvm-vcpu.ts';
import { prepareMmioExit } from './mmio.ts';
import { PIO_BY_BOARD, PIO_IN_KERNEL } from './pio.ts';
import {
  EMULATION_FAILED,
  EMULATION_OK,
  EMULATION_RESTART,
  EMULTYPE_NO_DECODE,
  EMULTYPE_PF,
} from './x86emul.ts';

/** The instruction's bytes, as many as the exit says it has; for the tracepoint only. */
function instructionBytes(vcpu: KvmVcpu): Uint8Array {
  const { cpu } = vcpu;
  const linear = (cpu.segBase[SEG_CS] + cpu.eip) | 0;
  return Uint8Array.from({ length: cpu.exitInstructionLength }, (_, i) => peekLinear(cpu, linear + i));
}

/**
 * Takes over what the CPU decoded and fixes the operands: size, port and the INS destination do not follow what
 * userspace writes into DX or (E)DI while an exit is pending.
 *
 * @returns EMULATION_OK, or EMULATION_FAILED without an instruction.
 * @kvm x86_decode_emulated_instruction(vcpu, emulation_type, insn, insn_len) arch/x86/kvm/x86.c
 */
export function x86DecodeEmulatedInstruction(vcpu: KvmVcpu): number {
  const { cpu, ctxt } = vcpu;
  const insn = cpu.exitInsn;
  const qualification = cpu.exitQualification;
  ctxt.permOk = 0;
  ctxt.regsNeedSyncFromVcpu = 0;
  ctxt.haveException = 0;
  vcpu.mmioRequest.begin();
  ctxt.ioReadPos = 0;
  ctxt.ioReadEnd = 0;
  ctxt.ticksAhead = 0;
  ctxt.outResult = PIO_IN_KERNEL;
  ctxt.insn = insn ?? NO_INSN;
  ctxt.opBytes = ioQualSize(qualification);
  ctxt.port = ioQualPort(qualification);
  ctxt.isIn = ioQualIsIn(qualification) ? 1 : 0;
  ctxt.isString = ioQualIsString(qualification) ? 1 : 0;
  ctxt.eip = cpu.eip;
  // KVM: no wrap at 64 KiB in 16-bit code.
  ctxt.nextEip = (cpu.eip + cpu.exitInstructionLength) | 0;
  ctxt.rf = 0;
  ctxt.dstEa = cpu.gpr[EDI] & ctxt.insn.addrMask;
  if (vcpu.trace !== null) {
    const bytes = instructionBytes(vcpu);
    vcpu.trace.kvm_emulate_insn(cpu.segBase[SEG_CS] >>> 0, cpu.eip >>> 0, bytes, insn === null);
  }
  vcpu.stat.insn_emulation++;
  return insn === null ? EMULATION_FAILED : EMULATION_OK;
}

/**
 * RIP, RF and the interrupt shadow.
 *
 * @param trap whether TF counts: not when the access has left for userspace.
 * @returns 1, or 0 for KVM_EXIT_DEBUG.
 */
function writeBack(vcpu: KvmVcpu, trap: boolean): number {
  const { cpu, ctxt } = vcpu;
  cpu.interruptShadow = 0;
  cpu.eip = ctxt.eip;
  const r = trap && (cpu.sysFlags & X86_EFLAGS_TF) !== 0 ? vcpu.fn.kvmVcpuDoSinglestep(vcpu) : 1;
  cpu.sysFlags = ctxt.rf !== 0 ? cpu.sysFlags | X86_EFLAGS_RF : cpu.sysFlags & ~X86_EFLAGS_RF;
  writeBackTrapFlag(vcpu);
  return r;
}

/**
 * @returns 1 to re-enter the guest, 0 for an exit to userspace.
 * @kvm x86_emulate_instruction(vcpu, cr2_or_gpa, emulation_type, insn, insn_len) arch/x86/kvm/x86.c
 */
export function x86EmulateInstruction(vcpu: KvmVcpu, emulationType: number): number {
  const { cpu, ctxt, pio, fn, mmioRequest } = vcpu;
  if ((emulationType & EMULTYPE_PF) !== 0) decodeMemoryInstruction(vcpu);
  if (mmioRequest.byCpu !== 0 && emulationType !== 0) return emulateMemoryInstruction(vcpu);
  suspendAlignmentCheck(cpu);
  if ((emulationType & EMULTYPE_NO_DECODE) === 0) {
    if (codeBreakpointsEnabled(cpu)) {
      const hit = fn.kvmVcpuCheckCodeBreakpoint(vcpu);
      if (hit >= 0) return hit;
    }
    if (fn.x86DecodeEmulatedInstruction(vcpu) === EMULATION_FAILED) {
      return prepareEmulationFailureExit(vcpu, 'the exit carries no instruction to emulate');
    }
  } else {
    setEflags(cpu, ctxt.eflags);
  }
  let r: number;
  do {
    r = fn.x86EmulateInsn(vcpu);
    // A restart only follows an element that stayed in the kernel; see below for the others.
  } while (r === EMULATION_RESTART && !leftForUserspace(vcpu) && mmioRequest.needed === 0);

  if (ctxt.haveException !== 0) {
    cpu.interruptShadow = 0;
    queueException(cpu, ctxt.exceptionVector, ctxt.exceptionErrorCode);
    return 1;
  }
  if (leftForUserspace(vcpu)) {
    // KVM: OUT and OUTS are committed before userspace sees them, and the single-step trap is lost.
    pio.count = 0;
    writeBack(vcpu, false);
    return ctxt.outResult === PIO_BY_BOARD ? 1 : 0;
  }
  if (pio.count !== 0) {
    ctxt.eflags = getEflags(cpu);
    vcpu.completeUserspaceIo = COMPLETE_EMULATED_PIO;
    return 0;
  }
  if (mmioRequest.needed !== 0) {
    vcpu.stat.mmio_exits++;
    // KVM: INS is committed before userspace sees what it stores, and the single-step trap is lost.
    if (mmioRequest.isWrite !== 0) writeBack(vcpu, false);
    else ctxt.eflags = getEflags(cpu);
    return prepareMmioExit(vcpu);
  }
  return writeBack(vcpu, true);
}

/** @kvm kvm_emulate_instruction(vcpu, emulation_type) arch/x86/kvm/x86.c */
export function kvmEmulateInstruction(vcpu: KvmVcpu, emulationType: number): number {
  return vcpu.fn.x86EmulateInstruction(vcpu, emulationType);
}

/** @kvm complete_emulated_io(vcpu) arch/x86/kvm/x86.c */
export function completeEmulatedIo(vcpu: KvmVcpu): number {
  return vcpu.fn.kvmEmulateInstruction(vcpu, EMULTYPE_NO_DECODE);
}

/** @kvm complete_emulated_pio(vcpu) arch/x86/kvm/x86.c */
export function completeEmulatedPio(vcpu: KvmVcpu): number {
  return vcpu.fn.completeEmulatedIo(vcpu);
}
