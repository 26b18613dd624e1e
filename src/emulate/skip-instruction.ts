/**
 * Stepping over an instruction whose work an exit handler has done (Linux: arch/x86/kvm/x86.c,
 * `kvm_skip_emulated_instruction`; arch/x86/kvm/vmx/vmx.c, `skip_emulated_instruction`).
 */
import { X86_EFLAGS_RF, X86_EFLAGS_TF } from '../cpu/registers.ts';
import { skippedIoBreakpoint } from './guest-debug.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';

/**
 * RIP moves by the VM-exit instruction length, the interrupt shadow ends, a single-step trap falls due, one tick passes.
 *
 * RF is clear behind the instruction. KVM has nothing to do for it: the exit of an instruction saves RF as 0 (SDM vol. 3C, “Saving
 * RIP, RSP, RFLAGS, and SSP”). Here it is still what it was before the instruction, for the emulator's code breakpoints.
 *
 * KVM: no wrap at 64 KiB; an instruction at IP 0xffff of 16-bit code leaves RIP = 0x10000.
 *
 * @returns 1: re-enter the guest; 0: KVM_EXIT_DEBUG, the step of userspace is done.
 * @kvm kvm_skip_emulated_instruction(vcpu) arch/x86/kvm/x86.c
 */
export function kvmSkipEmulatedInstruction(vcpu: KvmVcpu): number {
  const { cpu } = vcpu;
  cpu.eip = (cpu.eip + cpu.exitInstructionLength) | 0;
  cpu.interruptShadow = 0;
  cpu.sysFlags &= ~X86_EFLAGS_RF;
  vcpu.kvm.clock.ticks++;
  if (cpu.debug.armed !== 0) skippedIoBreakpoint(vcpu);
  return (cpu.sysFlags & X86_EFLAGS_TF) !== 0 ? vcpu.fn.kvmVcpuDoSinglestep(vcpu) : 1;
}
