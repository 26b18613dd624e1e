/**
 * The in-kernel devices' state, read and written as KVM's structures.
 */
import type { VmApi } from '../kvm/api.ts';
import { orThrow } from '../kvm/or-throw.ts';
import {
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type KvmIoapicState,
  type KvmPicState,
  type KvmPitState2,
} from '../uapi/kvm.ts';

/** PIC, IOAPIC and PIT. */
export interface KernelDeviceStates {
  /** By KVM_IRQCHIP_*. */
  readonly chips: readonly (readonly [number, KvmPicState | KvmIoapicState])[];
  readonly pit: KvmPitState2;
}

/** The slave before the master: a request that it still has would be latched there again. */
const CHIPS = [KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_IOAPIC];

/** @throws EmulatorError `E_IOCTL` without the devices. */
export function readKernelDevices(vm: Pick<VmApi, 'getIrqchip' | 'getPit2'>): KernelDeviceStates {
  return {
    chips: CHIPS.map((chip) => [chip, orThrow(vm.getIrqchip(chip), 'KVM_GET_IRQCHIP')] as const),
    pit: orThrow(vm.getPit2(), 'KVM_GET_PIT2'),
  };
}

/** @throws EmulatorError `E_IOCTL` without the devices. */
export function writeKernelDevices(
  vm: Pick<VmApi, 'setIrqchip' | 'setPit2'>,
  { chips, pit }: KernelDeviceStates,
): void {
  orThrow(vm.setPit2(pit), 'KVM_SET_PIT2');
  for (const [chip, state] of chips) orThrow(vm.setIrqchip(chip, state), 'KVM_SET_IRQCHIP');
}
