/**
 * What generic x86 code asks of the vendor module: the names of the functions behind each operation, as in the table that
 * `kvm_x86_call` goes through (Linux: arch/x86/kvm/vmx/main.c, `vt_x86_ops`; before 6.9 vmx/vmx.c, `vmx_x86_ops`). Calls
 * go by name through the vCPU's function table, so that probes see them.
 */
import type { KvmFunctions, KvmVcpu } from '../emulate/kvm-vcpu.ts';

/** `struct kvm_x86_ops`: operation → our function in {@link KvmFunctions}. */
export const VMX_X86_OPS = {
  vcpu_create: 'vmxVcpuCreate',
  vcpu_reset: 'vmxVcpuReset',
  handle_exit: 'vmxHandleExit',
  skip_emulated_instruction: 'kvmSkipEmulatedInstruction',
} as const satisfies Record<string, keyof KvmFunctions>;

/**
 * Makes the vCPU's synthetic VMCS: no exit has happened, interrupts make no window exit, every port access exits.
 *
 * @returns 0.
 * @kvm vmx_vcpu_create(vcpu) arch/x86/kvm/vmx/vmx.c
 */
export function vmxVcpuCreate(vcpu: KvmVcpu): number {
  const { cpu } = vcpu;
  cpu.exitReason = 0;
  cpu.exitQualification = 0;
  cpu.exitInstructionLength = 0;
  cpu.exitInsn = null;
  cpu.interruptWindowExiting = 0;
  cpu.msrExiting = 1;
  cpu.mmio = null;
  return 0;
}

/**
 * Power-on state of the processor. Intel SDM vol. 3A, “Processor State After Reset”.
 *
 * @kvm vmx_vcpu_reset(vcpu, init_event) arch/x86/kvm/vmx/vmx.c (as: power-on only)
 */
export function vmxVcpuReset(vcpu: KvmVcpu): void {
  vcpu.cpu.reset();
}
