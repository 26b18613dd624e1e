/**
 * `struct kvm`: one virtual machine, its memory, buses, in-kernel devices and clock, with KVM's VM ioctls as methods
 * (Linux: virt/kvm/kvm_main.c, `kvm_vm_ioctl`; arch/x86/kvm/x86.c, `kvm_arch_vm_ioctl`).
 *
 * Ioctls answer 0 or a negative errno, as in the kernel; those that hand out a structure answer that or the errno.
 */
import { VirtualClock } from '../bus/clock.ts';
import { KvmIoBus } from '../bus/io-bus.ts';
import type { CpuModel, CpuModelName } from '../cpu/cpu-model.ts';
import { GuestMemory } from '../cpu/memory.ts';
import { cpuModelByName } from '../cpu/models/index.ts';
import { MAX } from '../cpu/models/max.ts';
import { I8254, PIT_FUNCTIONS } from '../devices/i8254.ts';
import { PIC_FUNCTIONS, Pic8259 } from '../devices/i8259.ts';
import { IOAPIC_FUNCTIONS, Ioapic } from '../devices/ioapic.ts';
import { IOAPIC_DEFAULT_BASE_ADDRESS, IOAPIC_MEM_LENGTH, IOAPIC_NUM_PINS } from '../devices/ioapic-state.ts';
import { IRQ_ROUTING_FUNCTIONS, IrqRouting } from '../devices/irq-routing.ts';
import { LAPIC_FUNCTIONS, LocalApics } from '../devices/lapic.ts';
import type { LapicTrace } from '../devices/lapic-state.ts';
import type { KvmFunctions, KvmShared, KvmTracepoints } from '../emulate/kvm-vcpu.ts';
import type { JitOptions } from '../jit/engine.ts';
import { EBADF, EEXIST, EFAULT, EINVAL, ENOENT, ENXIO } from '../uapi/errno.ts';
import {
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  KVM_MMIO_BUS,
  KVM_NR_BUSES,
  KVM_PIO_BUS,
  KVM_PIT_IRQ_SOURCE_ID,
  KVM_PIT_SPEAKER_DUMMY,
  KVM_USERSPACE_IRQ_SOURCE_ID,
  type KvmCoalescedMmioZone,
  type KvmEnableCap,
  type KvmIoapicState,
  type KvmIoeventfd,
  type KvmIrqfd,
  type KvmIrqRoutingEntry,
  type KvmPicState,
  type KvmPitConfig,
  type KvmPitState2,
  type KvmReinjectControl,
  type KvmUserspaceMemoryRegion,
} from '../uapi/kvm.ts';
import type { OrErrno, VmApi } from './api.ts';
import { enabledQuirks, kvmVmIoctlCheckExtension, kvmVmIoctlEnableCap } from './capabilities.ts';
import { VCPU_CREATION_FUNCTIONS, type VcpuCreationFunctions } from './create-vcpu.ts';
import { kvmGetDirtyLogProtect } from './dirty-log.ts';
import { type FunctionHooks, KVM_FUNCTIONS, tracedFunctions } from './functions.ts';
import { isStruct, isU32 } from './ioctl-args.ts';
import { kvmSetMemoryRegion } from './memory-region.ts';
import { restoreSnapshot, takeSnapshot, type VmSnapshot } from './snapshot.ts';
import { isIoapicState, isPicState, isPitState } from './struct-checks.ts';
import type { Vcpu } from './vcpu.ts';
import { KVM_EVENT_FUNCTIONS, VmEvents } from './vm-events.ts';

/** How a VM is made. */
export interface VmOptions {
  /** Ticks (retired instructions, REP iterations) a second of virtual time. Default 100 M. */
  ips?: number;
  /** The processor; default: that of the {@link Kvm}. */
  cpu?: CpuModelName;
  /**
   * Whether, or when, hot code becomes generated functions; results are the same. Default true, where the host lets functions be
   * made.
   */
  jit?: boolean | JitOptions;
}

/** GSI of PIT channel 0. */
const PIT_GSI = 0;

/** One virtual machine. */
export class Vm implements KvmShared, VmApi {
  readonly clock: VirtualClock;
  /** The processor that its vCPUs are. */
  readonly cpuModel: CpuModel;
  /** When vCPUs generate code; null: they have no second engine. */
  readonly jit: JitOptions | null;
  readonly memory = new GuestMemory();
  /** Indexed by KVM_*_BUS. */
  readonly buses: readonly KvmIoBus[] = Array.from({ length: KVM_NR_BUSES }, (_, idx) => new KvmIoBus(idx));
  /** The mirrored functions, plain or traced. */
  fn: KvmFunctions = KVM_FUNCTIONS;
  /** Those that make a vCPU. */
  creationFn: VcpuCreationFunctions = VCPU_CREATION_FUNCTIONS;
  /** KVM_CAP_DISABLE_QUIRKS. */
  disabledQuirks = 0;
  /** KVM_CAP_EXCEPTION_PAYLOAD. */
  exceptionPayloadEnabled = false;
  pic: Pic8259 | null = null;
  ioapic: Ioapic | null = null;
  pit: I8254 | null = null;
  routing: IrqRouting | null = null;
  irqchipInKernel = false;
  /** Eventfds, irqfds and coalesced zones. */
  readonly events = new VmEvents(this);
  /** The local APIC of the vCPU, when the irqchip is in the kernel; IOAPIC and MSIs deliver to it. */
  readonly apics = new LocalApics();
  readonly vcpus: Vcpu[] = [];
  #trace: KvmTracepoints | null = null;
  #hooks: FunctionHooks | null = null;
  #isClosed = false;

  constructor(options: VmOptions = {}) {
    this.clock = new VirtualClock(options.ips);
    this.clock.onEarlier = () => this.#kick();
    this.cpuModel = cpuModelByName(options.cpu) ?? MAX;
    this.jit = typeof options.jit === 'object' ? options.jit : options.jit === false ? null : {};
  }

  /** KVM_CHECK_EXTENSION: 0 for no, else yes or how many. */
  checkExtension(cap: number): number {
    return kvmVmIoctlCheckExtension(cap);
  }

  /** KVM_ENABLE_CAP. @returns 0; −EINVAL for what cannot be enabled; −EFAULT. */
  enableCap(cap: Readonly<KvmEnableCap>): number {
    const r = kvmVmIoctlEnableCap(this, cap);
    for (const vcpu of this.vcpus) vcpu.quirks = enabledQuirks(this);
    return r;
  }

  /** KVM_SET_USER_MEMORY_REGION. @returns 0, −EINVAL, −EEXIST, −ENOMEM or −EFAULT. */
  setUserMemoryRegion(region: Readonly<KvmUserspaceMemoryRegion>): number {
    return kvmSetMemoryRegion(this.memory, region);
  }

  /**
   * KVM_GET_DIRTY_LOG: the pages of a slot that the guest has written since the last call, one bit a page,
   * little-endian, a whole number of 8-byte words. The log is empty then.
   *
   * @returns the bitmap; −EINVAL for no slot number, −ENOENT for a slot that does not exist or is not logged.
   */
  getDirtyLog(slot: number): OrErrno<Uint8Array> {
    return kvmGetDirtyLogProtect(this.memory, slot);
  }

  /** What {@link restore} can bring back: processor, in-kernel devices, time, and memory at the cost of what changes. */
  snapshot(): VmSnapshot {
    return takeSnapshot(this);
  }

  /**
   * Makes the machine what it was when `snapshot` was taken, here or on a machine of the same shape. What the embedder has
   * set up stays as it is (see snapshot.ts). Not from within `kvmRun`.
   *
   * @throws EmulatorError `E_ARGUMENT` when the machine has other memory, devices or vCPUs, `E_STATE` when its slots have
   * changed since. Nothing has changed then.
   */
  restore(snapshot: VmSnapshot): void {
    restoreSnapshot(this, snapshot);
  }

  /**
   * KVM_CREATE_IRQCHIP: the two 8259A, the IOAPIC, and GSI routing, in the kernel's order.
   *
   * @returns 0; −EEXIST when there is one; −EINVAL when a vCPU exists already.
   */
  createIrqchip(): number {
    if (this.pic !== null) return -EEXIST;
    if (this.vcpus.length > 0) return -EINVAL;
    const pic = new Pic8259({
      acceptsPicIntr: () => this.apics.acceptsPicIntr(),
      onOutput: () => this.#kick(),
    });
    const bus = this.buses[KVM_PIO_BUS];
    this.fn.kvmIoBusRegisterDev(bus, 0x20, 2, pic.devMaster);
    this.fn.kvmIoBusRegisterDev(bus, 0xa0, 2, pic.devSlave);
    this.fn.kvmIoBusRegisterDev(bus, 0x4d0, 2, pic.devEclr);
    const { apics } = this;
    const ioapic = new Ioapic(this.clock, {
      deliver: (irq) => apics.deliver(irq),
      matchDest: (dest, destMode) => apics.matchDest(dest, destMode),
      pendingEoi: (vector) => apics.pendingEoi(vector),
      hasAckNotifier: (pin) => this.#hasAckNotifier(pin),
      makeScanRequest: () => apics.scanIoapic(),
      notifyIrqfdResampler: (pin) => this.events.notifyIrqfdResampler(KVM_IRQCHIP_IOAPIC, pin),
    });
    apics.ioapic = ioapic;
    this.fn.kvmIoBusRegisterDev(
      this.buses[KVM_MMIO_BUS],
      IOAPIC_DEFAULT_BASE_ADDRESS,
      IOAPIC_MEM_LENGTH,
      ioapic.dev,
    );
    this.pic = pic;
    this.ioapic = ioapic;
    this.routing = new IrqRouting(pic, ioapic, this.#traced(IRQ_ROUTING_FUNCTIONS));
    this.routing.deliverMsi = (msi) => apics.setMsi(msi.address_lo, msi.address_hi, msi.data, 1);
    this.routing.makeScanRequest = () => apics.scanIoapic();
    this.irqchipInKernel = true;
    this.#connect();
    return 0;
  }

  /**
   * KVM_CREATE_PIT2.
   *
   * @returns 0; −EEXIST when there is one; −ENOENT without an in-kernel irqchip; −EINVAL, −EFAULT.
   */
  createPit2(config: Readonly<KvmPitConfig>): number {
    const { routing } = this;
    if (!isStruct(config)) return -EFAULT;
    if (!isU32(config.flags)) return -EINVAL;
    if (this.pit !== null) return -EEXIST;
    if (routing === null) return -ENOENT;
    const line = {
      setIrq: (level: 0 | 1): void => {
        routing.setIrq(KVM_PIT_IRQ_SOURCE_ID, PIT_GSI, level);
      },
    };
    const speaker = (config.flags & KVM_PIT_SPEAKER_DUMMY) !== 0;
    const pit = new I8254(this.clock, line, {
      speaker,
      hasIoapic: true,
      onTick: () => this.apics.nmiWdDeliver(),
    });
    routing.registerIrqAckNotifier(PIT_GSI, () => pit.onIrqAck());
    routing.registerIrqMaskNotifier(PIT_GSI, (masked) => pit.onIrqMask(masked));
    const bus = this.buses[KVM_PIO_BUS];
    this.fn.kvmIoBusRegisterDev(bus, 0x40, 4, pit.pitDev);
    if (speaker) this.fn.kvmIoBusRegisterDev(bus, 0x61, 4, pit.speakerDev);
    this.pit = pit;
    this.#connect();
    return 0;
  }

  /**
   * KVM_IRQ_LINE_STATUS: userspace drives a GSI.
   *
   * @returns −1 masked or ignored, 0 coalesced, above 0 delivered; −ENXIO without an in-kernel irqchip.
   */
  irqLine(gsi: number, level: number): number {
    if (this.routing === null) return -ENXIO;
    if (!isU32(gsi) || !isU32(level)) return -EINVAL;
    return this.routing.setIrq(KVM_USERSPACE_IRQ_SOURCE_ID, gsi, level !== 0 ? 1 : 0, true);
  }

  /** KVM_GET_IRQCHIP. @returns −ENXIO without one, −EINVAL for another chip. */
  getIrqchip(chipId: PicChipId): KvmPicState | number;
  getIrqchip(chipId: typeof KVM_IRQCHIP_IOAPIC): KvmIoapicState | number;
  getIrqchip(chipId: number): KvmPicState | KvmIoapicState | number;
  getIrqchip(chipId: number): KvmPicState | KvmIoapicState | number {
    const { pic, ioapic } = this;
    if (pic === null || ioapic === null) return -ENXIO;
    if (chipId === KVM_IRQCHIP_IOAPIC) return ioapic.getState();
    return isPic(chipId) ? pic.getState(chipId) : -EINVAL;
  }

  /** KVM_SET_IRQCHIP. @returns 0, −ENXIO without one, −EINVAL for another chip or another chip's state, −EFAULT. */
  setIrqchip(chipId: number, state: Readonly<KvmPicState> | Readonly<KvmIoapicState>): number {
    const { pic, ioapic } = this;
    if (pic === null || ioapic === null) return -ENXIO;
    if (!isStruct(state)) return -EFAULT;
    if ('redirtbl' in state) {
      if (chipId !== KVM_IRQCHIP_IOAPIC || !isIoapicState(state, IOAPIC_NUM_PINS)) return -EINVAL;
      ioapic.setState(state);
      return 0;
    }
    if (!isPic(chipId) || !isPicState(state)) return -EINVAL;
    pic.setState(chipId, state);
    return 0;
  }

  /** KVM_GET_PIT2. @returns −ENXIO without one. */
  getPit2(): KvmPitState2 | number {
    return this.pit === null ? -ENXIO : this.pit.getState();
  }

  /** KVM_SET_PIT2: counting restarts now. @returns 0, −ENXIO, −EFAULT or −EINVAL. */
  setPit2(state: Readonly<KvmPitState2>): number {
    if (!isStruct(state)) return -EFAULT;
    if (this.pit === null) return -ENXIO;
    if (!isPitState(state)) return -EINVAL;
    this.pit.setState(state);
    return 0;
  }

  /** KVM_REINJECT_CONTROL. @returns 0; −ENXIO without a PIT, −EFAULT for no structure. */
  reinjectControl(control: Readonly<KvmReinjectControl>): number {
    if (!isStruct(control)) return -EFAULT;
    if (this.pit === null) return -ENXIO;
    if (!isU32(control.pit_reinject)) return -EINVAL;
    // A byte: 256 is 0.
    this.pit.reinject = (control.pit_reinject & 0xff) !== 0;
    return 0;
  }

  /** KVM_SET_GSI_ROUTING: replaces the table. @returns 0; −EINVAL, also without an in-kernel irqchip. */
  setGsiRouting(entries: readonly Readonly<KvmIrqRoutingEntry>[]): number {
    return this.routing === null ? -EINVAL : this.routing.setRouting(entries);
  }

  /** KVM_IOEVENTFD. @returns see `kvmIoeventfd`. */
  ioeventfd(args: Readonly<KvmIoeventfd>): number {
    return this.events.ioeventfd(args);
  }

  /** KVM_IRQFD. @returns see `kvmIrqfd`. */
  irqfd(args: Readonly<KvmIrqfd>): number {
    return this.events.irqfd(args);
  }

  /** KVM_REGISTER_COALESCED_MMIO. @returns 0, −EINVAL, −ENOSPC. */
  registerCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number {
    return this.events.registerCoalescedMmio(zone);
  }

  /** KVM_UNREGISTER_COALESCED_MMIO. @returns 0 or −EINVAL. */
  unregisterCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number {
    return this.events.unregisterCoalescedMmio(zone);
  }

  /**
   * KVM_CREATE_VCPU.
   *
   * @returns −EEXIST for an id that is taken; −EINVAL for one out of range and for a second vCPU: pio86 runs one.
   */
  createVcpu(id: number): Vcpu | number {
    if (this.#isClosed) return -EBADF;
    const vcpu = this.creationFn.kvmVmIoctlCreateVcpu(this, id);
    if (typeof vcpu === 'number') return vcpu;
    vcpu.trace = this.#trace;
    if (this.#hooks !== null) vcpu.observed++;
    return vcpu;
  }

  /** Closes the machine and its vCPUs. @returns 0. */
  close(): number {
    this.#isClosed = true;
    for (const vcpu of this.vcpus) vcpu.close();
    return 0;
  }

  /** Attaches tracepoints to the devices and to every vCPU; null detaches them. Setting `vcpu.trace` does the same. */
  setTracepoints(trace: KvmTracepoints | null): void {
    if (this.#trace === trace) return;
    this.#trace = trace;
    for (const vcpu of this.vcpus) vcpu.trace = trace;
    this.#connect();
  }

  /** Attaches probes to every mirrored function, those of the in-kernel devices too; null detaches them. */
  setHooks(hooks: FunctionHooks | null): void {
    const step = (hooks === null ? 0 : 1) - (this.#hooks === null ? 0 : 1);
    this.#hooks = hooks;
    this.fn = this.#traced(KVM_FUNCTIONS);
    this.creationFn = this.#traced(VCPU_CREATION_FUNCTIONS);
    for (const bus of this.buses) bus.fn = this.fn;
    for (const vcpu of this.vcpus) {
      vcpu.fn = this.fn;
      vcpu.endInlineIo();
      vcpu.observed += step;
    }
    this.#connect();
  }

  /** The vCPUs look at what is due before their next instruction (`kvm_vcpu_kick`). */
  #kick(): void {
    for (const { cpu } of this.vcpus) cpu.raiseAttention();
  }

  /** Whether anybody waits for the end of an IOAPIC pin's interrupt (`kvm_irq_has_notifier`). */
  #hasAckNotifier(pin: number): boolean {
    return this.routing !== null && this.routing.ackNotifiersOf(KVM_IRQCHIP_IOAPIC, pin).length > 0;
  }

  #traced<T extends object>(table: Readonly<T>): T {
    return this.#hooks === null ? (table as T) : tracedFunctions(table, this.#hooks);
  }

  /** Gives the devices the tables and tracepoints that are in force. */
  #connect(): void {
    const trace = this.#trace;
    if (this.pic !== null) {
      this.pic.fn = this.#traced(PIC_FUNCTIONS);
      this.pic.trace =
        trace === null
          ? null
          : {
              picSetIrq: (chip, pin, elcr, imr, coalesced) =>
                trace.kvm_pic_set_irq(chip, pin, elcr, imr, coalesced),
              ackIrq: (irqchip, pin) => trace.kvm_ack_irq(irqchip, pin),
            };
    }
    this.events.eventFn = this.#traced(KVM_EVENT_FUNCTIONS);
    if (this.ioapic !== null) {
      this.ioapic.fn = this.#traced(IOAPIC_FUNCTIONS);
      this.ioapic.trace =
        trace === null
          ? null
          : {
              ioapicSetIrq: (low, high, pin, coalesced) =>
                trace.kvm_ioapic_set_irq(low, high, pin, coalesced),
              ioapicDelayedEoiInj: (low, high) => trace.kvm_ioapic_delayed_eoi_inj(low, high),
              ackIrq: (irqchip, pin) => trace.kvm_ack_irq(irqchip, pin),
            };
    }
    this.apics.fn = this.#traced(LAPIC_FUNCTIONS);
    this.apics.trace = trace === null ? null : lapicTrace(trace);
    if (this.pit !== null) this.pit.fn = this.#traced(PIT_FUNCTIONS);
    if (this.routing !== null) {
      this.routing.fn = this.#traced(IRQ_ROUTING_FUNCTIONS);
      this.routing.trace =
        trace === null ? null : { setIrq: (gsi, level, sourceId) => trace.kvm_set_irq(gsi, level, sourceId) };
    }
  }
}

/** The local APIC's tracepoints among all. */
function lapicTrace(trace: KvmTracepoints): LapicTrace {
  return {
    apic: (isWrite, reg, val) => trace.kvm_apic(isWrite, reg, val),
    apicIpi: (icrLow, destId) => trace.kvm_apic_ipi(icrLow, destId),
    apicAcceptIrq: (apicid, mode, trig, vector) => trace.kvm_apic_accept_irq(apicid, mode, trig, vector),
    eoi: (apicid, vector) => trace.kvm_eoi(apicid, vector),
    msiSetIrq: (address, data) => trace.kvm_msi_set_irq(address, data),
  };
}

/** A chip whose state is a `kvm_pic_state`. */
type PicChipId = typeof KVM_IRQCHIP_PIC_MASTER | typeof KVM_IRQCHIP_PIC_SLAVE;

function isPic(chipId: number): chipId is PicChipId {
  return chipId === KVM_IRQCHIP_PIC_MASTER || chipId === KVM_IRQCHIP_PIC_SLAVE;
}
