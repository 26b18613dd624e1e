/**
 * `struct kvm_vcpu`: one processor with KVM's vCPU ioctls as methods (Linux: virt/kvm/kvm_main.c, `kvm_vcpu_ioctl`;
 * arch/x86/kvm/x86.c). How it runs is in vcpu-run.ts.
 */
import { busHasChanged } from '../bus/io-bus.ts';
import type { WideIoDevice } from '../bus/io-device.ts';
import { ACTIVITY_ACTIVE, ACTIVITY_SHUTDOWN, Cpu, type MmioPort } from '../cpu/cpu.ts';
import { getEflags } from '../cpu/flags.ts';
import { DecodeCache } from '../decoder/decode-cache.ts';
import type { Lapic } from '../devices/lapic.ts';
import { KVM_X86_QUIRK_LAPIC_MMIO_HOLE, KVM_X86_QUIRK_LINT0_REENABLED } from '../devices/lapic-state.ts';
import {
  COMPLETE_NONE,
  KVM_X86_QUIRK_OUT_7E_INC_RIP,
  type KvmFunctions,
  KvmPioRequest,
  type KvmTracepoints,
  type KvmVcpu,
  KvmVcpuStat,
  type UserspaceBus,
  X86EmulateCtxt,
} from '../emulate/kvm-vcpu.ts';
import { UserspaceMmioPort } from '../emulate/mmio-port.ts';
import { KvmMmioRequest } from '../emulate/mmio-request.ts';
import { canGenerate, Jit } from '../jit/engine.ts';
import type {
  KvmCpuidEntry2,
  KvmDebugregs,
  KvmGuestDebug,
  KvmInterrupt,
  KvmLapicState,
  KvmMpState,
  KvmMsrEntry,
  KvmRegs,
  KvmSregs,
  KvmVcpuEvents,
} from '../uapi/kvm.ts';
import { KVM_PIO_BUS } from '../uapi/kvm.ts';
import { KvmRun } from '../uapi/kvm-run.ts';
import { VmcsIoControls } from '../vmx/io-bitmaps.ts';
import type { VcpuApi } from './api.ts';
import { kvmArchVcpuIoctlSetGuestDebug, kvmGetRflags, kvmSetRflags } from './guest-debug.ts';
import { InlinePio } from './inline-pio.ts';
import { kvmArchVcpuIoctlGetMpstate, kvmArchVcpuIoctlSetMpstate } from './mp-state.ts';
import { APIC_BASE_DEFAULT, getRegs, getSregs, setRegs, setSregs } from './regs.ts';
import { checkRegs, checkSregs } from './struct-checks.ts';
import {
  kvmInjectNmi,
  kvmVcpuIoctlInterrupt,
  kvmVcpuIoctlX86GetVcpuEvents,
  kvmVcpuIoctlX86SetVcpuEvents,
  VcpuEvents,
} from './vcpu-events.ts';
import { getLapic, kvmCreateLapic, setLapic, setTimerModeMask } from './vcpu-lapic.ts';
import { BoardMmioPort } from './vcpu-mmio.ts';
import { VcpuMsrs } from './vcpu-msrs.ts';
import {
  checkedCpuid,
  getMsrs,
  kvmVcpuIoctlX86GetDebugregs,
  kvmVcpuIoctlX86SetDebugregs,
  setMsrs,
} from './vcpu-registers.ts';
import { kvmVcpuIoctlRun } from './vcpu-run.ts';
import type { Vm } from './vm.ts';

/** One processor. */
export class Vcpu implements KvmVcpu, VcpuApi {
  readonly kvm: Vm;
  readonly id: number;
  readonly cpu: Cpu;
  /** The shared mapping: `run.exit_reason`, `run.io`, `run.pioData` … */
  readonly run = new KvmRun();
  readonly stat = new KvmVcpuStat();
  readonly pio = new KvmPioRequest();
  readonly ctxt = new X86EmulateCtxt();
  fn: KvmFunctions;
  readonly mmioRequest = new KvmMmioRequest();
  /** Port I/O while nobody observes exits. */
  readonly inlinePio: InlinePio;
  /** Events that userspace has put in. */
  readonly events = new VcpuEvents();
  completeUserspaceIo = COMPLETE_NONE;
  quirks = KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
  /** The in-kernel local APIC; null without an in-kernel irqchip. */
  readonly apic: Lapic | null;
  readonly lapicDev: WideIoDevice | null;
  readonly msrs: VcpuMsrs;
  /** IA32_APIC_BASE and CR8 of a vCPU without an in-kernel local APIC. */
  ownApicBase = APIC_BASE_DEFAULT;
  ownCr8 = 0;
  observed = 0;
  #userspace: UserspaceBus | null = null;
  #userspaceMmio: UserspaceBus | null = null;
  /** Where accesses to guest-physical holes go: the board, or KVM_EXIT_MMIO. */
  mmio: MmioPort;
  forceEmulation = 0;
  maxInsBatch = 0;
  guestDebug = 0;
  singlestepRip = 0;
  eventExitInstLen = 0;
  ioBreakpoints = 1;
  /** VM-execution controls that decide which port accesses exit. As in KVM, all do. */
  readonly vmcs: VmcsIoControls;
  internalErrorMessage = '';
  /** Tick of the clock at which `kvmRun` comes back with −EINTR. A batch of INS or OUTS may run past it. */
  tickLimit = Number.POSITIVE_INFINITY;
  /** See {@link requestStop}. */
  stopRequested = false;
  /** Ticks this vCPU has executed: instructions and REP iterations, idle time not counted. */
  instructions = 0;
  /** The tracepoint `kvm_entry` has fired and no exit has followed yet: a slice that ends in between shows neither. */
  entryTraced = false;
  /** KVM_MP_STATE_UNINITIALIZED. */
  isUninitialized = false;
  /** What KVM_SET_CPUID2 has set; null: pio86's own processor. */
  cpuidEntries: readonly KvmCpuidEntry2[] | null = null;
  isClosed = false;
  #trace: KvmTracepoints | null = null;

  constructor(kvm: Vm, id: number) {
    this.kvm = kvm;
    this.id = id;
    this.fn = kvm.fn;
    this.cpu = new Cpu(kvm.memory, new DecodeCache(), kvm.cpuModel);
    this.inlinePio = new InlinePio(this);
    if (kvm.jit !== null && canGenerate()) this.cpu.generator = new Jit(kvm.jit);
    this.mmio = new UserspaceMmioPort(this);
    this.msrs = new VcpuMsrs(this);
    this.vmcs = new VmcsIoControls(this);
    this.apic = kvmCreateLapic(this);
    this.lapicDev = this.apic?.dev ?? null;
    if (this.apic !== null) setTimerModeMask(this.apic, this.cpu.model.cpuid);
  }

  /** The board's ports: asked at once when the kernel's PIO bus refuses. Null: what nobody in the kernel takes is KVM_EXIT_IO. */
  get userspace(): UserspaceBus | null {
    return this.#userspace;
  }

  set userspace(board: UserspaceBus | null) {
    this.#userspace = board;
    // Who answers at a port was found out with the board before.
    busHasChanged(this.kvm.buses[KVM_PIO_BUS]);
  }

  /** Somebody sees exits from now on, perhaps in the middle of a run: the next port access leaves. */
  endInlineIo(): void {
    this.cpu.inlineIo = null;
    this.cpu.shortIo = null;
    this.cpu.raiseAttention();
  }

  /**
   * The board's memory-mapped devices: asked at once when the kernel's MMIO bus refuses. Null: what nobody in the kernel
   * takes is KVM_EXIT_MMIO.
   */
  get userspaceMmio(): UserspaceBus | null {
    return this.#userspaceMmio;
  }

  set userspaceMmio(board: UserspaceBus | null) {
    this.#userspaceMmio = board;
    this.mmio = board === null ? new UserspaceMmioPort(this) : new BoardMmioPort(this, board);
  }

  /** Tracepoints of the whole machine; null when nothing listens. */
  get trace(): KvmTracepoints | null {
    return this.#trace;
  }

  set trace(trace: KvmTracepoints | null) {
    if (trace === this.#trace) return;
    this.observed += (trace === null ? 0 : 1) - (this.#trace === null ? 0 : 1);
    this.#trace = trace;
    this.endInlineIo();
    this.kvm.setTracepoints(trace);
  }

  /** KVM_GET_REGS. */
  getRegs(): KvmRegs {
    const regs = getRegs(this.cpu);
    regs.eflags = kvmGetRflags(this) >>> 0;
    return regs;
  }

  /** KVM_SET_REGS. @returns 0, −EFAULT or −EINVAL. */
  setRegs(regs: Readonly<KvmRegs>): number {
    const error = checkRegs(regs);
    if (error !== 0) return error;
    this.#leaveShutdown();
    setRegs(this.cpu, regs);
    this.ctxt.regsNeedSyncFromVcpu = 1;
    kvmSetRflags(this, getEflags(this.cpu));
    return 0;
  }

  /** KVM_GET_SREGS. */
  getSregs(): KvmSregs {
    const sregs = getSregs(this.cpu);
    sregs.cr8 = this.cr8;
    sregs.apic_base = this.apicBase;
    const { interruptVector, interruptSoft } = this.events;
    if (interruptVector >= 0 && interruptSoft === 0) {
      sregs.interrupt_bitmap[interruptVector >> 5] = (1 << (interruptVector & 31)) >>> 0;
    }
    return sregs;
  }

  /** KVM_SET_SREGS. @returns 0, −EFAULT or −EINVAL; nothing has changed then. */
  setSregs(sregs: Readonly<KvmSregs>): number {
    const error = checkSregs(sregs);
    if (error !== 0) return error;
    const r = setSregs(this.cpu, sregs);
    if (r !== 0) return r;
    this.#leaveShutdown();
    this.cr8 = sregs.cr8;
    this.setApicBase(sregs.apic_base, true);
    const vector = firstBit(sregs.interrupt_bitmap);
    if (vector >= 0) {
      this.events.interruptVector = vector;
      this.events.interruptSoft = 0;
    }
    return 0;
  }

  /** CR8: the task priority of the local APIC. */
  get cr8(): number {
    return this.apic === null ? this.ownCr8 : this.apic.kvm.fn.kvmLapicGetCr8(this.apic);
  }

  set cr8(cr8: number) {
    if (this.apic === null) this.ownCr8 = cr8;
    else this.apic.kvm.fn.kvmLapicSetTpr(this.apic, cr8);
  }

  /** IA32_APIC_BASE. */
  get apicBase(): number {
    return this.apic === null ? this.ownApicBase : this.apic.state.apic_base;
  }

  /** IA32_APIC_BASE ← value. @returns 0, or 1 for reserved bits. */
  setApicBase(value: number, hostInitiated: boolean): number {
    if (this.apic !== null) return this.apic.kvm.fn.kvmApicSetBase(this.apic, value, hostInitiated);
    this.ownApicBase = value;
    return 0;
  }

  /** KVM_GET_LAPIC. @returns −EINVAL without an in-kernel local APIC. */
  getLapic(): KvmLapicState | number {
    return getLapic(this);
  }

  /** KVM_SET_LAPIC. @returns 0, −EFAULT or −EINVAL. */
  setLapic(state: Readonly<KvmLapicState>): number {
    return setLapic(this, state);
  }

  /** KVM_GET_VCPU_EVENTS. */
  getVcpuEvents(): KvmVcpuEvents {
    return kvmVcpuIoctlX86GetVcpuEvents(this);
  }

  /** KVM_SET_VCPU_EVENTS. @returns 0, −EFAULT or −EINVAL. */
  setVcpuEvents(events: Readonly<KvmVcpuEvents>): number {
    return kvmVcpuIoctlX86SetVcpuEvents(this, events);
  }

  /** KVM_INTERRUPT. @returns 0, −EINVAL for no vector, −ENXIO with an in-kernel irqchip, −EFAULT. */
  interrupt(args: Readonly<KvmInterrupt>): number {
    return kvmVcpuIoctlInterrupt(this, args);
  }

  /** KVM_NMI. @returns 0. */
  nmi(): number {
    return kvmInjectNmi(this);
  }

  /** KVM_GET_MP_STATE. */
  getMpState(): KvmMpState {
    return kvmArchVcpuIoctlGetMpstate(this);
  }

  /** KVM_SET_MP_STATE. @returns 0, −EFAULT or −EINVAL. */
  setMpState(state: Readonly<KvmMpState>): number {
    return kvmArchVcpuIoctlSetMpstate(this, state);
  }

  /** KVM_GET_DEBUGREGS. */
  getDebugregs(): KvmDebugregs {
    return kvmVcpuIoctlX86GetDebugregs(this.cpu);
  }

  /** KVM_SET_DEBUGREGS. @returns 0, −EFAULT or −EINVAL. */
  setDebugregs(debugregs: Readonly<KvmDebugregs>): number {
    return kvmVcpuIoctlX86SetDebugregs(this.cpu, debugregs);
  }

  /** KVM_GET_MSRS: those asked for, up to the first that does not exist. @returns also −E2BIG, −EINVAL, −EFAULT. */
  getMsrs(indices: readonly number[]): KvmMsrEntry[] | number {
    return getMsrs(indices, this.msrs);
  }

  /** KVM_SET_MSRS. @returns how many were set before the first that does not exist; −E2BIG, −EINVAL, −EFAULT. */
  setMsrs(entries: readonly Readonly<KvmMsrEntry>[]): number {
    return setMsrs(entries, this.msrs);
  }

  /** KVM_SET_CPUID2: what CPUID shows. Which instructions there are does not follow it. @returns 0, −E2BIG, −EINVAL, −EFAULT. */
  setCpuid2(entries: readonly Readonly<KvmCpuidEntry2>[]): number {
    const checked = checkedCpuid(entries);
    if (typeof checked === 'number') return checked;
    this.cpuidEntries = checked;
    if (this.apic !== null) setTimerModeMask(this.apic, checked);
    return 0;
  }

  /** KVM_SET_GUEST_DEBUG. @returns 0, −EBUSY (an exception waits already) or −EINVAL. */
  setGuestDebug(debug: Readonly<KvmGuestDebug>): number {
    return kvmArchVcpuIoctlSetGuestDebug(this, debug);
  }

  /**
   * KVM_RUN: runs the guest until userspace is needed.
   *
   * @returns 0 with `run.exit_reason` set, or −EINTR: `tickLimit` is reached, a stop was requested, `run.immediate_exit`
   * is set, or HLT has waited through very many alarms.
   */
  kvmRun(): number {
    return kvmVcpuIoctlRun(this);
  }

  /** A device of the board wants `kvmRun` to finish the access that is under way and come back with −EINTR. */
  requestStop(): void {
    this.stopRequested = true;
    this.cpu.raiseAttention();
  }

  /** Power-on state of the processor. A port access that waits for userspace is forgotten; memory and time stay. */
  resetVcpu(): void {
    this.kvm.creationFn.kvmVcpuReset(this, false);
  }

  /** KVM_RUN then answers −EBADF. @returns 0. */
  close(): number {
    this.isClosed = true;
    return 0;
  }

  /** KVM: a processor that userspace gives a new state after a triple fault runs on. */
  #leaveShutdown(): void {
    if (this.cpu.activityState === ACTIVITY_SHUTDOWN) this.cpu.activityState = ACTIVITY_ACTIVE;
  }
}

/** The lowest bit of eight doublewords, or −1. */
function firstBit(words: readonly number[]): number {
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word !== 0) return i * 32 + (31 - Math.clz32(word & -word));
  }
  return -1;
}
