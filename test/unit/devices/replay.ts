/**
 * Replays the recorded sequences `dev-*.jsonl.gz` on the devices alone, without CPU or machine: a tiny dispatcher
 * stands for KVM's I/O bus, and a loop over INTA for the guest that takes interrupts.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { VirtualClock } from '../../../src/bus/clock.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice } from '../../../src/bus/io-device.ts';
import { I8254 } from '../../../src/devices/i8254.ts';
import { Pic8259 } from '../../../src/devices/i8259.ts';
import { Ioapic } from '../../../src/devices/ioapic.ts';
import { IrqRouting } from '../../../src/devices/irq-routing.ts';
import { type IoSize, KVM_PIT_IRQ_SOURCE_ID, KVM_USERSPACE_IRQ_SOURCE_ID } from '../../../src/uapi/kvm.ts';

type Maybe = number | null;

export type Op =
  | ['o', port: number, size: IoSize, value: number, exited: number]
  | ['i', port: number, size: IoSize, result: Maybe, exited: number]
  | ['irq', gsi: number, level: number]
  | ['int', vectors: number[]]
  | ['mw', address: number, size: IoSize, value: number, exited: number]
  | ['mr', address: number, size: IoSize, value: Maybe, exited: number];

export interface Sequence {
  id: number;
  dev: string;
  ops: Op[];
  state: unknown;
}

/** The lines of `test/vectors/kvm/<name>`. */
export function readSequences(name: string): Sequence[] {
  const path = new URL(`../../vectors/kvm/${name}`, import.meta.url);
  const text = gunzipSync(readFileSync(path)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Sequence);
}

/** Devices in sorted ranges; an access must lie within one whole (facts of KVM's bus, without nested ranges). */
export class RangeBus {
  readonly #ranges: { addr: number; len: number; dev: IoDevice }[] = [];

  add(addr: number, len: number, dev: IoDevice): void {
    this.#ranges.push({ addr, len, dev });
    this.#ranges.sort((a, b) => a.addr - b.addr);
  }

  find(addr: number, size: number): IoDevice | undefined {
    return this.#ranges.find((r) => addr >= r.addr && addr + size <= r.addr + r.len)?.dev;
  }
}

/** What a new VM with irqchip and PIT (and speaker) holds. */
export class DeviceSet {
  /** One tick a nanosecond. */
  readonly clock = new VirtualClock(1_000_000_000);
  readonly pic = new Pic8259();
  readonly ioapic = new Ioapic(this.clock);
  readonly routing = new IrqRouting(this.pic, this.ioapic);
  readonly pit = new I8254(
    this.clock,
    { setIrq: (level) => void this.routing.setIrq(KVM_PIT_IRQ_SOURCE_ID, 0, level) },
    { speaker: true, hasIoapic: true },
  );
  readonly pio = new RangeBus();
  readonly mmio = new RangeBus();
  /** `io_read.data` of the emulator: what an IN that stores nothing shows. */
  readonly #readBuffer = new Uint8Array(4);

  constructor({ pit }: { pit: boolean }) {
    this.pio.add(0x20, 2, this.pic.devMaster);
    this.pio.add(0xa0, 2, this.pic.devSlave);
    this.pio.add(0x4d0, 2, this.pic.devEclr);
    this.mmio.add(0xfec0_0000, 0x100, this.ioapic.dev);
    if (!pit) return;
    this.routing.registerIrqAckNotifier(0, () => this.pit.onIrqAck());
    this.routing.registerIrqMaskNotifier(0, (masked) => this.pit.onIrqMask(masked));
    this.pio.add(0x40, 4, this.pit.pitDev);
    this.pio.add(0x61, 4, this.pit.speakerDev);
  }

  passTime(ns: number): void {
    this.clock.advance(ns);
    this.clock.runDueAlarms();
  }

  /** @returns whether the access left the kernel. */
  out(bus: RangeBus, addr: number, size: IoSize, value: number): boolean {
    const cut = size === 4 ? value >>> 0 : value & (2 ** (8 * size) - 1);
    return !(bus.find(addr, size)?.write(addr, size, cut) ?? false);
  }

  /** @returns the value in the emulator's read buffer, and whether the access left the kernel. */
  in(bus: RangeBus, addr: number, size: IoSize): { value: number; exited: boolean } {
    const read = bus.find(addr, size)?.read(addr, size) ?? IO_NOT_HANDLED;
    const exited = read === IO_NOT_HANDLED;
    const data = exited ? 0xffff_ffff : read;
    let value = 0;
    for (let i = 0; i < size; i++) {
      if (read !== IO_NOTHING_STORED) this.#readBuffer[i] = data >>> (8 * i);
      value += this.#readBuffer[i] * 2 ** (8 * i);
    }
    return { value, exited };
  }

  /**
   * The guest's 16 OUTs with IF = 1: before each, and again after every IRET, what INTR offers is taken. The handlers
   * touch no controller, so all that can come comes at the first boundary.
   */
  takeInterrupts(): number[] {
    const vectors: number[] = [];
    for (let boundary = 0; boundary < 16 && this.pic.output === 1; boundary++)
      vectors.push(this.pic.readIrq());
    return vectors;
  }
}

/** Port 0x61: bits 4 (refresh) and 5 (OUT2) are not recorded. */
const RECORDED_0X61 = 0xcf;

/** Does one operation. @returns a line that says what differs, or null. */
export function replayOp(set: DeviceSet, op: Op): string | null {
  switch (op[0]) {
    case 'irq':
      set.routing.setIrq(KVM_USERSPACE_IRQ_SOURCE_ID, op[1], op[2]);
      return null;
    case 'int':
      return differs('int', op[1], set.takeInterrupts());
    case 'o':
    case 'mw': {
      const exited = set.out(op[0] === 'o' ? set.pio : set.mmio, op[1], op[2], op[3]);
      return differs('exited', op[4], exited ? 1 : 0);
    }
    case 'i':
    case 'mr': {
      const [kind, addr, size, expected, exited] = op;
      const got = set.in(kind === 'i' ? set.pio : set.mmio, addr, size);
      const mask = kind === 'i' && addr === 0x61 ? RECORDED_0X61 : 0xffff_ffff;
      const value = expected === null ? null : (got.value & mask) >>> 0;
      return differs('value', expected, value) ?? differs('exited', exited, got.exited ? 1 : 0);
    }
  }
}

function differs(what: string, expected: unknown, got: unknown): string | null {
  const e = JSON.stringify(expected);
  const g = JSON.stringify(got);
  return e === g ? null : `${what}: expected ${e}, got ${g}`;
}

/** Compares each recorded field that is not null. @returns the paths that differ. */
export function diffState(expected: unknown, got: unknown, path = 'state'): string[] {
  if (expected === null) return [];
  if (typeof expected !== 'object') {
    const line = differs(path, expected, got);
    return line === null ? [] : [line];
  }
  const lines: string[] = [];
  for (const [key, value] of Object.entries(expected)) {
    lines.push(...diffState(value, (got as Record<string, unknown>)?.[key], `${path}.${key}`));
  }
  return lines;
}
