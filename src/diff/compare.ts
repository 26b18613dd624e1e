/**
 * Two machines side by side: what is called a difference, field by field.
 */
import type { KernelDeviceStates } from '../boards/kernel-devices.ts';
import {
  KVM_EXIT_IO,
  KVM_EXIT_MMIO,
  KVM_EXIT_NAMES,
  type KvmRegs,
  type KvmSegment,
  type KvmSregs,
} from '../uapi/kvm.ts';

/** One field that is not the same. */
export interface FieldDifference {
  readonly field: string;
  readonly host: string;
  readonly pio86: string;
}

/** What is compared of an exit. */
export interface ComparedExit {
  readonly reason: number;
  readonly isOut: boolean;
  readonly size: number;
  readonly port: number;
  readonly count: number;
  readonly data: Uint8Array;
  readonly regs: KvmRegs;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** At most so many bytes of data are shown. */
const SHOWN_BYTES = 16;

function bytesText(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString('hex');
  return bytes.length > SHOWN_BYTES ? `${shown}… (${bytes.length} bytes)` : shown;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function compareNumbers<T extends object>(
  prefix: string,
  names: readonly (keyof T & string)[],
  host: Readonly<T>,
  pio86: Readonly<T>,
): FieldDifference[] {
  return names
    .filter((name) => host[name] !== pio86[name])
    .map((name) => ({
      field: `${prefix}${name}`,
      host: hex(Number(host[name])),
      pio86: hex(Number(pio86[name])),
    }));
}

const REG_NAMES: readonly (keyof KvmRegs)[] = [
  'eax',
  'ebx',
  'ecx',
  'edx',
  'esi',
  'edi',
  'esp',
  'ebp',
  'eip',
  'eflags',
];

/** General registers, EIP, EFLAGS. */
export function compareRegs(host: KvmRegs, pio86: KvmRegs): FieldDifference[] {
  return compareNumbers('', REG_NAMES, host, pio86);
}

const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
const SEGMENT_FIELDS: readonly (keyof KvmSegment)[] = [
  'selector',
  'base',
  'limit',
  'type',
  'present',
  'dpl',
  'db',
  's',
  'g',
];

/** Segments, tables, control registers. Of a segment that is not usable only that counts. */
export function compareSregs(host: KvmSregs, pio86: KvmSregs): FieldDifference[] {
  const found: FieldDifference[] = [];
  for (const name of SEGMENTS) {
    const isUsable = ({ unusable, present }: KvmSegment): number => (unusable === 0 && present !== 0 ? 1 : 0);
    const usable = [isUsable(host[name]), isUsable(pio86[name])] as const;
    if (usable[0] !== usable[1])
      found.push({ field: `${name}.usable`, host: String(usable[0]), pio86: String(usable[1]) });
    else if (usable[0] === 1)
      found.push(...compareNumbers(`${name}.`, SEGMENT_FIELDS, host[name], pio86[name]));
  }
  for (const table of ['gdt', 'idt'] as const)
    found.push(...compareNumbers(`${table}.`, ['base', 'limit'], host[table], pio86[table]));
  found.push(...compareNumbers<KvmSregs>('', ['cr0', 'cr2', 'cr3', 'cr4'], host, pio86));
  return found;
}

/** Everything about an exit, the registers at it included. */
export function compareExits(host: ComparedExit, pio86: ComparedExit): FieldDifference[] {
  const found: FieldDifference[] = [];
  if (host.reason !== pio86.reason) {
    return [{ field: 'exit', host: exitText(host), pio86: exitText(pio86) }];
  }
  if (host.isOut !== pio86.isOut)
    found.push({ field: 'direction', host: host.isOut ? 'out' : 'in', pio86: pio86.isOut ? 'out' : 'in' });
  found.push(...compareNumbers<ComparedExit>('', ['port', 'size', 'count'], host, pio86));
  if (!equalBytes(host.data, pio86.data))
    found.push({ field: 'data', host: bytesText(host.data), pio86: bytesText(pio86.data) });
  found.push(...compareRegs(host.regs, pio86.regs));
  return found;
}

/** `KVM_EXIT_IO out port 0x3f8 size 1 count 1 data 48` */
export function exitText(exit: ComparedExit): string {
  const name = KVM_EXIT_NAMES[exit.reason] ?? `exit ${exit.reason}`;
  if (exit.reason !== KVM_EXIT_IO && exit.reason !== KVM_EXIT_MMIO) return name;
  const direction =
    exit.reason === KVM_EXIT_IO ? (exit.isOut ? 'out port' : 'in port') : exit.isOut ? 'write' : 'read';
  return `${name} ${direction} ${hex(exit.port)} size ${exit.size} count ${exit.count} data ${bytesText(exit.data)}`;
}

/** The first byte that is not the same. @param base address of byte 0. */
export function compareMemory(host: Uint8Array, pio86: Uint8Array, base: number): FieldDifference[] {
  // A Buffer compares a page in one call; the search is only for the page that differs.
  if (Buffer.compare(host, pio86) === 0) return [];
  const at = host.findIndex((byte, i) => byte !== pio86[i]);
  const shown = (bytes: Uint8Array): string => bytesText(bytes.subarray(at, at + SHOWN_BYTES));
  return [{ field: `memory at ${hex(base + at)}`, host: shown(host), pio86: shown(pio86) }];
}

/** Which fields of the in-kernel devices depend on the host's time, and are left out and counted. */
export interface DeviceMask {
  /** Whether channel 0's interrupt counts: pin 0 of PIC and IOAPIC. */
  readonly ignoresIrq0: boolean;
  /** Told the name of every field that was left out. */
  masked(field: string): void;
}

const CHIP_NAMES = ['pic master', 'pic slave', 'ioapic'];
const PIT_COMPARED = [
  'count',
  'count_latched',
  'status_latched',
  'read_state',
  'write_state',
  'write_latch',
  'rw_mode',
  'mode',
  'bcd',
  'gate',
] as const;
const PIT_TIMED = ['latched_count', 'status'] as const;
const IRQ0_FIELDS = new Set(['irr', 'last_irr', 'isr']);

/** PIC, IOAPIC and PIT. Latched counts and status bytes depend on time, `count_load_time` is one. */
export function compareDevices(
  host: KernelDeviceStates,
  pio86: KernelDeviceStates,
  mask: DeviceMask,
): FieldDifference[] {
  const found: FieldDifference[] = [];
  host.chips.forEach(([chip, ours], i) => {
    const theirs = pio86.chips[i]?.[1];
    if (theirs === undefined) return;
    const a = flat(ours);
    const b = flat(theirs);
    for (const field of Object.keys(a)) {
      const ignored = mask.ignoresIrq0 && chip !== 1 && IRQ0_FIELDS.has(field) ? 1 : 0;
      if (ignored !== 0) mask.masked(`${CHIP_NAMES[chip]} ${field}, bit 0`);
      const left = ((a[field] ?? 0) & ~ignored) >>> 0;
      const right = ((b[field] ?? 0) & ~ignored) >>> 0;
      if (left !== right)
        found.push({ field: `${CHIP_NAMES[chip]} ${field}`, host: hex(left), pio86: hex(right) });
    }
  });
  host.pit.channels.forEach((channel, i) => {
    const other = pio86.pit.channels[i] ?? channel;
    found.push(...compareNumbers(`pit channel ${i} `, PIT_COMPARED, channel, other));
    for (const name of PIT_TIMED) {
      if (channel[name] !== 0 || other[name] !== 0) mask.masked(`pit channel ${i} ${name}`);
    }
  });
  found.push(...compareNumbers('pit ', ['flags'], host.pit, pio86.pit));
  return found;
}

/** A chip's fields as numbers, the IOAPIC's entries one by one. */
function flat(state: KernelDeviceStates['chips'][number][1]): Record<string, number> {
  if (!('redirtbl' in state)) return { ...state };
  const { redirtbl, ...rest } = state;
  const entries = redirtbl.flatMap(({ low, high }, pin) => [
    [`entry ${pin} low`, low] as const,
    [`entry ${pin} high`, high] as const,
  ]);
  return { ...rest, ...Object.fromEntries(entries) };
}
