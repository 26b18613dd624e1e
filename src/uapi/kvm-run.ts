/**
 * `kvm_run`: what a vCPU shares with its embedder, as three preallocated pages in the kernel's layout
 * (Linux: include/uapi/linux/kvm.h, `struct kvm_run`): page 0 the structure, page 1 the data of KVM_EXIT_IO,
 * page 2 the coalesced MMIO ring. Accessors carry the kernel's field names; no exit makes an object.
 */
import { KVM_COALESCED_MMIO_PAGE_OFFSET, KVM_PIO_PAGE_OFFSET, KVM_VCPU_MMAP_SIZE } from './kvm.ts';
import { KvmCoalescedMmioRing } from './kvm-coalesced-ring.ts';

const PAGE_SIZE = 4096;
const TWO_32 = 0x1_0000_0000;

/** Offsets in `struct kvm_run`; everything from 32 on is the union that `exit_reason` selects. */
const REQUEST_INTERRUPT_WINDOW = 0;
const IMMEDIATE_EXIT = 1;
const EXIT_REASON = 8;
const READY_FOR_INTERRUPT_INJECTION = 12;
const IF_FLAG = 13;
const FLAGS = 14;
const CR8 = 16;
const APIC_BASE = 24;
const FAIL_ENTRY_REASON = 32;
const FAIL_ENTRY_CPU = 40;
const DEBUG_EXCEPTION = 32;
const DEBUG_PC = 40;
const DEBUG_DR6 = 48;
const DEBUG_DR7 = 56;
const IO_DIRECTION = 32;
const IO_SIZE = 33;
const IO_PORT = 34;
const IO_COUNT = 36;
const IO_DATA_OFFSET = 40;
const MMIO_PHYS_ADDR = 32;
const MMIO_DATA = 40;
const MMIO_LEN = 48;
const MMIO_IS_WRITE = 52;
const INTERNAL_SUBERROR = 32;
const INTERNAL_NDATA = 36;
const INTERNAL_DATA = 40;
const INTERNAL_DATA_WORDS = 16;

function getU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

function setU64(view: DataView, at: number, value: number): void {
  // Cut to 32 bits by setUint32 itself; a remainder of doubles is slow.
  view.setUint32(at, value, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

/** `kvm_run.io`, valid under KVM_EXIT_IO. */
export class KvmRunIo {
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  /** KVM_EXIT_IO_IN or KVM_EXIT_IO_OUT. */
  get direction(): number {
    return this.#view.getUint8(IO_DIRECTION);
  }
  set direction(value: number) {
    this.#view.setUint8(IO_DIRECTION, value);
  }

  /** Bytes of one element: 1, 2 or 4. */
  get size(): number {
    return this.#view.getUint8(IO_SIZE);
  }
  set size(value: number) {
    this.#view.setUint8(IO_SIZE, value);
  }

  get port(): number {
    return this.#view.getUint16(IO_PORT, true);
  }
  set port(value: number) {
    this.#view.setUint16(IO_PORT, value, true);
  }

  /** Elements, all at the same port. */
  get count(): number {
    return this.#view.getUint32(IO_COUNT, true);
  }
  set count(value: number) {
    this.#view.setUint32(IO_COUNT, value, true);
  }

  /** Where the elements lie, packed, relative to the start of the mapping. */
  get data_offset(): number {
    return getU64(this.#view, IO_DATA_OFFSET);
  }
  set data_offset(value: number) {
    setU64(this.#view, IO_DATA_OFFSET, value);
  }
}

/** `kvm_run.mmio`, valid under KVM_EXIT_MMIO. */
export class KvmRunMmio {
  readonly #view: DataView;
  /** The bytes read or written, lowest address first. */
  readonly data: Uint8Array;

  constructor(view: DataView) {
    this.#view = view;
    this.data = new Uint8Array(view.buffer, MMIO_DATA, 8);
  }

  get phys_addr(): number {
    return getU64(this.#view, MMIO_PHYS_ADDR);
  }
  set phys_addr(value: number) {
    setU64(this.#view, MMIO_PHYS_ADDR, value);
  }

  get len(): number {
    return this.#view.getUint32(MMIO_LEN, true);
  }
  set len(value: number) {
    this.#view.setUint32(MMIO_LEN, value, true);
  }

  get is_write(): number {
    return this.#view.getUint8(MMIO_IS_WRITE);
  }
  set is_write(value: number) {
    this.#view.setUint8(MMIO_IS_WRITE, value);
  }
}

/** `kvm_run.internal`, valid under KVM_EXIT_INTERNAL_ERROR. */
export class KvmRunInternal {
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  /** KVM_INTERNAL_ERROR_*. */
  get suberror(): number {
    return this.#view.getUint32(INTERNAL_SUBERROR, true);
  }
  set suberror(value: number) {
    this.#view.setUint32(INTERNAL_SUBERROR, value, true);
  }

  /** How many words of `data` are filled. */
  get ndata(): number {
    return this.#view.getUint32(INTERNAL_NDATA, true);
  }
  set ndata(value: number) {
    this.#view.setUint32(INTERNAL_NDATA, value, true);
  }

  /** `data[i]`, i below 16. */
  getData(i: number): number {
    return getU64(this.#view, INTERNAL_DATA + 8 * (i % INTERNAL_DATA_WORDS));
  }

  setData(i: number, value: number): void {
    setU64(this.#view, INTERNAL_DATA + 8 * (i % INTERNAL_DATA_WORDS), value);
  }
}

/** `kvm_run.fail_entry`, valid under KVM_EXIT_FAIL_ENTRY. */
export class KvmRunFailEntry {
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  get hardware_entry_failure_reason(): number {
    return getU64(this.#view, FAIL_ENTRY_REASON);
  }
  set hardware_entry_failure_reason(value: number) {
    setU64(this.#view, FAIL_ENTRY_REASON, value);
  }

  get cpu(): number {
    return this.#view.getUint32(FAIL_ENTRY_CPU, true);
  }
  set cpu(value: number) {
    this.#view.setUint32(FAIL_ENTRY_CPU, value, true);
  }
}

/** `kvm_run.debug.arch`, valid under KVM_EXIT_DEBUG. */
export class KvmRunDebug {
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  /** Vector: 1 (#DB) or 3 (#BP). */
  get exception(): number {
    return this.#view.getUint32(DEBUG_EXCEPTION, true);
  }
  set exception(value: number) {
    this.#view.setUint32(DEBUG_EXCEPTION, value, true);
  }

  /** Linear address. */
  get pc(): number {
    return getU64(this.#view, DEBUG_PC);
  }
  set pc(value: number) {
    setU64(this.#view, DEBUG_PC, value);
  }

  get dr6(): number {
    return getU64(this.#view, DEBUG_DR6);
  }
  set dr6(value: number) {
    setU64(this.#view, DEBUG_DR6, value);
  }

  get dr7(): number {
    return getU64(this.#view, DEBUG_DR7);
  }
  set dr7(value: number) {
    setU64(this.#view, DEBUG_DR7, value);
  }
}

/** The vCPU's mapping and the typed accessor of its first page. */
export class KvmRun {
  /** KVM_GET_VCPU_MMAP_SIZE bytes, as `mmap` of a vCPU's file would show them. */
  readonly buffer: ArrayBuffer;
  readonly #view: DataView;
  /** Page 1: the elements of KVM_EXIT_IO (`vcpu->arch.pio_data`). */
  readonly pioData: Uint8Array;
  /** Page 2: the ring of coalesced writes, see `drainCoalescedRing`. */
  readonly coalesced: KvmCoalescedMmioRing;
  readonly io: KvmRunIo;
  readonly mmio: KvmRunMmio;
  readonly internal: KvmRunInternal;
  readonly fail_entry: KvmRunFailEntry;
  readonly debug: KvmRunDebug;

  /** @param buffer at least KVM_VCPU_MMAP_SIZE bytes: a real kernel's mapping. Default: memory of its own. */
  constructor(buffer: ArrayBuffer = new ArrayBuffer(KVM_VCPU_MMAP_SIZE)) {
    this.buffer = buffer;
    this.#view = new DataView(buffer);
    this.pioData = new Uint8Array(buffer, KVM_PIO_PAGE_OFFSET * PAGE_SIZE, PAGE_SIZE);
    this.coalesced = new KvmCoalescedMmioRing(buffer, KVM_COALESCED_MMIO_PAGE_OFFSET * PAGE_SIZE);
    this.io = new KvmRunIo(this.#view);
    this.mmio = new KvmRunMmio(this.#view);
    this.internal = new KvmRunInternal(this.#view);
    this.fail_entry = new KvmRunFailEntry(this.#view);
    this.debug = new KvmRunDebug(this.#view);
  }

  /** A copy of all pages, for snapshots. */
  saveState(): Uint8Array {
    return new Uint8Array(this.buffer.slice(0, KVM_VCPU_MMAP_SIZE));
  }

  /** Restores what {@link saveState} returned. */
  loadState(state: Uint8Array): void {
    new Uint8Array(this.buffer).set(state);
  }

  get request_interrupt_window(): number {
    return this.#view.getUint8(REQUEST_INTERRUPT_WINDOW);
  }
  set request_interrupt_window(value: number) {
    this.#view.setUint8(REQUEST_INTERRUPT_WINDOW, value);
  }

  /** Non-zero: KVM_RUN completes pending I/O and returns −EINTR without running the guest. */
  get immediate_exit(): number {
    return this.#view.getUint8(IMMEDIATE_EXIT);
  }
  set immediate_exit(value: number) {
    this.#view.setUint8(IMMEDIATE_EXIT, value);
  }

  /** KVM_EXIT_*. */
  get exit_reason(): number {
    return this.#view.getUint32(EXIT_REASON, true);
  }
  set exit_reason(value: number) {
    this.#view.setUint32(EXIT_REASON, value, true);
  }

  get ready_for_interrupt_injection(): number {
    return this.#view.getUint8(READY_FOR_INTERRUPT_INJECTION);
  }
  set ready_for_interrupt_injection(value: number) {
    this.#view.setUint8(READY_FOR_INTERRUPT_INJECTION, value);
  }

  /** EFLAGS.IF at the exit. */
  get if_flag(): number {
    return this.#view.getUint8(IF_FLAG);
  }
  set if_flag(value: number) {
    this.#view.setUint8(IF_FLAG, value);
  }

  get flags(): number {
    return this.#view.getUint16(FLAGS, true);
  }
  set flags(value: number) {
    this.#view.setUint16(FLAGS, value, true);
  }

  /** CR8 of a machine without an in-kernel local APIC. */
  get cr8(): number {
    return getU64(this.#view, CR8);
  }
  set cr8(value: number) {
    setU64(this.#view, CR8, value);
  }

  get apic_base(): number {
    return getU64(this.#view, APIC_BASE);
  }
  set apic_base(value: number) {
    setU64(this.#view, APIC_BASE, value);
  }
}
