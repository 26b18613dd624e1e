/**
 * The boards' memory: RAM from address 0 in one slot (there is no hole for a display below 1 MiB), ROM in it as
 * read-only pages or beside it as read-only slots. Limits of what a board can be given stand here too.
 */
import { isTickRate, MAX_IPS } from '../bus/clock.ts';
import { EmulatorError } from '../errors.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vm } from '../kvm/vm.ts';
import { KVM_MEM_READONLY } from '../uapi/kvm.ts';

const PAGE_SIZE = 4096;
const FOUR_GIB = 0x1_0000_0000;
/** 64 KiB: one real-mode segment. */
const MIN_MEMORY_BYTES = 0x1_0000;
/** 3 GiB: above it lie devices and ROM. */
const MAX_MEMORY_BYTES = 0xc000_0000;
/** 0000-01-01 and 9999-12-31, what the RTC can show. */
const MIN_RTC_SECONDS = -62_167_219_200;
const MAX_RTC_SECONDS = 253_402_300_799;

const hex = (value: number): string => `0x${value.toString(16)}`;

/** @throws EmulatorError `E_ARGUMENT` unless RAM of that size can be made. */
export function checkedMemoryBytes(bytes: number): number {
  if (bytes % PAGE_SIZE === 0 && bytes >= MIN_MEMORY_BYTES && bytes <= MAX_MEMORY_BYTES) return bytes;
  throw new EmulatorError(
    'E_ARGUMENT',
    `board: ${bytes} bytes of memory are not a whole number of 4 KiB pages from 64 KiB to 3 GiB`,
  );
}

/** @throws EmulatorError `E_ARGUMENT` unless a clock can have so many ticks a second. */
export function checkedTickRate(ips: number): number {
  if (isTickRate(ips)) return ips;
  throw new EmulatorError('E_ARGUMENT', `board: ips ${ips} is not a whole number from 1 to ${MAX_IPS}`);
}

/** @throws EmulatorError `E_ARGUMENT` unless the RTC can show that time. */
export function checkedRtcSeconds(seconds: number): number {
  if (Number.isInteger(seconds) && seconds >= MIN_RTC_SECONDS && seconds <= MAX_RTC_SECONDS) return seconds;
  throw new EmulatorError(
    'E_ARGUMENT',
    `board: RTC time ${seconds} is not whole seconds of the years 0 to 9999`,
  );
}

/**
 * Maps ROM at `gpa`: page by page, into memory that is there or as slots where there is none.
 *
 * @throws EmulatorError `E_MEMORY` for an address or length that is not whole pages below 4 GiB.
 */
export function addRom(vm: Pick<Vm, 'memory' | 'setUserMemoryRegion'>, bytes: Uint8Array, gpa: number): void {
  const end = gpa + bytes.length;
  if (
    gpa % PAGE_SIZE !== 0 ||
    bytes.length % PAGE_SIZE !== 0 ||
    bytes.length === 0 ||
    gpa < 0 ||
    end > FOUR_GIB
  ) {
    throw new EmulatorError(
      'E_MEMORY',
      `rom: ${hex(gpa)}+${hex(bytes.length)} is not a whole number of 4 KiB pages below 4 GiB`,
    );
  }
  for (let at = gpa; at < end; ) {
    const slot = vm.memory.slotAt(at);
    const stop = slot === null ? nextSlot(vm, at, end) : Math.min(end, slot.gpa + slot.mem.length);
    // A copy: a Buffer's own `slice` would be a view of the caller's bytes.
    const part = new Uint8Array(bytes.subarray(at - gpa, stop - gpa));
    if (slot === null) addSlot(vm, part, at);
    else {
      vm.memory.write(at, part);
      vm.memory.protectRange(at, part.length);
    }
    at = stop;
  }
}

/** Where the hole at `at` ends, `end` at the latest. */
function nextSlot({ memory }: Pick<Vm, 'memory'>, at: number, end: number): number {
  return memory.slots.reduce((stop, slot) => (slot.gpa > at ? Math.min(stop, slot.gpa) : stop), end);
}

function addSlot(vm: Pick<Vm, 'memory' | 'setUserMemoryRegion'>, mem: Uint8Array, gpa: number): void {
  let slot = 0;
  while (vm.memory.slots.some((other) => other.slot === slot)) slot++;
  orThrow(
    vm.setUserMemoryRegion({
      slot,
      flags: KVM_MEM_READONLY,
      guest_phys_addr: gpa,
      memory_size: mem.length,
      mem,
    }),
    'KVM_SET_USER_MEMORY_REGION',
  );
}
