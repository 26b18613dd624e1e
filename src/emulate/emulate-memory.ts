/**
 * Any instruction that met an address without memory, for an embedder who takes KVM_EXIT_MMIO himself. KVM's emulator
 * would decode and execute it; here the CPU does, with a port behind its holes. A read that userspace must answer stops
 * it with nothing changed, and it is run again with the answer (Linux: arch/x86/kvm/x86.c, `x86_emulate_instruction`).
 */
import { EPT_FETCH } from '../cpu/fetch.ts';
import { getEflags, setEflags } from '../cpu/flags.ts';
import { runGuest } from '../cpu/interpreter.ts';
import { EXIT_REASON_EPT_VIOLATION, EXIT_REASON_PREEMPTION_TIMER } from '../uapi/vmx.ts';
import { prepareEmulationFailureExit } from './emulation-failure.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';
import { flushMmioWrites, prepareMmioExit } from './mmio.ts';

/** There is nothing to answer an instruction fetch. @returns 0. */
export function fetchFailure(vcpu: KvmVcpu): number {
  const pa = vcpu.cpu.exitGuestPhysicalAddress.toString(16);
  return prepareEmulationFailureExit(vcpu, `instruction fetch from 0x${pa}, where no memory is`);
}

/** Takes the instruction at EIP over. */
export function decodeMemoryInstruction(vcpu: KvmVcpu): void {
  const { cpu, mmioRequest: request } = vcpu;
  request.begin();
  request.byCpu = 1;
  request.eip = cpu.eip;
  request.eflags = getEflags(cpu);
  vcpu.stat.insn_emulation++;
}

/**
 * Runs the instruction with what has been read so far.
 *
 * @returns 1: done, re-enter the guest; 0: userspace is needed.
 */
export function emulateMemoryInstruction(vcpu: KvmVcpu): number {
  const { cpu, kvm, stat, mmioRequest: request } = vcpu;
  request.readPos = 0;
  // KVM: RIP and RFLAGS are the emulator's until the instruction is done.
  cpu.eip = request.eip;
  setEflags(cpu, request.eflags);
  cpu.mmio = vcpu.mmio;
  cpu.oneInstruction = 1;
  cpu.ticksAtEntry = kvm.clock.ticks;
  const reason = runGuest(cpu, 1);
  cpu.oneInstruction = 0;
  cpu.mmio = null;
  if (reason === EXIT_REASON_EPT_VIOLATION) {
    if ((cpu.exitQualification & EPT_FETCH) !== 0) return fetchFailure(vcpu);
    stat.mmio_exits++;
    return prepareMmioExit(vcpu);
  }
  flushMmioWrites(vcpu);
  if (request.needed !== 0) {
    stat.mmio_exits++;
    // The access is still to come: the instruction's tick must not pass before it. KVM: the single-step trap is lost.
    vcpu.pio.ticksDue += cpu.retired;
    cpu.pendingDebugTrap = 0;
    return prepareMmioExit(vcpu);
  }
  kvm.clock.ticks = cpu.ticksAtEntry + cpu.retired;
  if (reason === EXIT_REASON_PREEMPTION_TIMER) return 1;
  stat.exits++;
  stat.byReason[reason]++;
  return vcpu.fn.vmxHandleExit(vcpu);
}
