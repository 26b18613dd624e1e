/**
 * Target `bus`: devices and ioeventfds that come and go on the port bus, and accesses between them, against a plain list.
 * Ranges are equal or apart: in which order KVM's binary search meets ranges that overlap otherwise is no rule to hold it to.
 *
 * Linux: virt/kvm/kvm_main.c, `kvm_io_bus_register_dev`; virt/kvm/eventfd.c, `kvm_ioeventfd`.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../../bus/io-device.ts';
import { EmulatorError } from '../../errors.ts';
import { Eventfd } from '../../kvm/eventfd.ts';
import { Kvm } from '../../kvm/kvm.ts';
import { EEXIST, ENOENT } from '../../uapi/errno.ts';
import {
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_DEASSIGN,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_PIO_BUS,
} from '../../uapi/kvm.ts';
import { ListTarget } from '../engine/list-target.ts';
import type { Prng } from '../prng.ts';

/** What a step does. Slots are ranges of eight ports; `id` names a device or an eventfd. */
const KINDS = ['add', 'remove', 'assign', 'deassign', 'read', 'write'] as const;

/** One step. */
export interface BusStep {
  readonly kind: (typeof KINDS)[number];
  readonly id: number;
  readonly slot: number;
  /** Access size, or the length of an ioeventfd. */
  readonly size: 1 | 2 | 4;
  /** What is written, or matched; −1: any. */
  readonly value: number;
}

const SLOTS = 6;
const SLOT_BASE = 0x100;
const SLOT_PORTS = 8;
const IDS = 5;
const SIZES = [1, 2, 4] as const;

function generate(random: Prng): BusStep[] {
  return Array.from({ length: 3 + random.below(40) }, () => ({
    kind: random.pick(KINDS),
    id: random.below(IDS),
    slot: random.below(SLOTS),
    size: random.pick(SIZES),
    value: random.below(4) - (random.oneIn(3) ? 1 : 0),
  }));
}

const baseOf = (slot: number): number => SLOT_BASE + slot * SLOT_PORTS;
/** Devices 0 to 2 answer, the others decline. */
const answers = (id: number): boolean => id < 3;

/** Something on the list. */
interface Entry {
  readonly slot: number;
  readonly id: number;
  /** Length and match of an ioeventfd; null for a device. */
  readonly event: { readonly size: number; readonly value: number } | null;
}

/** The bus as a list in the order of registration. */
class NaiveBus {
  entries: Entry[] = [];
  /** Signals by eventfd. */
  readonly signals = Array.from({ length: IDS }, () => 0);

  run({ kind, id, slot, size, value }: BusStep): string {
    const event = { size, value };
    switch (kind) {
      case 'add':
        this.entries.push({ slot, id, event: null });
        return '0';
      case 'remove':
        this.#removeDevice(id);
        return '0';
      case 'assign':
        if (this.entries.some((entry) => collides(entry, slot, event))) return String(-EEXIST);
        this.entries.push({ slot, id, event });
        return '0';
      case 'deassign':
        return this.#deassign(slot, id, event);
      case 'read':
        return this.#deviceOf(slot)?.toString() ?? 'nobody';
      default:
        return this.#write(slot, size, Math.max(value, 0));
    }
  }

  /** KVM removes the first range of a device; ranges are sorted by address. */
  #removeDevice(id: number): void {
    const own = this.entries.filter((entry) => entry.event === null && entry.id === id);
    const first = own.toSorted((a, b) => a.slot - b.slot)[0];
    this.entries = this.entries.filter((entry) => entry !== first);
  }

  #deassign(slot: number, id: number, event: { size: number; value: number }): string {
    const found = this.entries.find(
      (entry) =>
        entry.id === id &&
        entry.slot === slot &&
        entry.event !== null &&
        entry.event.size === event.size &&
        entry.event.value === event.value,
    );
    if (found === undefined) return String(-ENOENT);
    this.entries = this.entries.filter((entry) => entry !== found);
    return '0';
  }

  #deviceOf(slot: number): number | undefined {
    return this.entries.find((entry) => entry.event === null && entry.slot === slot && answers(entry.id))?.id;
  }

  /** An ioeventfd lies on ports of its own: see {@link portOf}. */
  #write(slot: number, size: number, value: number): string {
    const events = this.entries.filter(({ event, slot: at }) => event !== null && at === slot);
    const taker = events.find(
      ({ event }) => event?.size === size && (event.value < 0 || event.value === value),
    );
    if (taker !== undefined) this.signals[taker.id]++;
    const device = this.#deviceOf(slot)?.toString() ?? 'nobody';
    return `${taker === undefined ? 'nobody' : 'event'} ${device}`;
  }
}

function collides(entry: Entry, slot: number, event: { size: number; value: number }): boolean {
  if (entry.event === null || entry.slot !== slot || entry.event.size !== event.size) return false;
  return entry.event.value < 0 || event.value < 0 || entry.event.value === event.value;
}

/** Ports of the ioeventfds of a slot, a place for each length: two lengths at one address would overlap. */
function eventPort(slot: number, size: number): number {
  return 0x1000 + slot * 16 + size * 2;
}

/** The emulator's side. */
class BusUnderTest {
  readonly #vm = new Kvm().createVm();
  readonly #devices: IoDevice[];
  readonly #fds = Array.from({ length: IDS }, () => new Eventfd());
  #taken = -1;

  constructor() {
    this.#devices = Array.from({ length: IDS }, (_, id) => ({
      name: `device ${id}`,
      read: () => (answers(id) ? id : IO_NOT_HANDLED),
      write: () => {
        if (answers(id)) this.#taken = id;
        return answers(id);
      },
    }));
  }

  signals(): number[] {
    return this.#fds.map((fd) => Number(fd.count));
  }

  run({ kind, id, slot, size, value }: BusStep): string {
    const bus = this.#vm.buses[KVM_PIO_BUS];
    switch (kind) {
      case 'add':
        return String(bus.fn.kvmIoBusRegisterDev(bus, baseOf(slot), SLOT_PORTS, this.#devices[id]));
      case 'remove':
        return String(bus.fn.kvmIoBusUnregisterDev(bus, this.#devices[id]));
      case 'assign':
        return String(this.#ioeventfd(id, slot, size, value, 0));
      case 'deassign':
        return String(this.#ioeventfd(id, slot, size, value, KVM_IOEVENTFD_FLAG_DEASSIGN));
      case 'read': {
        const got = bus.fn.kvmIoBusRead(bus, baseOf(slot), size);
        return got === IO_NOT_HANDLED ? 'nobody' : String(got);
      }
      default:
        return this.#write(slot, size, Math.max(value, 0));
    }
  }

  #write(slot: number, size: IoSize, value: number): string {
    const bus = this.#vm.buses[KVM_PIO_BUS];
    const event = bus.fn.kvmIoBusWrite(bus, eventPort(slot, size), size, value) ? 'event' : 'nobody';
    this.#taken = -1;
    bus.fn.kvmIoBusWrite(bus, baseOf(slot), size, value);
    return `${event} ${this.#taken < 0 ? 'nobody' : this.#taken}`;
  }

  #ioeventfd(id: number, slot: number, len: number, value: number, flag: number): number {
    const match = value < 0 ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH;
    const datamatch = Math.max(value, 0);
    const flags = KVM_IOEVENTFD_FLAG_PIO | match | flag;
    return this.#vm.ioeventfd({ datamatch, addr: eventPort(slot, len), len, fd: this.#fds[id], flags });
  }
}

function judge(steps: readonly BusStep[]): string[] {
  const naive = new NaiveBus();
  const bus = new BusUnderTest();
  for (const [i, step] of steps.entries()) {
    const expected = naive.run(step);
    const got = bus.run(step);
    if (expected !== got) return [`step ${i + 1}: expected ${expected}, got ${got}`];
    const signals = bus.signals();
    if (naive.signals.some((count, id) => count !== signals[id])) {
      return [`step ${i + 1}: expected signals ${naive.signals.join(' ')}, got ${signals.join(' ')}`];
    }
  }
  return [];
}

function fromText(line: string): BusStep {
  const match = /^(\w+) id (\d) slot (\d) size ([124]) value (-1|\d+)$/.exec(line);
  const kind = KINDS.find((known) => known === match?.[1]);
  const [id, slot, size, value] = (match ?? []).slice(2).map(Number);
  const length = SIZES.find((known) => known === size);
  if (kind === undefined || length === undefined || !(id < IDS && slot < SLOTS)) {
    throw new EmulatorError('E_ARGUMENT', `"${line.slice(0, 40)}" is not a step of the bus`);
  }
  return { kind, id, slot, size: length, value };
}

/** See the opening comment. */
export function createBusTarget(): ListTarget<BusStep> {
  return new ListTarget({
    name: 'bus',
    generate,
    judge,
    toText: ({ kind, id, slot, size, value }) => `${kind} id ${id} slot ${slot} size ${size} value ${value}`,
    fromText,
  });
}
