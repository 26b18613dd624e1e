import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../src/bus/clock.ts';
import type { KvmPicState, KvmPitChannelState } from '../../../src/uapi/kvm.ts';
import { DeviceSet } from './replay.ts';

/** One thing that happens to the devices. */
type Step =
  | { kind: 'out'; addr: number; size: 1 | 2 | 4; value: number }
  | { kind: 'in'; addr: number; size: 1 | 2 | 4 }
  | { kind: 'mw'; addr: number; size: 1 | 2 | 4; value: number }
  | { kind: 'mr'; addr: number; size: 1 | 2 | 4 }
  | { kind: 'irq'; gsi: number; source: number; level: number }
  | { kind: 'inta' }
  | { kind: 'pass'; ns: number };

const ports = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x43, 0x43, 0x61, 0x64];
const size = fc.oneof(
  { weight: 8, arbitrary: fc.constant(1 as const) },
  fc.constantFrom(2 as const, 4 as const),
);
const value = fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0xffff_ffff }));
const addr = fc.constantFrom(...ports);
const mmioAddr = fc.constantFrom(0xfec0_0000, 0xfec0_0000, 0xfec0_0010, 0xfec0_0010, 0xfec0_0040);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('out' as const), addr, size, value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('in' as const), addr, size }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('mw' as const), addr: mmioAddr, size, value }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mr' as const), addr: mmioAddr, size }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('irq' as const),
      gsi: fc.integer({ min: 0, max: 24 }),
      source: fc.integer({ min: 0, max: 1 }),
      level: fc.integer({ min: 0, max: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'inta' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ns: fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: 1e12 })),
    }),
  },
);
const steps = fc.array(step, { maxLength: 120 });

/** Does a step. @returns what the guest sees of it. */
function take(set: DeviceSet, s: Step): unknown {
  switch (s.kind) {
    case 'out':
      return set.out(set.pio, s.addr, s.size, s.value);
    case 'mw':
      return set.out(set.mmio, s.addr, s.size, s.value);
    case 'in':
      return set.in(set.pio, s.addr, s.size);
    case 'mr':
      return set.in(set.mmio, s.addr, s.size);
    case 'irq':
      return set.routing.setIrq(s.source, s.gsi, s.level);
    case 'inta':
      return set.pic.output === 1 ? set.pic.readIrq() : null;
    case 'pass':
      set.passTime(s.ns);
      return set.pic.output;
  }
}

function save(set: DeviceSet) {
  return {
    clock: set.clock.saveState(),
    pic: set.pic.saveState(),
    pit: set.pit.saveState(),
    ioapic: set.ioapic.saveState(),
  };
}

function restored(saved: ReturnType<typeof save>): DeviceSet {
  const set = new DeviceSet({ pit: true });
  set.clock.loadState(saved.clock);
  set.pic.loadState(saved.pic);
  set.pit.loadState(saved.pit);
  set.ioapic.loadState(saved.ioapic);
  return set;
}

const isBit = (n: number): boolean => n === 0 || n === 1;
const isInt = (n: number, min: number, max: number): boolean => Number.isInteger(n) && n >= min && n <= max;

function checkPic(s: KvmPicState, elcrMask: number): void {
  for (const [name, byte] of Object.entries(s)) expect([name, isInt(byte, 0, 0xff)]).toEqual([name, true]);
  expect(s.priority_add).toBeLessThan(8);
  expect(s.irq_base & 7).toBe(0);
  expect(s.init_state).toBeLessThan(4);
  expect([s.elcr_mask, s.elcr & ~elcrMask]).toEqual([elcrMask, 0]);
  const bits = [s.read_reg_select, s.poll, s.special_mask, s.auto_eoi, s.rotate_on_auto_eoi];
  expect([...bits, s.special_fully_nested_mode, s.init4].every(isBit)).toBe(true);
}

function checkChannel(c: KvmPitChannelState, nowNs: number): void {
  expect(isInt(c.count, 1, 0x10000)).toBe(true);
  expect(isInt(c.latched_count, 0, 0xffff)).toBe(true);
  expect(isInt(c.status, 0, 0xff)).toBe(true);
  expect(isInt(c.write_latch, 0, 0xff)).toBe(true);
  expect(isInt(c.mode, 0, 5) || c.mode === 0xff).toBe(true);
  expect([c.rw_mode, c.count_latched].every((n) => isInt(n, 0, 3))).toBe(true);
  expect([c.read_state, c.write_state].every((n) => isInt(n, 0, 4))).toBe(true);
  expect([c.status_latched, c.bcd, c.gate].every(isBit)).toBe(true);
  expect(isInt(c.count_load_time, 0, nowNs)).toBe(true);
}

function checkRanges(set: DeviceSet): void {
  checkPic(set.pic.getState(0), 0xf8);
  checkPic(set.pic.getState(1), 0xde);
  expect(isBit(set.pic.output)).toBe(true);

  const ps = set.pit.saveState();
  for (const c of ps.channels) checkChannel(c, set.clock.nowNs);
  expect([ps.is_periodic, ps.timer_active, ps.reinject, ps.irq_ack].every(isBit)).toBe(true);
  expect(ps.pending).toBeGreaterThanOrEqual(0);
  expect([0, 2]).toContain(ps.flags);
  if (ps.is_periodic === 1) expect(ps.period).toBeGreaterThanOrEqual(200_000);
  expect(set.pit.timer.deadlineNs).toBe(ps.timer_active === 1 ? ps.timer_expires : NEVER);

  const io = set.ioapic.saveState();
  expect([isInt(io.ioregsel, 0, 0xff), isInt(io.id, 0, 15), isInt(io.irr, 0, 0xff_ffff)]).toEqual([
    true,
    true,
    true,
  ]);
  for (const { low, high } of io.redirtbl) {
    expect(isInt(low, 0, 0xffff_ffff) && isInt(high, 0, 0xffff_ffff)).toBe(true);
    expect(low & 0x5000).toBe(0);
  }
}

describe('KVM’s in-kernel devices under random accesses', () => {
  it('keep their state within its documented ranges, and reads within their size', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const set = new DeviceSet({ pit: true });
        for (const s of all) {
          const seen = take(set, s);
          if (s.kind === 'in')
            expect(isInt((seen as { value: number }).value, 0, 2 ** (8 * s.size) - 1)).toBe(true);
          if (s.kind === 'inta' && seen !== null) expect(isInt(seen as number, 0, 0xff)).toBe(true);
          if (s.kind === 'irq') expect(isInt(seen as number, -1, 2)).toBe(true);
        }
        checkRanges(set);
      }),
      { numRuns: 400 },
    );
  });

  it('go on after save and load as if nothing had happened', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const set = new DeviceSet({ pit: true });
        for (const s of before) take(set, s);
        // The emulator's read buffer is not a device: give both sides the same bytes.
        const twin = restored(JSON.parse(JSON.stringify(save(set))));
        for (const each of [set, twin]) each.in(each.pio, 0x3f, 4);
        for (const s of after) expect(take(twin, s)).toEqual(take(set, s));
        expect(save(twin)).toEqual(save(set));
      }),
      { numRuns: 400 },
    );
  });

  it('answer KVM_GET after KVM_SET with what was set, but for load times and spent edges', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const set = new DeviceSet({ pit: true });
        for (const s of all) take(set, s);
        const twin = new DeviceSet({ pit: true });
        for (const chip of [0, 1]) {
          twin.pic.setState(chip, set.pic.getState(chip));
        }
        expect(twin.pic.getState(1)).toEqual(set.pic.getState(1));
        const pit = set.pit.getState();
        twin.pit.setState(pit);
        for (const c of pit.channels.slice(1)) c.count_load_time = twin.clock.nowNs;
        expect(twin.pit.getState()).toEqual(pit);
        const ioapic = set.ioapic.getState();
        twin.ioapic.setState(ioapic);
        expect({ ...twin.ioapic.getState(), irr: 0 }).toEqual({ ...ioapic, irr: 0 });
      }),
      { numRuns: 100 },
    );
  });
});
