/**
 * What eventfds, irqfds and coalesced zones need of a machine, and the table of functions they call each other through
 * (Linux: include/linux/kvm_host.h, `struct kvm`: `ioeventfds`, `irqfds`, `coalesced_zones`).
 */
import type { KvmIoBus } from '../bus/io-bus.ts';
import type { IoDevice, IoSize } from '../bus/io-device.ts';
import type { IrqRouting } from '../devices/irq-routing.ts';
import type { KvmFunctions } from '../emulate/kvm-vcpu.ts';
import type { KvmCoalescedMmioZone, KvmIoeventfd, KvmIrqfd } from '../uapi/kvm.ts';
import type { KvmCoalescedMmioRing } from '../uapi/kvm-coalesced-ring.ts';
import type { Eventfd, EventfdWaiter } from './eventfd.ts';

/** Width of an access on the MMIO bus. */
export type MmioSize = IoSize | 8;

/** `struct _ioeventfd`. */
export interface KvmIoeventfdEntry {
  readonly kvm: KvmEvents;
  readonly busIdx: number;
  readonly eventfd: Eventfd;
  /** As userspace gave it; {@link addr} is the same as a number, inexact beyond 2^53, where no guest comes. */
  readonly addr64: bigint;
  readonly addr: number;
  /** 0: any. */
  readonly length: number;
  /** Any value. */
  readonly wildcard: boolean;
  readonly datamatch: bigint;
  /** `datamatch` as two int32 halves. */
  readonly datamatchLow: number;
  readonly datamatchHigh: number;
  /** What is on the bus. */
  readonly dev: IoDevice;
}

/** `struct kvm_kernel_irqfd`. */
export interface KvmKernelIrqfd {
  readonly kvm: KvmEvents;
  readonly eventfd: Eventfd;
  readonly gsi: number;
  /** Shared by the resampling irqfds of one GSI; null for an irqfd of the plain kind. */
  resampler: KvmKernelIrqfdResampler | null;
  readonly resamplefd: Eventfd | null;
  readonly wait: EventfdWaiter;
  /** The eventfd was closed. */
  readonly hangup: () => void;
}

/** `struct kvm_kernel_irqfd_resampler`. */
export interface KvmKernelIrqfdResampler {
  readonly kvm: KvmEvents;
  readonly gsi: number;
  list: readonly KvmKernelIrqfd[];
  /** The ack notifier. */
  readonly notifier: () => void;
}

/** `struct kvm_coalesced_mmio_dev`. */
export interface KvmCoalescedMmioDev {
  readonly kvm: KvmEvents;
  /** `zone.addr`, inexact beyond 2^53, where no guest comes. */
  readonly addr: number;
  readonly size: number;
  readonly pio: number;
  readonly dev: IoDevice;
}

/** The machine, as far as the files of this kind see it. */
export interface KvmEvents {
  /** Indexed by KVM_*_BUS. */
  readonly buses: readonly KvmIoBus[];
  /** The functions of the buses, plain or traced. */
  readonly fn: Pick<KvmFunctions, 'kvmIoBusRegisterDev' | 'kvmIoBusUnregisterDev'>;
  /** The functions of these files, plain or traced. */
  readonly eventFn: KvmEventFunctions;
  /** Null without an in-kernel irqchip. */
  readonly routing: IrqRouting | null;
  ioeventfds: readonly KvmIoeventfdEntry[];
  irqfds: readonly KvmKernelIrqfd[];
  resamplers: readonly KvmKernelIrqfdResampler[];
  coalescedZones: readonly KvmCoalescedMmioDev[];
  /** The page that the vCPU's mapping shows; null before there is a vCPU. */
  readonly coalescedMmioRing: KvmCoalescedMmioRing | null;
}

/** The mirrored functions of eventfd.c and coalesced_mmio.c. */
export interface KvmEventFunctions {
  kvmIoeventfd(kvm: KvmEvents, args: Readonly<KvmIoeventfd>): number;
  kvmAssignIoeventfd(kvm: KvmEvents, args: Readonly<KvmIoeventfd>): number;
  kvmAssignIoeventfdIdx(kvm: KvmEvents, busIdx: number, args: Readonly<KvmIoeventfd>): number;
  kvmDeassignIoeventfd(kvm: KvmEvents, args: Readonly<KvmIoeventfd>): number;
  kvmDeassignIoeventfdIdx(kvm: KvmEvents, busIdx: number, args: Readonly<KvmIoeventfd>): number;
  ioeventfdCheckCollision(kvm: KvmEvents, p: KvmIoeventfdEntry): boolean;
  ioeventfdWrite(p: KvmIoeventfdEntry, addr: number, len: MmioSize, low: number, high: number): boolean;
  ioeventfdInRange(p: KvmIoeventfdEntry, addr: number, len: MmioSize, low: number, high: number): boolean;
  kvmIrqfd(kvm: KvmEvents, args: Readonly<KvmIrqfd>): number;
  kvmIrqfdAssign(kvm: KvmEvents, args: Readonly<KvmIrqfd>): number;
  kvmIrqfdDeassign(kvm: KvmEvents, args: Readonly<KvmIrqfd>): number;
  irqfdWakeup(irqfd: KvmKernelIrqfd): boolean;
  irqfdInject(irqfd: KvmKernelIrqfd): void;
  irqfdShutdown(irqfd: KvmKernelIrqfd): void;
  irqfdResamplerAck(resampler: KvmKernelIrqfdResampler): void;
  irqfdResamplerNotify(resampler: KvmKernelIrqfdResampler): void;
  irqfdResamplerShutdown(irqfd: KvmKernelIrqfd): void;
  kvmNotifyIrqfdResampler(kvm: KvmEvents, irqchip: number, pin: number): boolean;
  kvmVmIoctlRegisterCoalescedMmio(kvm: KvmEvents, zone: Readonly<KvmCoalescedMmioZone>): number;
  kvmVmIoctlUnregisterCoalescedMmio(kvm: KvmEvents, zone: Readonly<KvmCoalescedMmioZone>): number;
  coalescedMmioInRange(dev: KvmCoalescedMmioDev, addr: number, len: number): boolean;
  coalescedMmioWrite(
    dev: KvmCoalescedMmioDev,
    addr: number,
    len: MmioSize,
    low: number,
    high: number,
  ): boolean;
}
