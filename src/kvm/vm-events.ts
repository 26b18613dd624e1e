/**
 * The ways of a machine past an exit to userspace: ioeventfds, irqfds and coalesced zones, and the table of functions
 * that make them (Linux: virt/kvm/eventfd.c, virt/kvm/coalesced_mmio.c).
 */
import type { KvmIoBus } from '../bus/io-bus.ts';
import type { IrqRouting } from '../devices/irq-routing.ts';
import type { KvmFunctions } from '../emulate/kvm-vcpu.ts';
import type { KvmCoalescedMmioZone, KvmIoeventfd, KvmIrqfd } from '../uapi/kvm.ts';
import type { KvmCoalescedMmioRing } from '../uapi/kvm-coalesced-ring.ts';
import * as coalesced from './coalesced-mmio.ts';
import * as ioeventfd from './ioeventfd.ts';
import * as irqfd from './irqfd.ts';
import type {
  KvmCoalescedMmioDev,
  KvmEventFunctions,
  KvmEvents,
  KvmIoeventfdEntry,
  KvmKernelIrqfd,
  KvmKernelIrqfdResampler,
} from './kvm-events.ts';

/** The functions as they are, without probes. */
export const KVM_EVENT_FUNCTIONS: Readonly<KvmEventFunctions> = {
  kvmIoeventfd: ioeventfd.kvmIoeventfd,
  kvmAssignIoeventfd: ioeventfd.kvmAssignIoeventfd,
  kvmAssignIoeventfdIdx: ioeventfd.kvmAssignIoeventfdIdx,
  kvmDeassignIoeventfd: ioeventfd.kvmDeassignIoeventfd,
  kvmDeassignIoeventfdIdx: ioeventfd.kvmDeassignIoeventfdIdx,
  ioeventfdCheckCollision: ioeventfd.ioeventfdCheckCollision,
  ioeventfdWrite: ioeventfd.ioeventfdWrite,
  ioeventfdInRange: ioeventfd.ioeventfdInRange,
  kvmIrqfd: irqfd.kvmIrqfd,
  kvmIrqfdAssign: irqfd.kvmIrqfdAssign,
  kvmIrqfdDeassign: irqfd.kvmIrqfdDeassign,
  irqfdWakeup: irqfd.irqfdWakeup,
  irqfdInject: irqfd.irqfdInject,
  irqfdShutdown: irqfd.irqfdShutdown,
  irqfdResamplerAck: irqfd.irqfdResamplerAck,
  irqfdResamplerNotify: irqfd.irqfdResamplerNotify,
  irqfdResamplerShutdown: irqfd.irqfdResamplerShutdown,
  kvmNotifyIrqfdResampler: irqfd.kvmNotifyIrqfdResampler,
  kvmVmIoctlRegisterCoalescedMmio: coalesced.kvmVmIoctlRegisterCoalescedMmio,
  kvmVmIoctlUnregisterCoalescedMmio: coalesced.kvmVmIoctlUnregisterCoalescedMmio,
  coalescedMmioInRange: coalesced.coalescedMmioInRange,
  coalescedMmioWrite: coalesced.coalescedMmioWrite,
};

/** What this file needs of a `Vm`. */
export interface EventsHost {
  readonly buses: readonly KvmIoBus[];
  readonly fn: KvmFunctions;
  readonly routing: IrqRouting | null;
  readonly vcpus: readonly { readonly run: { readonly coalesced: KvmCoalescedMmioRing } }[];
}

/** One machine's. */
export class VmEvents implements KvmEvents {
  eventFn: KvmEventFunctions = KVM_EVENT_FUNCTIONS;
  ioeventfds: readonly KvmIoeventfdEntry[] = [];
  irqfds: readonly KvmKernelIrqfd[] = [];
  resamplers: readonly KvmKernelIrqfdResampler[] = [];
  coalescedZones: readonly KvmCoalescedMmioDev[] = [];
  readonly #vm: EventsHost;

  constructor(vm: EventsHost) {
    this.#vm = vm;
  }

  get buses(): readonly KvmIoBus[] {
    return this.#vm.buses;
  }

  get fn(): KvmFunctions {
    return this.#vm.fn;
  }

  get routing(): IrqRouting | null {
    return this.#vm.routing;
  }

  /** One page a machine, which every vCPU's mapping shows; here that of the only vCPU. */
  get coalescedMmioRing(): KvmCoalescedMmioRing | null {
    const { vcpus } = this.#vm;
    return vcpus.length === 0 ? null : vcpus[0].run.coalesced;
  }

  /** KVM_IOEVENTFD. */
  ioeventfd(args: Readonly<KvmIoeventfd>): number {
    return this.eventFn.kvmIoeventfd(this, args);
  }

  /** KVM_IRQFD. */
  irqfd(args: Readonly<KvmIrqfd>): number {
    return this.eventFn.kvmIrqfd(this, args);
  }

  /** KVM_REGISTER_COALESCED_MMIO. */
  registerCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number {
    return this.eventFn.kvmVmIoctlRegisterCoalescedMmio(this, zone);
  }

  /** KVM_UNREGISTER_COALESCED_MMIO. */
  unregisterCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number {
    return this.eventFn.kvmVmIoctlUnregisterCoalescedMmio(this, zone);
  }

  /** A level-triggered pin was unmasked while it is up. @returns whether irqfds resample it. */
  notifyIrqfdResampler(irqchip: number, pin: number): boolean {
    return this.eventFn.kvmNotifyIrqfdResampler(this, irqchip, pin);
  }
}
