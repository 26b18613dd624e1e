/**
 * State of one processor: what a VMCS guest-state area and the register file hold. No behaviour lives here; see
 * interpreter.ts (execution), access.ts (memory operands), exceptions.ts (delivery).
 */
import { DecodeCache } from '../decoder/decode-cache.ts';
import { type Insn, SEG_CS, SEG_SS, SEG_TR } from '../decoder/insn.ts';
import type { CpuModel } from './cpu-model.ts';
import { DebugState } from './debug-state.ts';
import { FetchWindow } from './fetch-window.ts';
import type { CodeGenerator } from './generated-code.ts';
import type { InlinePortIo } from './inline-port-io.ts';
import { IoRefusal } from './io-refusal.ts';
import type { GuestMemory } from './memory.ts';
import { MAX } from './models/max.ts';
import {
  AR_DB,
  AR_DPL_SHIFT,
  AR_P,
  AR_REAL_CODE,
  AR_REAL_DATA,
  AR_S,
  AR_TYPE_CODE,
  AR_TYPE_EXPAND_DOWN,
  AR_TYPE_WRITABLE,
  AR_UNUSABLE,
  EDX,
  GPR_SLOTS,
  X86_CR0_ET,
  X86_CR0_PE,
  X86_CR0_PG,
  X86_EFLAGS_VM,
} from './registers.ts';
import { type Tlb, Tlbs } from './tlb.ts';

/** `Cpu.fault` when nothing is wrong. */
export const FAULT_NONE = 0;
/** `Cpu.fault` of an exception: this bit plus the vector; its error code is `Cpu.faultErrorCode`. */
export const FAULT_EXCEPTION = 0x100;
/** `Cpu.fault` when an access met no memory and the instruction must leave as an EPT violation. */
export const FAULT_MMIO = 0x200;
/** `Cpu.fault` when pio86 cannot go on: the run leaves with EXIT_QUAL_INTERNAL. */
export const FAULT_INTERNAL = 0x400;
/** `Cpu.fault` of a fetch that did not happen, because the instruction before it has met a data or I/O breakpoint. */
export const FAULT_TRAP = 0x800;
/**
 * `Cpu.exitQualification` of EXIT_REASON_EXCEPTION_NMI: not an exception but a mode that pio86 does not run yet;
 * `Cpu.internalError` says which.
 */
export const EXIT_QUAL_INTERNAL = 0xff;

/** `Cpu.interruptShadow` bits, as KVM_X86_SHADOW_INT_*. */
export const KVM_X86_SHADOW_INT_MOV_SS = 1;
export const KVM_X86_SHADOW_INT_STI = 2;

/** `Cpu.activityState`. Intel SDM vol. 3C, “Guest Non-Register State”. */
export const ACTIVITY_ACTIVE = 0;
export const ACTIVITY_HLT = 1;
export const ACTIVITY_SHUTDOWN = 2;

const SIGN = 1 << 31;

/** What the CPU asks its surroundings for while an instruction runs on an MMIO page. */
export interface MmioPort {
  /** @returns the value read, unsigned, `size` bytes: 1 to 4, as an access that crosses a page comes in two parts. */
  mmioRead(pa: number, size: number): number;
  /** `value` is unsigned and has no bits beyond `size` bytes. */
  mmioWrite(pa: number, size: number, value: number): void;
  /** The next two reads or writes are the halves of eight bytes within a page (CMPXCHG8B): one access. */
  mmioPair?(): void;
}

/**
 * Port accesses that do not leave the processor, as VMX I/O bitmaps allow. On hardware they go to the physical port; here
 * they go where the embedder says.
 */
export interface IoIntercept {
  /** Whether an access leaves with EXIT_REASON_IO_INSTRUCTION. */
  exits(port: number, size: number): boolean;
  /** @returns the value read, unsigned, `size` bytes. */
  read(port: number, size: number): number;
  /** `value` is unsigned and has no bits beyond `size` bytes. */
  write(port: number, size: number, value: number): void;
}

/** Processor state. Hot fields are typed arrays; see registers.ts for their layout. */
export class Cpu {
  readonly mem: GuestMemory;
  readonly cache: DecodeCache;
  /** Which processor this is. */
  readonly model: CpuModel;
  readonly window = new FetchWindow();
  /** Where linear addresses lead. */
  readonly tlbs = new Tlbs();
  /** The table of the program that runs, by its privilege level; see {@link selectTlb}. */
  space: Tlb = this.tlbs.supervisor;
  /** `space.entries`, for the fast path of access.ts. */
  tlb: Int32Array = this.space.entries;
  /** The engine that runs this CPU, made at its first run (interpreter.ts). */
  runner: ((budget: number) => number) | null = null;

  /** EAX … EDI, the zero slot, padding. */
  readonly gpr = new Int32Array(GPR_SLOTS);
  readonly r16 = new Uint16Array(this.gpr.buffer);
  readonly r8 = new Uint8Array(this.gpr.buffer);
  /**
   * Lazy status flags: result and carry vector. Only flags.ts knows the encoding. (A buffer of more than 64 bytes does not move, so
   * that V8 knows its address as a constant.)
   */
  readonly lazy = new Int32Array(new ArrayBuffer(128), 0, 2);
  /** EFLAGS without the six status flags (bit 1 is always set). */
  sysFlags = 2;
  /** Unsigned modulo 2^32, kept as int32; may be 0x10000 in 16-bit code (see docs/architecture.md, “EIP”). */
  eip = 0xfff0;

  /** Indexed by SEG_*: selector, base (int32), limit (unsigned bytes), access rights (AR_*). */
  readonly segSelector = new Int32Array(8);
  readonly segBase = new Int32Array(8);
  readonly segLimit = new Uint32Array(8);
  readonly segAttr = new Int32Array(8);
  /**
   * Fast limit check: offset `o` of a `2^k`-byte access through segment `s` is good when
   * `(o ^ 0x80000000) < segBound[s << 3 | k]` (reads) or `[s << 3 | 4 | k]` (writes), compared as int32.
   * A segment that is not plain expand-up data or code has no good offset here and takes the slow check; so do words and
   * doublewords while alignment is checked. `[SEG_CS << 3 | 3]` bounds the targets of transfers.
   */
  readonly segBound = new Int32Array(64);

  gdtBase = 0;
  gdtLimit = 0xffff;
  idtBase = 0;
  idtLimit = 0x3ff;
  cr0 = X86_CR0_ET;
  cr2 = 0;
  cr3 = 0;
  cr4 = 0;
  /** IA32_EFER: only NXE exists. */
  efer = 0;
  /** PAE: the page-directory-pointer registers, four pairs of doublewords. */
  readonly pdptes = new Int32Array(8);
  /** DR0–DR3, DR6, DR7 as the guest sees them; what is in force is in {@link debug}. */
  readonly dr = new Int32Array(8);
  readonly debug = new DebugState();

  #a20Mask = -1;
  /** 1 while misaligned accesses are #AC. Only privilege.ts sets it. */
  alignmentArmed = 0;
  /** IA32_SYSENTER_CS, _ESP, _EIP. */
  sysenterCs = 0;
  sysenterEsp = 0;
  sysenterEip = 0;
  /** IA32_TSC_AUX, what RDTSCP puts into ECX. */
  tscAux = 0;
  /** KVM_X86_SHADOW_INT_* after STI, MOV SS, POP SS. */
  interruptShadow = 0;
  activityState = ACTIVITY_ACTIVE;

  /** A fault raised by the instruction that is executing (FAULT_*). */
  fault = FAULT_NONE;
  faultErrorCode = 0;
  /** The linear address of a #PF in `fault`; CR2 gets it when the fault is delivered. */
  faultAddress = 0;
  /** What an exit with EXIT_QUAL_INTERNAL is about. */
  internalError = '';
  /** An exception to deliver at the next entry (queued by the emulator): vector, or −1. */
  queuedVector = -1;
  queuedErrorCode = 0;
  /** Pending debug exceptions: DR6 bits of the #DB that is due at this instruction boundary; 0 when none is. */
  pendingDebugTrap = 0;
  /** Vectors that leave with EXIT_REASON_EXCEPTION_NMI instead of going through the IDT: only #DB and #BP are looked at. */
  exceptionBitmap = 0;
  /** `VM_ENTRY_INSTRUCTION_LEN` of a queued #BP: how far behind EIP its frame points. */
  entryInstructionLength = 0;
  /** How many NMIs are due: at most two, one of them behind the one being handled. */
  pendingNmi = 0;
  /** Blocking by NMI: from its delivery to the next IRET. */
  nmiMasked = 0;
  /** Leave with EXIT_REASON_INTERRUPT_WINDOW as soon as IF = 1 and no shadow holds interrupts back. */
  interruptWindowExiting = 0;
  /** Set by anything that wants the run loop to come back to the boundary before its budget is used up. */
  attention = 0;

  /** The last I/O access that the bit map was asked about; see io-refusal.ts. */
  readonly ioRefusal = new IoRefusal();

  /** A REPE/REPNE CMPS or SCAS is under way: its flags at the start, to be restored by a fault. */
  repStarted = 0;
  repResult = 0;
  repAux = 0;

  /** EIP is at a REP string instruction that has done some iterations: an event there pushes RF = 1. */
  repSuspended = 0;

  /** Exit information, as in the VMCS. */
  exitReason = 0;
  exitQualification = 0;
  exitInstructionLength = 0;
  exitInstructionInfo = 0;
  /** VM-exit interruption information; 0 when EXIT_REASON_EXCEPTION_NMI is not about an exception. */
  exitInterruptionInfo = 0;
  exitGuestLinearAddress = 0;
  /** Unsigned, up to 36 bits. */
  exitGuestPhysicalAddress = 0;
  /** The instruction that caused the exit: the emulator never decodes again. */
  exitInsn: Insn | null = null;

  /** Budget left while `runGuest` is in a cold operation; RDTSC and devices derive the time from it. */
  budgetLeft = 0;
  /** Ticks retired by the last `runGuest`: instructions plus REP iterations. */
  retired = 0;
  /** Time-stamp counter minus the clock's ticks (WRMSR, KVM_SET_MSRS). */
  tscOffset = 0;
  /** The clock's ticks at the start of this `runGuest`, so that RDTSC can tell the time inside it. */
  ticksAtEntry = 0;

  /**
   * 1 on a host that runs all guest code through KVM's instruction emulator (forced emulation; the host that the kvm vectors
   * come from): port permission is the emulator's check instead of the processor's, and the inner stack of an event is
   * read from the TSS without looking at its limit.
   */
  emulatedHost = 0;

  /** 1: `runGuest` executes one instruction and looks at no event before or after it. */
  oneInstruction = 0;

  /**
   * RDMSR and WRMSR of an MSR that the processor does not hold leave as EXIT_REASON_MSR_READ and EXIT_REASON_MSR_WRITE;
   * 0: they are #GP(0). Intel SDM vol. 3C, “Instructions That Cause VM Exits Conditionally”.
   */
  msrExiting = 0;
  /** Which port accesses exit; null: all of them, as KVM has it. */
  ioIntercept: IoIntercept | null = null;

  /** Does port I/O without an exit; null while somebody looks at exits. */
  inlineIo: InlinePortIo | null = null;
  /** The same for an IN or OUT of which the processor need not look at anything but the permission; set at each boundary. */
  shortIo: InlinePortIo | null = null;
  /** Accesses done through it in this `runGuest`; and those of them that userspace would have been asked for. */
  inlineExits = 0;
  inlineUserspaceExits = 0;
  /** Ticks that the last INLINE_REPEAT took. */
  inlineTicks = 0;
  /** The budget of this `runGuest`: with `ticksAtEntry` it tells the time at which it ends. */
  startBudget = 0;
  /** The same less what a yield has given back, and the ticks left of it, between two segments of a `runGuest`. */
  segmentStart = 0;
  segmentLeft = 0;

  /** The second engine; null: everything is interpreted. */
  generator: CodeGenerator | null = null;
  /** GENERATED_YIELD, or 0. */
  generatedYield = 0;

  /** While not null, accesses to pages without memory go here instead of leaving as an EPT violation. */
  mmio: MmioPort | null = null;

  constructor(mem: GuestMemory, cache: DecodeCache = new DecodeCache(), model: CpuModel = MAX) {
    this.mem = mem;
    this.cache = cache;
    this.model = model;
    mem.code = cache;
    mem.translations = this.tlbs;
    this.reset();
  }

  /** Power-up state. Intel SDM vol. 3A, “Processor State After Reset”. */
  reset(): void {
    this.alignmentArmed = 0;
    this.gpr.fill(0);
    this.gpr[EDX] = this.model.resetEdx;
    this.lazy[0] = 1 << 8; // all status flags clear, see flags.ts
    this.lazy[1] = 0x100;
    this.sysFlags = 2;
    this.eip = 0xfff0;
    // First CR0: what a segment allows depends on PE.
    this.cr0 = 0x60000010;
    for (let seg = 0; seg < 6; seg++) this.setSegment(seg, 0, 0, 0xffff, AR_REAL_DATA);
    this.setSegment(SEG_CS, 0xf000, 0xffff0000 | 0, 0xffff, AR_REAL_CODE);
    this.setSegment(SEG_TR, 0, 0, 0xffff, AR_P | 0xb);
    this.setSegment(7, 0, 0, 0xffff, AR_P | 2);
    this.gdtBase = 0;
    this.gdtLimit = 0xffff;
    this.idtBase = 0;
    this.idtLimit = 0xffff;
    this.cr2 = 0;
    this.cr3 = 0;
    this.cr4 = 0;
    this.efer = 0;
    this.pdptes.fill(0);
    this.flushTlb();
    this.sysenterCs = 0;
    this.sysenterEsp = 0;
    this.sysenterEip = 0;
    this.tscAux = 0;
    this.dr.fill(0);
    this.dr[6] = 0xffff0ff0 | 0;
    this.dr[7] = 0x400;
    this.debug.hits = 0;
    this.debug.update(this);
    this.interruptShadow = 0;
    this.activityState = ACTIVITY_ACTIVE;
    this.fault = FAULT_NONE;
    this.queuedVector = -1;
    this.pendingDebugTrap = 0;
    this.pendingNmi = 0;
    this.nmiMasked = 0;
    this.interruptWindowExiting = 0;
    this.repStarted = 0;
    this.repSuspended = 0;
    this.attention = 1;
  }

  /** −1, or ~0x100000 with the A20 gate closed. */
  get a20Mask(): number {
    return this.#a20Mask;
  }

  set a20Mask(mask: number) {
    this.#a20Mask = mask;
    this.flushTlb();
  }

  /** Forgets all translations. Whoever sets CR0, CR3, CR4, EFER or PDPTEs without control-registers.ts calls it. */
  flushTlb(): void {
    this.tlbs.flush(false);
    this.selectTlb();
    this.attention = 1;
  }

  /**
   * Makes `space` follow the privilege level. Loading SS does it; so must whatever else changes the level (CR0.PE and PG,
   * EFLAGS.VM without a load of SS).
   */
  selectTlb(): void {
    const isPaged = (this.cr0 & X86_CR0_PG) !== 0;
    const isLevel3 =
      (this.sysFlags & X86_EFLAGS_VM) !== 0 || ((this.segAttr[SEG_SS] >> AR_DPL_SHIFT) & 3) === 3;
    this.space = isPaged && isLevel3 ? this.tlbs.user : this.tlbs.supervisor;
    this.tlb = this.space.entries;
  }

  /** PE set and VM clear. */
  get isProtected(): boolean {
    return (this.cr0 & X86_CR0_PE) !== 0 && (this.sysFlags & X86_EFLAGS_VM) === 0;
  }

  /** 1 in 32-bit code (CS.D), else 0. */
  get codeIs32(): number {
    return (this.segAttr[SEG_CS] & AR_DB) !== 0 ? 1 : 0;
  }

  /** Loads one segment register's cache. Checks nothing: descriptor checks come before. */
  setSegment(seg: number, selector: number, base: number, limit: number, attr: number): void {
    this.segSelector[seg] = selector;
    this.segBase[seg] = base;
    this.segLimit[seg] = limit;
    this.segAttr[seg] = attr;
    this.updateSegBound(seg);
    if (seg === SEG_SS) this.selectTlb();
  }

  /** Recomputes {@link segBound} after limit, access rights or CR0.PE changed. */
  updateSegBound(seg: number): void {
    const attr = this.segAttr[seg];
    const limit = this.segLimit[seg];
    const usable = (attr & (AR_UNUSABLE | AR_S | AR_P)) === (AR_S | AR_P);
    const code = (attr & AR_TYPE_CODE) !== 0;
    const real = (this.cr0 & X86_CR0_PE) === 0;
    const expandUp = code || (attr & AR_TYPE_EXPAND_DOWN) === 0;
    const readable = usable && expandUp && (!code || real || (attr & AR_TYPE_WRITABLE) !== 0);
    const writable = usable && expandUp && (real || (!code && (attr & AR_TYPE_WRITABLE) !== 0));
    this.segBound[(seg << 3) | 3] = Math.min(limit + 1, 0xffffffff) ^ SIGN;
    for (let k = 0; k < 3; k++) {
      const last = limit - ((1 << k) - 1);
      const refused = last < 0 || (k > 0 && this.alignmentArmed !== 0);
      const bound = refused ? 0 : Math.min(last + 1, 0xffffffff);
      this.segBound[(seg << 3) | k] = (readable ? bound : 0) ^ SIGN;
      this.segBound[(seg << 3) | 4 | k] = (writable ? bound : 0) ^ SIGN;
    }
  }

  /** A host-side reminder that something changed which the run loop must look at. */
  raiseAttention(): void {
    this.attention = 1;
  }
}
