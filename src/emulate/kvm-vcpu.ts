/**
 * What the exit handlers and the emulator need of a vCPU: `struct kvm_vcpu` with its `arch.pio`, and the table of
 * KVM functions they call each other through.
 *
 * Calls between mirrored functions go through `vcpu.fn` (as the kernel's go through `ctxt->ops` and `kvm_x86_ops`),
 * so that a run with probes can swap in traced variants once, and a run without them pays nothing.
 */
import type { VirtualClock } from '../bus/clock.ts';
import type { KvmIoBus, KvmIoBusFunctions } from '../bus/io-bus.ts';
import type { IoDevice, WideIoDevice } from '../bus/io-device.ts';
import type { Cpu, MmioPort } from '../cpu/cpu.ts';
import { Insn } from '../decoder/insn.ts';
import type { IoSize, KvmCpuidEntry2 } from '../uapi/kvm.ts';
import type { KvmRun } from '../uapi/kvm-run.ts';
import type { KvmMmioRequest } from './mmio-request.ts';

/** Bytes of the emulator's read-ahead cache (`struct read_cache.data`). */
export const READ_CACHE_SIZE = 1024;

/** `vcpu->arch.complete_userspace_io`, as a number instead of a function pointer. */
export const COMPLETE_NONE = 0;
export const COMPLETE_FAST_PIO_IN = 1;
export const COMPLETE_FAST_PIO_OUT = 2;
export const COMPLETE_FAST_PIO_OUT_PORT_7E = 3;
export const COMPLETE_EMULATED_PIO = 4;
export const COMPLETE_EMULATED_MMIO = 5;

/** `kvm_x86_quirks`: OUT to port 0x7E has its RIP advanced before the exit. arch/x86/include/uapi/asm/kvm.h. */
export const KVM_X86_QUIRK_OUT_7E_INC_RIP = 1 << 3;

/** `vcpu->arch.pio` and what belongs to it. */
export class KvmPioRequest {
  port = 0;
  size: IoSize = 1;
  count = 0;
  /** 1 = IN. */
  in = 0;
  /** Linear RIP at the time of a fast-path exit (`arch.pio.linear_rip`), int32. */
  linearRip = 0;
  /**
   * Ticks of an instruction that is committed but whose access userspace has yet to make. They pass at the next
   * KVM_RUN, so that every access of an exit sees the time of its exit, whoever makes it.
   */
  ticksDue = 0;
  /** `val` of `kvm_fast_pio_in`: where the bytes gather before they go to EAX. */
  readonly val = new Uint8Array(4);
}

/** Where there is no instruction: without prefixes, all addresses 32 bits wide. */
export const NO_INSN = new Insn(0, 0, 0);

/** The emulator's context (`struct x86_emulate_ctxt`, the I/O part). */
export class X86EmulateCtxt {
  /** `io_read`: the bytes survive between instructions, pos and end do not. */
  readonly ioReadData = new Uint8Array(READ_CACHE_SIZE);
  ioReadPos = 0;
  ioReadEnd = 0;
  /** `perm_ok`: the permission check of this emulation has passed. */
  permOk = 0;
  /**
   * `vcpu->arch.emulate_regs_need_sync_from_vcpu`: KVM_SET_REGS has come since the decode. KVM then drops what its emulator knows
   * of registers, and with it the destination of IN: what was read is lost, RAX stays as it was set.
   */
  regsNeedSyncFromVcpu = 0;
  haveException = 0;
  exceptionVector = 0;
  exceptionErrorCode = 0;

  /** The instruction, as the CPU decoded it for its exit. */
  insn = NO_INSN;
  /** Operand size and port, fixed when the instruction was decoded. */
  opBytes: IoSize = 1;
  port = 0;
  isIn = 0;
  isString = 0;
  /** Offset of the INS destination (`dst.addr.mem.ea`): taken from (E)DI at decode time and after each iteration. */
  dstEa = 0;
  /** `dst.val`, `src.val`: one element. */
  readonly val = new Uint8Array(4);
  /** `dst.count` of an OP_MEM_STR destination, and where in `ioReadData` its elements start; count 0: one element. */
  dstCount = 0;
  dstAt = 0;
  /** RIP to write back: the instruction's own, or the next one's when it is done. */
  eip = 0;
  /** `_eip`: behind the instruction. */
  nextEip = 0;
  /** EFLAGS.RF to write back. */
  rf = 0;
  /** EFLAGS as cached when the instruction left for userspace; what userspace sets meanwhile is lost, as in KVM. */
  eflags = 0;
  /** Ticks that in-kernel accesses of elements not yet committed have already taken. */
  ticksAhead = 0;
  /** What became of the last OUT or OUTS element: PIO_IN_KERNEL, PIO_BY_BOARD, or 0 for an exit. PIO_IN_KERNEL for IN and INS. */
  outResult = 0;
}

/** `vcpu->stat`, counted always. */
export class KvmVcpuStat {
  /** Every VM exit. */
  exits = 0;
  io_exits = 0;
  mmio_exits = 0;
  /** KVM_RUN ended by a signal: the vCPU was asked to stop. */
  signal_exits = 0;
  irq_window_exits = 0;
  /** NMIs that became possible while the guest ran, by an IRET say: the CPU delivers them without an exit of their own. */
  nmi_window_exits = 0;
  halt_exits = 0;
  /** KVM_EXIT_IRQ_WINDOW_OPEN. */
  request_irq_exits = 0;
  /** Exits for the host's interrupts: alarms of the machine's clock. */
  irq_exits = 0;
  irq_injections = 0;
  nmi_injections = 0;
  insn_emulation = 0;
  insn_emulation_fail = 0;
  /** pio86's own: KVM_EXIT_IO that went to the board's bus or the embedder. */
  userspace_io_exits = 0;
  /** pio86's own: port accesses that an I/O bitmap has let through. */
  non_exiting_io = 0;
  /** pio86's own: exits by basic exit reason, 0 … 63. */
  readonly byReason = new Float64Array(64);
}

/** `struct kvm`, as far as the inner layers see it. */
export interface KvmShared {
  /** Indexed by KVM_*_BUS. */
  readonly buses: readonly KvmIoBus[];
  /** Advanced one tick an instruction and a REP iteration, before the device of the next one is asked. */
  readonly clock: VirtualClock;
  /** Whether KVM_CREATE_IRQCHIP was done: decides where HLT waits. */
  readonly irqchipInKernel: boolean;
}

/** The board's bus: asked when the kernel's refuses, so that a KVM_EXIT_IO need not be materialised. */
export interface UserspaceBus {
  /** @returns the value read, unsigned; never declines (an unclaimed port reads what the board's policy says). */
  read(port: number, size: IoSize): number;
  write(port: number, size: IoSize, value: number): void;
  /**
   * The one device that answers accesses of this size at this port, the same as long as the bus exists; null when there is none
   * or an access has to be split. {@link read} and {@link write} ask it first.
   */
  deviceFor?(port: number, size: IoSize): IoDevice | null;
  /** What {@link read} does once that device has declined. */
  readDeclined?(port: number, size: IoSize): number;
  /** What {@link write} does once that device has declined. */
  writeDeclined?(port: number, size: IoSize, value: number): void;
}

/** Model-specific registers that are KVM's. */
export interface KvmMsrs {
  /** What {@link get} has read, int32 halves. */
  low: number;
  high: number;
  /** @returns 0 with the value in `low` and `high`, or 1 for a register that does not exist. */
  get(index: number): number;
  /** @param low and `high`: the halves, signed or unsigned. @returns 0, or 1 for no such register or value. */
  set(index: number, low: number, high: number): number;
}

/** `struct kvm_vcpu`. Implemented by `Vcpu` in kvm/. */
export interface KvmVcpu {
  readonly cpu: Cpu;
  readonly kvm: KvmShared;
  readonly run: KvmRun;
  readonly stat: KvmVcpuStat;
  readonly pio: KvmPioRequest;
  readonly ctxt: X86EmulateCtxt;
  /** What KVM_EXIT_MMIO is about. */
  readonly mmioRequest: KvmMmioRequest;
  /** The mirrored functions, plain or traced. */
  readonly fn: KvmFunctions;
  /** Where accesses to guest-physical holes go. */
  readonly mmio: MmioPort;
  /** The local APIC's page, which an access to a hole tries first; null without an in-kernel one. */
  readonly lapicDev: WideIoDevice | null;
  /** IA32_APIC_BASE. */
  readonly apicBase: number;
  readonly msrs: KvmMsrs;
  /** COMPLETE_*. */
  completeUserspaceIo: number;
  /** KVM_X86_QUIRK_* that are enabled. */
  quirks: number;
  /** Non-zero while anybody watches exits (trace, probe, breakpoint, a caller who drives `run` himself). */
  observed: number;
  /** The board's memory-mapped devices: asked when the kernel's MMIO bus refuses. Null: the embedder gets KVM_EXIT_MMIO. */
  readonly userspaceMmio: UserspaceBus | null;
  /** The board's bus; null when the embedder takes KVM_EXIT_IO himself. */
  userspace: UserspaceBus | null;
  /** 1: IN and OUT also go through emIn/emOut (`--force-emulation`). */
  forceEmulation: number;
  /** `vcpu->guest_debug`: KVM_GUESTDBG_*, 0 without KVM_GUESTDBG_ENABLE. */
  guestDebug: number;
  /** `arch.singlestep_rip`: linear RIP when stepping was asked for, int32. */
  singlestepRip: number;
  /** `arch.event_exit_inst_len`: of the INT3 or INT1 that has left for userspace. */
  eventExitInstLen: number;
  /** 1: I/O breakpoints also trap on port accesses that exit, as a processor without a hypervisor has it; 0: as under KVM. */
  ioBreakpoints: number;
  /** Largest number of elements of one REP INS batch; KVM's rule applies below it. 0 = no extra limit. */
  maxInsBatch: number;
  /** Tracepoints; null when nothing listens. */
  trace: KvmTracepoints | null;
  /** What KVM_EXIT_INTERNAL_ERROR was about, for people. */
  internalErrorMessage: string;
  /** What KVM_SET_CPUID2 has set; null: pio86's own processor. */
  readonly cpuidEntries: readonly KvmCpuidEntry2[] | null;
}

/** Tracepoints of include/trace/events/kvm.h and arch/x86/kvm/trace.h that the inner layers fire. */
export interface KvmTracepoints {
  /** `val` is the first element. */
  kvm_pio(write: boolean, port: number, size: number, count: number, val: number): void;
  kvm_exit(exitReason: number, rip: number, info1: number, info2: number): void;
  kvm_entry(rip: number): void;
  kvm_userspace_exit(reason: number, errno: number): void;
  kvm_emulate_insn(csBase: number, rip: number, bytes: Uint8Array, failed: boolean): void;
  kvm_inj_exception(vector: number, hasErrorCode: boolean, errorCode: number): void;
  kvm_inj_virq(vector: number): void;
  kvm_set_irq(gsi: number, level: number, sourceId: number): void;
  kvm_pic_set_irq(chip: number, pin: number, elcr: number, imr: number, coalesced: boolean): void;
  /** `low` and `high`: the redirection entry as it was before. */
  kvm_ioapic_set_irq(low: number, high: number, pin: number, coalesced: boolean): void;
  kvm_ioapic_delayed_eoi_inj(low: number, high: number): void;
  kvm_ack_irq(irqchip: number, pin: number): void;
  /** `reg` is the offset in the page. */
  kvm_apic(isWrite: boolean, reg: number, val: number): void;
  kvm_apic_ipi(icrLow: number, destId: number): void;
  kvm_apic_accept_irq(apicid: number, deliveryMode: number, trigMode: number, vector: number): void;
  /** `vector` −1: none was in service. */
  kvm_eoi(apicid: number, vector: number): void;
  kvm_msi_set_irq(address: number, data: number): void;
}

/**
 * The mirrored functions that call each other: kvm/functions.ts fills the table. Argument order is ours; the
 * kernel's is in each function's tag.
 */
export interface KvmFunctions extends KvmIoBusFunctions {
  // vmx/
  vmxVcpuCreate(vcpu: KvmVcpu): number;
  vmxVcpuReset(vcpu: KvmVcpu): void;
  vmxHandleExit(vcpu: KvmVcpu): number;
  handleExceptionNmi(vcpu: KvmVcpu): number;
  handleTripleFault(vcpu: KvmVcpu): number;
  handleInterruptWindow(vcpu: KvmVcpu): number;
  handleIo(vcpu: KvmVcpu): number;
  handleEptViolation(vcpu: KvmVcpu): number;
  kvmMmuPageFault(vcpu: KvmVcpu): number;
  kvmEmulateCpuid(vcpu: KvmVcpu): number;
  kvmEmulateRdmsr(vcpu: KvmVcpu): number;
  kvmEmulateWrmsr(vcpu: KvmVcpu): number;
  kvmEmulateHalt(vcpu: KvmVcpu): number;
  kvmSkipEmulatedInstruction(vcpu: KvmVcpu): number;
  kvmVcpuDoSinglestep(vcpu: KvmVcpu): number;
  kvmVcpuCheckCodeBreakpoint(vcpu: KvmVcpu): number;
  // emulate/pio.ts, emulate/fast-pio.ts
  kvmFastPio(vcpu: KvmVcpu, size: IoSize, port: number, isIn: boolean): number;
  kvmFastPioIn(vcpu: KvmVcpu, size: IoSize, port: number): number;
  kvmFastPioOut(vcpu: KvmVcpu, size: IoSize, port: number): number;
  completeFastPioIn(vcpu: KvmVcpu): number;
  completeFastPioOut(vcpu: KvmVcpu): number;
  completeFastPioOutPort0x7e(vcpu: KvmVcpu): number;
  emulatorPioIn(vcpu: KvmVcpu, size: IoSize, port: number, val: Uint8Array, count: number): number;
  emulatorPioOut(vcpu: KvmVcpu, size: IoSize, port: number, val: Uint8Array, count: number): number;
  emulatorPioInEmulated(vcpu: KvmVcpu, size: IoSize, port: number, val: Uint8Array, count: number): number;
  emulatorPioOutEmulated(vcpu: KvmVcpu, size: IoSize, port: number, val: Uint8Array, count: number): number;
  emulatorPioInOut(
    vcpu: KvmVcpu,
    size: IoSize,
    port: number,
    data: Uint8Array,
    count: number,
    isIn: boolean,
  ): number;
  kernelPio(
    vcpu: KvmVcpu,
    size: IoSize,
    port: number,
    data: Uint8Array,
    count: number,
    isIn: boolean,
  ): number;
  completeEmulatorPioIn(vcpu: KvmVcpu, val: Uint8Array): void;
  // emulate/emulate-instruction.ts, emulate/em-io.ts
  kvmEmulateInstruction(vcpu: KvmVcpu, emulationType: number): number;
  x86EmulateInstruction(vcpu: KvmVcpu, emulationType: number): number;
  x86DecodeEmulatedInstruction(vcpu: KvmVcpu): number;
  x86EmulateInsn(vcpu: KvmVcpu): number;
  completeEmulatedPio(vcpu: KvmVcpu): number;
  completeEmulatedIo(vcpu: KvmVcpu): number;
  completeEmulatedMmio(vcpu: KvmVcpu): number;
  vcpuMmioRead(vcpu: KvmVcpu, addr: number, data: Uint8Array, at: number, len: number): number;
  vcpuMmioWrite(vcpu: KvmVcpu, addr: number, data: Uint8Array, at: number, len: number): number;
  checkPermIn(vcpu: KvmVcpu): number;
  checkPermOut(vcpu: KvmVcpu): number;
  emulatorIoPermitted(vcpu: KvmVcpu, port: number, len: number): boolean;
  emulatorIoPortAccessAllowed(vcpu: KvmVcpu, port: number, len: number): boolean;
  emIn(vcpu: KvmVcpu): number;
  emOut(vcpu: KvmVcpu): number;
  pioInEmulated(vcpu: KvmVcpu, size: IoSize, port: number, dest: Uint8Array): number;
}
