/**
 * `struct kvm_vcpu`: one processor with KVM's vCPU ioctls as methods (Linux: virt/kvm/kvm_main.c, `kvm_vcpu_ioctl`;
 * arch/x86/kvm/x86.c). How it runs is in vcpu-run.ts.
 */
import { Cpu } from '../cpu/cpu.ts';
import { getEflags } from '../cpu/flags.ts';
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
import type { KvmDebugregs, KvmGuestDebug, KvmRegs, KvmSregs } from '../uapi/kvm.ts';
import { KvmRun } from '../uapi/kvm-run.ts';
import { VmcsIoControls } from '../vmx/io-bitmaps.ts';
import {
  getDebugregs,
  kvmArchVcpuIoctlSetGuestDebug,
  kvmGetRflags,
  kvmSetRflags,
  setDebugregs,
} from './guest-debug.ts';
import { getRegs, getSregs, setRegs, setSregs } from './regs.ts';
import { VcpuMmio } from './vcpu-mmio.ts';
import { kvmVcpuIoctlRun } from './vcpu-run.ts';
import type { Vm } from './vm.ts';

/** One processor. */
export class Vcpu implements KvmVcpu {
  readonly kvm: Vm;
  readonly id: number;
  readonly cpu: Cpu;
  /** The shared mapping: `run.exit_reason`, `run.io`, `run.pioData` … */
  readonly run = new KvmRun();
  readonly stat = new KvmVcpuStat();
  readonly pio = new KvmPioRequest();
  readonly ctxt = new X86EmulateCtxt();
  fn: KvmFunctions;
  readonly mmio: VcpuMmio;
  completeUserspaceIo = COMPLETE_NONE;
  quirks = KVM_X86_QUIRK_OUT_7E_INC_RIP;
  observed = 0;
  userspace: UserspaceBus | null = null;
  /** The board's memory-mapped devices: asked when the kernel's MMIO bus refuses. */
  userspaceMmio: UserspaceBus | null = null;
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
  #trace: KvmTracepoints | null = null;

  constructor(kvm: Vm, id: number) {
    this.kvm = kvm;
    this.id = id;
    this.fn = kvm.fn;
    this.cpu = new Cpu(kvm.memory);
    this.mmio = new VcpuMmio(this);
    this.vmcs = new VmcsIoControls(this);
  }

  /** Tracepoints of the whole machine; null when nothing listens. */
  get trace(): KvmTracepoints | null {
    return this.#trace;
  }

  set trace(trace: KvmTracepoints | null) {
    if (trace === this.#trace) return;
    this.observed += (trace === null ? 0 : 1) - (this.#trace === null ? 0 : 1);
    this.#trace = trace;
    this.kvm.setTracepoints(trace);
  }

  /** KVM_GET_REGS. */
  getRegs(): KvmRegs {
    const regs = getRegs(this.cpu);
    regs.eflags = kvmGetRflags(this) >>> 0;
    return regs;
  }

  /** KVM_SET_REGS. */
  setRegs(regs: Readonly<KvmRegs>): void {
    setRegs(this.cpu, regs);
    kvmSetRflags(this, getEflags(this.cpu));
  }

  /** KVM_GET_SREGS. */
  getSregs(): KvmSregs {
    return getSregs(this.cpu);
  }

  /** KVM_SET_SREGS. @returns 0 or −EINVAL. */
  setSregs(sregs: Readonly<KvmSregs>): number {
    return setSregs(this.cpu, sregs);
  }

  /** KVM_GET_DEBUGREGS. */
  getDebugregs(): KvmDebugregs {
    return getDebugregs(this);
  }

  /** KVM_SET_DEBUGREGS. @returns 0 or −EINVAL. */
  setDebugregs(debugregs: Readonly<KvmDebugregs>): number {
    return setDebugregs(this, debugregs);
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
    this.cpu.reset();
    this.pio.count = 0;
    this.completeUserspaceIo = COMPLETE_NONE;
  }
}
