/**
 * Format `kvm dev-*`: random access sequences on KVM's in-kernel devices, each line from a new VM
 * (vectors/kvm/FORMAT.md), replayed as guest instructions.
 */

import { nsToTicks } from '../bus/clock.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { EmulatorError } from '../errors.ts';
import type { JitOptions } from '../jit/engine.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vm } from '../kvm/vm.ts';
import {
  type IoSize,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  KVM_PIT_SPEAKER_DUMMY,
  type KvmIoapicRedirectEntry,
} from '../uapi/kvm.ts';
import { type CaseDiff, hex } from './case-diff.ts';
import { DevGuest, type DeviceAccess } from './dev-guest.ts';
import {
  arrayField,
  asNumber,
  asRow,
  fieldError,
  isObject,
  type Json,
  type JsonObject,
  objectField,
} from './json-fields.ts';
import type { Replayer, VectorFormat } from './vector-format.ts';

/** Time that passes before each op of a `pit` line. */
const PIT_STEP_NS = 500_000;
const U32 = 0xffff_ffff;
/** Of port 0x61 the refresh toggle and OUT2 depend on time and are not recorded. */
const SPEAKER_PORT = 0x61;
const SPEAKER_MASK = 0xcf;
const DEVICES: readonly string[] = ['pic', 'pit', 'ioapic'];

/** See the opening comment. */
export const KVM_DEV: VectorFormat = {
  name: 'kvm dev',
  detect: (first) => typeof first.dev === 'string' && Array.isArray(first.ops) && isObject(first.state),
  open: (_first, _folder, jit) => new KvmDevReplayer(jit),
};

class KvmDevReplayer implements Replayer {
  readonly #jit: JitOptions | false;
  cpu: Cpu | null = null;

  constructor(jit: JitOptions | false) {
    this.#jit = jit;
  }

  exclusions(test: JsonObject): readonly string[] {
    return DEVICES.includes(String(test.dev)) ? [] : [`needs ${String(test.dev)}`];
  }

  idOf(test: JsonObject): string {
    return `id=${String(test.id)}`;
  }

  describe(test: JsonObject): string {
    return `${String(test.dev)}, ${arrayField(test, 'ops').length} ops`;
  }

  replay(test: JsonObject, diff: CaseDiff): void {
    const guest = new DevGuest(this.#jit);
    this.cpu = guest.cpu;
    const isPit = test.dev === 'pit';
    if (isPit) guest.vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY });
    for (const [i, op] of arrayField(test, 'ops').entries()) {
      if (isPit) passTime(guest.vm, PIT_STEP_NS);
      replayOp(guest, i, asRow(op, 'ops', 2), diff);
    }
    const state = objectField(test, 'state');
    if (isPit) comparePit(guest.vm, state, diff);
    else if (test.dev === 'ioapic') compareIoapic(guest.vm, state, diff);
    else comparePics(guest.vm, state, diff);
  }

  finish(): void {}
}

/** Lets time pass as it would: alarms run when they are due. */
function passTime(vm: Vm, ns: number): void {
  const { clock } = vm;
  const end = nsToTicks(clock.nowNs + ns, clock.ips);
  while (clock.nextDeadlineTick <= end) {
    clock.skipToDeadline();
    clock.runDueAlarms();
  }
  if (end > clock.ticks) clock.advance(end - clock.ticks);
}

function replayOp(guest: DevGuest, i: number, op: readonly Json[], diff: CaseDiff): void {
  switch (op[0]) {
    case 'o':
    case 'i':
      portOp(guest, i, asRow(op, 'ops', 5), diff);
      return;
    case 'mw':
    case 'mr':
      mmioOp(guest, i, asRow(op, 'ops', 5), diff);
      return;
    case 'irq':
      guest.vm.irqLine(asNumber(op[1], 'ops gsi', 23), asNumber(op[2], 'ops level', 1));
      return;
    case 'int': {
      const expected = asRow(op[1] ?? null, 'ops vectors', 0).join(' ');
      const got = guest.takeInterrupts().join(' ');
      if (expected !== got) diff.text(`op ${i} vectors`, expected || 'none', got || 'none');
      return;
    }
    default:
      throw new EmulatorError('E_VECTOR', `op ${i}: "${String(op[0])}" is no operation`);
  }
}

function portOp(guest: DevGuest, i: number, op: readonly Json[], diff: CaseDiff): void {
  const port = asNumber(op[1], 'ops port', 0xffff);
  const size = asIoSize(op[2]);
  const isIn = op[0] === 'i';
  const what = `op ${i} ${isIn ? 'in' : 'out'} ${hex(port, 2)} size ${size}`;
  const access = isIn ? guest.in(port, size) : guest.out(port, size, asNumber(op[3], 'ops value', U32));
  compareEnd(what, asNumber(op[4], 'ops exited', 1), access, diff);
  if (!isIn || op[3] === null) return;
  const mask = port === SPEAKER_PORT && access.exited === 0 ? SPEAKER_MASK : -1;
  diff.number(what, asNumber(op[3], 'ops result', U32), (access.eax & mask) >>> 0, 2);
}

function mmioOp(guest: DevGuest, i: number, op: readonly Json[], diff: CaseDiff): void {
  const addr = asNumber(op[1], 'ops address', U32);
  const size = asIoSize(op[2]);
  const value = asNumber(op[3], 'ops value', U32);
  const isRead = op[0] === 'mr';
  const what = `op ${i} mov ${isRead ? 'from' : 'to'} ${hex(addr, 8)} size ${size}`;
  const access = isRead ? guest.mmioRead(addr, size) : guest.mmioWrite(addr, size, value);
  compareEnd(what, asNumber(op[4], 'ops exited', 1), access, diff);
  if (isRead) diff.number(what, value, access.eax, 2);
}

function compareEnd(what: string, exited: number, access: DeviceAccess, diff: CaseDiff): void {
  if (!access.ended) diff.text(what, 'HLT behind the instruction', 'another end');
  diff.number(`${what} exited`, exited, access.exited, 1);
}

function asIoSize(value: Json): IoSize {
  if (value !== 1 && value !== 2 && value !== 4) throw fieldError('ops size', '1, 2 or 4');
  return value;
}

type PicChip = typeof KVM_IRQCHIP_PIC_MASTER | typeof KVM_IRQCHIP_PIC_SLAVE;

function picFields(vm: Vm, chip: PicChip): Record<string, number> {
  return { ...orThrow(vm.getIrqchip(chip), 'KVM_GET_IRQCHIP') };
}

function comparePics(vm: Vm, state: JsonObject, diff: CaseDiff): void {
  compareFields('master', objectField(state, 'master'), picFields(vm, KVM_IRQCHIP_PIC_MASTER), diff);
  compareFields('slave', objectField(state, 'slave'), picFields(vm, KVM_IRQCHIP_PIC_SLAVE), diff);
}

function comparePit(vm: Vm, state: JsonObject, diff: CaseDiff): void {
  const got = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
  const want = asRow(state.channels, 'channels', got.channels.length);
  for (const [i, channel] of got.channels.entries()) {
    const expected = want[i];
    if (!isObject(expected)) throw fieldError('channels', 'an array of objects');
    compareFields(`channel ${i}`, expected, { ...channel }, diff);
  }
  diff.number('flags', asNumber(state.flags, 'flags', U32), got.flags, 1);
}

function compareIoapic(vm: Vm, state: JsonObject, diff: CaseDiff): void {
  const { redirtbl, ...registers } = orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP');
  const { redirtbl: table, ...expected } = state;
  compareFields('ioapic', expected, registers, diff);
  const want = asRow(table, 'redirtbl', redirtbl.length);
  for (const [pin, entry] of redirtbl.entries()) {
    const got = entryHex(entry);
    if (want[pin] !== got) diff.text(`redirtbl ${pin}`, String(want[pin]), got);
  }
}

/** As it lies in memory: eight bytes, the low half first. */
function entryHex({ low, high }: Readonly<KvmIoapicRedirectEntry>): string {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(low, 0);
  bytes.writeUInt32LE(high, 4);
  return bytes.toString('hex');
}

/** Compares every field that the vector has; `null` depends on elapsed time and is not compared. */
function compareFields(
  what: string,
  expected: JsonObject,
  got: Readonly<Record<string, number>>,
  diff: CaseDiff,
): void {
  for (const [name, value] of Object.entries(expected)) {
    if (value === null) continue;
    diff.number(`${what} ${name}`, asNumber(value, name, U32), got[name] ?? -1, 2);
  }
}
