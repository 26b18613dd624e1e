/**
 * The table of mirrored functions that a vCPU and its buses call each other through, and traced variants of such
 * tables: chosen once for a run, so that a run without probes pays nothing.
 */
import { KVM_IO_BUS_FUNCTIONS } from '../bus/io-bus.ts';
import * as emIo from '../emulate/em-io.ts';
import * as emulateInsn from '../emulate/emulate-insn.ts';
import * as emulateInstruction from '../emulate/emulate-instruction.ts';
import * as fastPio from '../emulate/fast-pio.ts';
import * as guestDebug from '../emulate/guest-debug.ts';
import * as permission from '../emulate/io-permission.ts';
import type { KvmFunctions } from '../emulate/kvm-vcpu.ts';
import * as mmio from '../emulate/mmio.ts';
import * as pio from '../emulate/pio.ts';
import { kvmSkipEmulatedInstruction } from '../emulate/skip-instruction.ts';
import { kvmEmulateCpuid } from '../vmx/cpuid.ts';
import * as vmx from '../vmx/exit-handlers.ts';
import { kvmEmulateRdmsr, kvmEmulateWrmsr } from '../vmx/msr.ts';
import { vmxVcpuCreate, vmxVcpuReset } from '../vmx/vmx-x86-ops.ts';

/** The functions as they are, without probes. */
export const KVM_FUNCTIONS: Readonly<KvmFunctions> = {
  ...KVM_IO_BUS_FUNCTIONS,
  vmxVcpuCreate,
  vmxVcpuReset,
  vmxHandleExit: vmx.vmxHandleExit,
  handleExceptionNmi: vmx.handleExceptionNmi,
  handleTripleFault: vmx.handleTripleFault,
  handleInterruptWindow: vmx.handleInterruptWindow,
  handleIo: vmx.handleIo,
  handleEptViolation: vmx.handleEptViolation,
  kvmMmuPageFault: vmx.kvmMmuPageFault,
  kvmEmulateCpuid,
  kvmEmulateRdmsr,
  kvmEmulateWrmsr,
  kvmEmulateHalt: vmx.kvmEmulateHalt,
  kvmSkipEmulatedInstruction,
  kvmVcpuDoSinglestep: guestDebug.kvmVcpuDoSinglestep,
  kvmVcpuCheckCodeBreakpoint: guestDebug.kvmVcpuCheckCodeBreakpoint,
  kvmFastPio: fastPio.kvmFastPio,
  kvmFastPioIn: fastPio.kvmFastPioIn,
  kvmFastPioOut: fastPio.kvmFastPioOut,
  completeFastPioIn: fastPio.completeFastPioIn,
  completeFastPioOut: fastPio.completeFastPioOut,
  completeFastPioOutPort0x7e: fastPio.completeFastPioOutPort0x7e,
  emulatorPioIn: pio.emulatorPioIn,
  emulatorPioOut: pio.emulatorPioOut,
  emulatorPioInEmulated: pio.emulatorPioInEmulated,
  emulatorPioOutEmulated: pio.emulatorPioOutEmulated,
  emulatorPioInOut: pio.emulatorPioInOut,
  kernelPio: pio.kernelPio,
  completeEmulatorPioIn: pio.completeEmulatorPioIn,
  kvmEmulateInstruction: emulateInstruction.kvmEmulateInstruction,
  x86EmulateInstruction: emulateInstruction.x86EmulateInstruction,
  x86DecodeEmulatedInstruction: emulateInstruction.x86DecodeEmulatedInstruction,
  x86EmulateInsn: emulateInsn.x86EmulateInsn,
  completeEmulatedPio: emulateInstruction.completeEmulatedPio,
  completeEmulatedIo: emulateInstruction.completeEmulatedIo,
  completeEmulatedMmio: mmio.completeEmulatedMmio,
  vcpuMmioRead: mmio.vcpuMmioRead,
  vcpuMmioWrite: mmio.vcpuMmioWrite,
  checkPermIn: permission.checkPermIn,
  checkPermOut: permission.checkPermOut,
  emulatorIoPermitted: permission.emulatorIoPermitted,
  emulatorIoPortAccessAllowed: permission.emulatorIoPortAccessAllowed,
  emIn: emIo.emIn,
  emOut: emIo.emOut,
  pioInEmulated: emIo.pioInEmulated,
};

/** Told of every call of a traced function: kprobe and kretprobe. */
export interface FunctionHooks {
  /** @param name as in the table, for example `kvmFastPio`. The arguments are ours, see the function's `@kvm` tag. */
  enter(name: string, args: readonly unknown[]): void;
  leave(name: string, retval: unknown): void;
}

type AnyFunction = (...args: unknown[]) => unknown;

/**
 * A table whose every entry calls the hooks around the function. Works for any table of functions, those of the
 * devices too.
 */
export function tracedFunctions<T extends object>(table: Readonly<T>, hooks: FunctionHooks): T {
  const traced: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(table)) {
    const fn = value as AnyFunction;
    traced[name] = (...args: unknown[]): unknown => {
      hooks.enter(name, args);
      const retval = fn(...args);
      hooks.leave(name, retval);
      return retval;
    };
  }
  return traced as T;
}
