/**
 * Guest memory as a VMM lays it out: ranges of host memory, put into a machine as user memory regions. RAM lies below,
 * ROM cuts it or stands beside it, and a closed A20 gate shows the first megabyte again in the second one (two slots
 * that share memory: KVM has no gate).
 */
import { EmulatorError } from '../errors.ts';
import type { VmApi } from '../kvm/api.ts';
import { errnoName } from '../uapi/errno.ts';
import { KVM_MEM_READONLY } from '../uapi/kvm.ts';

const PAGE_SIZE = 4096;
const ONE_MIB = 0x10_0000;
const FOUR_GIB = 0x1_0000_0000;

/** Host memory at a guest-physical address. */
export interface MemoryRange {
  readonly gpa: number;
  readonly mem: Uint8Array;
  readonly readOnly: boolean;
}

/** What a new memory layout needs of its engine. */
export interface MemoryEngine {
  /** Zeroed memory that regions can use; a whole number of pages. @throws EmulatorError without any. */
  allocate(bytes: number): Uint8Array;
  readonly vm: Pick<VmApi, 'setUserMemoryRegion'>;
}

/** The memory of one machine. */
export class VmmMemory {
  readonly #engine: MemoryEngine;
  #ranges: MemoryRange[];
  /** Slots in use: their number is the index, null is free. */
  readonly #slots: (MemoryRange | null)[] = [];
  #a20Open = true;

  constructor(engine: MemoryEngine, ramBytes: number) {
    this.#engine = engine;
    this.#ranges = [{ gpa: 0, mem: engine.allocate(ramBytes), readOnly: false }];
    // The second megabyte is a range of its own, so that the gate can take it away.
    this.#cutAt(ONE_MIB);
    this.#cutAt(2 * ONE_MIB);
  }

  /** The range that holds `gpa`, or null. */
  slotAt(gpa: number): MemoryRange | null {
    return this.#ranges.find((range) => gpa >= range.gpa && gpa < range.gpa + range.mem.length) ?? null;
  }

  /** Copies bytes in, across ranges; what lies beyond memory vanishes. Only before {@link install}. */
  write(gpa: number, bytes: Uint8Array): void {
    for (const range of this.#ranges) {
      const from = Math.max(gpa, range.gpa);
      const to = Math.min(gpa + bytes.length, range.gpa + range.mem.length);
      if (from < to) range.mem.set(bytes.subarray(from - gpa, to - gpa), from - range.gpa);
    }
  }

  /** Bytes as they are now; what lies beyond memory reads as ones. */
  read(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length).fill(0xff);
    for (const range of this.#ranges) {
      const from = Math.max(gpa, range.gpa);
      const to = Math.min(gpa + length, range.gpa + range.mem.length);
      if (from < to) bytes.set(range.mem.subarray(from - range.gpa, to - range.gpa), from - gpa);
    }
    return bytes;
  }

  /**
   * Puts ROM at `gpa`, in place of RAM that lies there. Only before {@link install}.
   *
   * @throws EmulatorError `E_MEMORY` for an address or length that is not whole pages below 4 GiB.
   */
  addRom(bytes: Uint8Array, gpa: number): void {
    const end = gpa + bytes.length;
    if (gpa % PAGE_SIZE !== 0 || bytes.length % PAGE_SIZE !== 0 || bytes.length === 0 || end > FOUR_GIB) {
      throw new EmulatorError(
        'E_MEMORY',
        `rom: 0x${gpa.toString(16)}+0x${bytes.length.toString(16)} is not whole pages below 4 GiB`,
      );
    }
    this.#cutAt(gpa);
    this.#cutAt(end);
    const mem = this.#engine.allocate(bytes.length);
    mem.set(bytes);
    this.#ranges = this.#ranges.filter((range) => range.gpa < gpa || range.gpa >= end);
    this.#ranges.push({ gpa, mem, readOnly: true });
  }

  /** Gives the machine its regions. @throws EmulatorError `E_IOCTL` when it refuses one. */
  install(): void {
    for (const range of this.#visible()) this.#addSlot(range);
  }

  /** Opens or closes the A20 gate of an installed layout. */
  setA20(isOpen: boolean): void {
    if (isOpen === this.#a20Open) return;
    this.#a20Open = isOpen;
    const isGated = ({ gpa }: MemoryRange): boolean => gpa >= ONE_MIB && gpa < 2 * ONE_MIB;
    this.#slots.forEach((range, slot) => {
      if (range !== null && isGated(range)) this.#removeSlot(slot);
    });
    for (const range of this.#visible()) if (isGated(range)) this.#addSlot(range);
  }

  /** Every range in order of address, without aliases. */
  get ranges(): readonly MemoryRange[] {
    return [...this.#ranges].sort((a, b) => a.gpa - b.gpa);
  }

  #visible(): MemoryRange[] {
    if (this.#a20Open) return this.#ranges;
    const low = this.#ranges.filter(({ gpa }) => gpa < ONE_MIB);
    const aliases = low.map((range) => ({ ...range, gpa: range.gpa + ONE_MIB }));
    return [...low, ...aliases, ...this.#ranges.filter(({ gpa }) => gpa >= 2 * ONE_MIB)];
  }

  #cutAt(gpa: number): void {
    this.#ranges = this.#ranges.flatMap((range) => {
      const at = gpa - range.gpa;
      if (at <= 0 || at >= range.mem.length) return [range];
      return [
        { ...range, mem: range.mem.subarray(0, at) },
        { ...range, gpa, mem: range.mem.subarray(at) },
      ];
    });
  }

  #addSlot(range: MemoryRange): void {
    const free = this.#slots.indexOf(null);
    const slot = free < 0 ? this.#slots.length : free;
    this.#slots[slot] = range;
    this.#region(slot, range, range.mem.length);
  }

  #removeSlot(slot: number): void {
    const range = this.#slots[slot];
    this.#slots[slot] = null;
    if (range !== null) this.#region(slot, range, 0);
  }

  #region(slot: number, { gpa, mem, readOnly }: MemoryRange, memory_size: number): void {
    const flags = readOnly && memory_size > 0 ? KVM_MEM_READONLY : 0;
    const region = { slot, flags, guest_phys_addr: gpa, memory_size };
    const r = this.#engine.vm.setUserMemoryRegion(memory_size === 0 ? region : { ...region, mem });
    if (r < 0) throw new EmulatorError('E_IOCTL', `KVM_SET_USER_MEMORY_REGION: ${errnoName(r)}`);
  }
}
