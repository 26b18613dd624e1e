import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER, VirtualClock } from '../../../src/bus/clock.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../../../src/bus/io-device.ts';
import { I8254, type I8254Options } from '../../../src/devices/i8254.ts';
import { KVM_PIT_FREQ } from '../../../src/devices/i8254-state.ts';
import { mulU64U32Div } from '../../../src/devices/mul-u64-u32-div.ts';
import { KVM_PIT_FLAGS_HPET_LEGACY } from '../../../src/uapi/kvm.ts';

/** A PIT on a clock of one tick a nanosecond; `ticks` counts the rising edges on GSI 0. */
function testPit(options: I8254Options = {}) {
  const clock = new VirtualClock(1_000_000_000);
  const levels: number[] = [];
  const pit = new I8254(clock, { setIrq: (level) => void levels.push(level) }, options);
  return {
    clock,
    pit,
    levels,
    ticks: () => levels.filter((level) => level === 1).length,
    pass(ns: number) {
      clock.advance(ns);
      clock.runDueAlarms();
    },
    out(port: number, ...values: number[]) {
      for (const value of values) expect(pit.pitDev.write(port, 1, value)).toBe(true);
    },
    in: (port: number) => pit.pitDev.read(port, 1),
  };
}

/** Smallest time after which `ticks` of the PIT's clock have passed. */
const afterTicks = (ticks: number): number => Math.ceil((ticks * 1e9) / KVM_PIT_FREQ);

describe('mulU64U32Div', () => {
  const exact = (a: number, mul: number, div: number) => Number((BigInt(a) * BigInt(mul)) / BigInt(div));

  it('turns any time below 2^53 ns into PIT ticks exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (t) => {
        expect(mulU64U32Div(t, KVM_PIT_FREQ, 1e9)).toBe(exact(t, KVM_PIT_FREQ, 1e9));
      }),
      { numRuns: 2000 },
    );
  });

  it('is exact around whole seconds, around each tick and at the end of time', () => {
    const times = [0, 1, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1];
    for (const second of [1, 1000, 8_388_608, 9_007_198, 9_007_199]) {
      for (const d of [-1, 0, 1]) times.push(second * 1e9 + d);
    }
    for (let tick = 0; tick < 3000; tick++)
      for (const d of [-1, 0, 1]) times.push(afterTicks(tick * 397) + 1 + d);
    for (const t of times) expect(mulU64U32Div(t, KVM_PIT_FREQ, 1e9)).toBe(exact(t, KVM_PIT_FREQ, 1e9));
  });

  it('turns any 32-bit count into nanoseconds exactly', () => {
    expect([65536, 1193].map((count) => mulU64U32Div(count, 1e9, KVM_PIT_FREQ))).toEqual([
      54_925_447, 999_848,
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (count) => {
        expect(mulU64U32Div(count, 1e9, KVM_PIT_FREQ)).toBe(exact(count, 1e9, KVM_PIT_FREQ));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('8254: creation', () => {
  it('holds what KVM_CREATE_PIT2 makes', () => {
    const { pit } = testPit();
    const channel = { count: 0x10000, mode: 0xff, rw_mode: 0, read_state: 0, write_state: 0, bcd: 0 };
    expect(pit.getState()).toMatchObject({
      flags: 0,
      channels: [
        { ...channel, gate: 1 },
        { ...channel, gate: 1 },
        { ...channel, gate: 0 },
      ],
    });
    expect([pit.reinject, pit.timer.deadlineNs]).toEqual([true, NEVER]);
    expect([pit.pitDev.ops, pit.speakerDev.ops]).toEqual(['pit_dev_ops', 'speaker_dev_ops']);
    expect([pit.hasSpeaker, testPit({ speaker: true }).pit.hasSpeaker]).toEqual([false, true]);
  });

  it('takes a count before any control word as a low byte', () => {
    const { pit, out } = testPit();
    out(0x41, 0x12);
    expect(pit.getState().channels[1].count).toBe(0x12);
  });
});

describe('8254: ports', () => {
  it('edge case 1: the control port answers without storing anything', () => {
    expect(testPit().in(0x43)).toBe(IO_NOTHING_STORED);
  });

  it('edge case 7: a two-byte write takes the low byte and leaves the next port alone', () => {
    const { pit, out } = testPit();
    out(0x43, 0x90); // channel 2, low byte
    expect(pit.pitDev.write(0x42, 2, 0xb6_34)).toBe(true);
    expect(pit.getState().channels[2]).toMatchObject({ count: 0x34, mode: 0 });
  });

  it('edge case 8: a four-byte read is one byte, zero-extended', () => {
    const { pit, out } = testPit();
    out(0x43, 0x34);
    out(0x40, 0xff, 0xff);
    expect(pit.pitDev.read(0x40, 4)).toBe(0xff);
  });

  it('declines a port that is none of its own', () => {
    const { pit } = testPit();
    expect([pit.pitDev.read(0x44, 1), pit.pitDev.read(0x3f, 1)]).toEqual([IO_NOT_HANDLED, IO_NOT_HANDLED]);
    expect(pit.pitDev.write(0x44, 1, 0)).toBe(false);
  });

  it.each([
    [0x50, [0x12], 0x12],
    [0x60, [0x12], 0x1200],
    [0x70, [0x12, 0x34], 0x3412],
    [0x70, [0x00, 0x00], 0x10000],
  ])('loads a count under control word %i', (control, bytes, count) => {
    const { pit, out } = testPit();
    out(0x43, control);
    out(0x41, ...bytes);
    expect(pit.getState().channels[1].count).toBe(count);
  });

  it('edge case 63: a second latch is ignored until both bytes are read', () => {
    const { out, in: read, pass } = testPit();
    out(0x43, 0x74);
    out(0x41, 0x00, 0x10);
    pass(afterTicks(0x10));
    out(0x43, 0x40);
    pass(afterTicks(0x200));
    out(0x43, 0x40);
    expect([read(0x41), read(0x41)]).toEqual([0xf0, 0x0f]);
    out(0x43, 0x40);
    expect([read(0x41), read(0x41)]).not.toEqual([0xf0, 0x0f]);
  });

  it('edge case 64: read-back gives status, low byte, high byte, then the live count', () => {
    const { pit, out, in: read, pass } = testPit();
    out(0x43, 0x30);
    out(0x40, 0x34, 0x12);
    out(0x43, 0xc2);
    pass(afterTicks(0x34));
    expect([read(0x40), read(0x40), read(0x40), read(0x40)]).toEqual([0x30, 0x34, 0x12, 0x00]);
    expect(pit.getState().channels[0]).toMatchObject({ count_latched: 0, status_latched: 0 });
  });

  it('reads back only the channels and kinds that are asked for', () => {
    const { pit, out } = testPit();
    out(0x43, 0x30, 0x70, 0xb0, 0xd4, 0xe8);
    expect(pit.getState().channels.map((c) => [c.count_latched, c.status_latched])).toEqual([
      [0, 0],
      [3, 0],
      [0, 1],
    ]);
  });

  it('gives a latched count of one byte by access mode', () => {
    const { out, in: read } = testPit();
    out(0x43, 0x70);
    out(0x41, 0x34, 0x12);
    out(0x43, 0x50, 0x40); // low byte only, latch
    expect(read(0x41)).toBe(0x34);
    out(0x43, 0x60, 0x40); // high byte only, latch
    expect(read(0x41)).toBe(0x12);
  });

  it('alternates low and high byte of the live count', () => {
    const { out, in: read } = testPit();
    out(0x43, 0x70);
    out(0x41, 0x34, 0x12);
    expect([read(0x41), read(0x41), read(0x41)]).toEqual([0x34, 0x12, 0x34]);
    out(0x43, 0x60);
    expect([read(0x41), read(0x41)]).toEqual([0x12, 0x12]);
  });

  it('edge case 65: modes 6 and 7 are 2 and 3, BCD is reported', () => {
    const { pit, out, in: read } = testPit();
    out(0x43, 0x7d, 0xbf, 0xe4, 0xe8);
    expect(
      pit
        .getState()
        .channels.slice(1)
        .map((c) => [c.mode, c.bcd]),
    ).toEqual([
      [2, 1],
      [3, 1],
    ]);
    expect([read(0x41) & 0x7f, read(0x42) & 0x7f]).toEqual([0x35, 0x37]);
  });

  it('reports the mode of a channel that has none as 7, cut to the byte', () => {
    const { out, in: read } = testPit();
    out(0x43, 0xe4);
    expect(read(0x41)).toBe(0xfe);
  });
});

describe('8254: counting', () => {
  /** Channel 1 in `mode` with `count`, after `ticks`: [count, OUT]. */
  function shownAfter(mode: number, count: number, ticks: number): [number, number] {
    const { pit, out, in: read, pass } = testPit();
    out(0x43, 0x70 | (mode << 1));
    out(0x41, count & 0xff, (count >> 8) & 0xff);
    pass(afterTicks(ticks));
    out(0x43, 0x40);
    const shown = read(0x41) | (read(0x41) << 8);
    return [shown, pit.fn.pitGetOut(pit, 1)];
  }

  it.each([
    [0, 10, 9, 1, 0],
    [0, 10, 10, 0, 1],
    [0, 10, 11, 0xffff, 1],
    [1, 10, 9, 1, 1],
    [1, 10, 10, 0, 0],
    [2, 10, 0, 10, 0],
    [2, 10, 9, 1, 0],
    [2, 10, 10, 10, 1],
    [2, 10, 13, 7, 0],
    [3, 10, 0, 10, 1],
    [3, 10, 3, 4, 1],
    [3, 10, 5, 10, 0],
    [3, 11, 5, 1, 1],
    [3, 11, 6, 10, 0],
    [4, 10, 10, 0, 1],
    [4, 10, 11, 0xffff, 0],
    [5, 10, 10, 0, 1],
    [5, 10, 9, 1, 0],
  ])('mode %i, count %i, after %i ticks: count %i, OUT %i', (mode, count, ticks, shown, level) => {
    expect(shownAfter(mode, count, ticks)).toEqual([shown, level]);
  });

  it('edge case 66: count 0 is 65536 and shows as 0; a smaller count never shows 0 in mode 2', () => {
    expect(shownAfter(2, 0, 0)[0]).toBe(0);
    expect(shownAfter(2, 0, 1)[0]).toBe(0xffff);
    for (let tick = 0; tick < 12; tick++) expect(shownAfter(2, 3, tick)[0]).toBeGreaterThan(0);
  });

  it('goes on counting in another mode as soon as the control word says so', () => {
    const { out, in: read, pass } = testPit();
    out(0x43, 0x54);
    out(0x41, 10);
    pass(afterTicks(13));
    expect(read(0x41)).toBe(7);
    out(0x43, 0x50);
    expect(read(0x41)).toBe(0xfd);
  });

  it('channel 0 stands still until its first timer, and goes on past a one-shot', () => {
    const { out, in: read, pass } = testPit();
    pass(1_000_000);
    out(0x43, 0x00);
    expect(read(0x40)).toBe(0);
    out(0x43, 0x10);
    out(0x40, 100);
    pass(afterTicks(101));
    expect(read(0x40)).toBe(0xff);
  });

  it('channel 0 stands still without an IOAPIC', () => {
    const { pit, out, in: read, pass } = testPit({ hasIoapic: false });
    out(0x43, 0x14);
    out(0x40, 100);
    pass(afterTicks(7));
    expect(read(0x40)).toBe(100);
    expect(pit.timer.deadlineNs).toBe(NEVER);
  });
});

describe('8254: channel 0 interrupts', () => {
  /** Periodic at 1 kHz. */
  function periodic(options: I8254Options = {}) {
    const t = testPit(options);
    t.out(0x43, 0x34);
    t.out(0x40, 0xa9, 0x04);
    return t;
  }
  const PERIOD_NS = 999_848;

  it('pulses GSI 0 once a period', () => {
    const { pit, pass, levels } = periodic();
    pass(PERIOD_NS - 1);
    expect(levels).toEqual([]);
    pass(1);
    expect(levels).toEqual([1, 0]);
    pit.onIrqAck();
    pass(PERIOD_NS);
    expect(levels).toEqual([1, 0, 1, 0]);
  });

  it.each([0, 1, 4])('fires once in mode %i', (mode) => {
    const { pit, out, pass, ticks } = testPit();
    out(0x43, 0x30 | (mode << 1));
    out(0x40, 0xa9, 0x04);
    pass(PERIOD_NS);
    pit.onIrqAck();
    pass(10 * PERIOD_NS);
    expect([ticks(), pit.pit_state.timer_active]).toEqual([1, 0]);
  });

  it('does not fire in mode 5, and a load in mode 5 stops the timer', () => {
    const { pit, out, pass, ticks } = periodic();
    out(0x43, 0x3a);
    expect(pit.timer.deadlineNs).not.toBe(NEVER);
    out(0x40, 0, 1);
    pass(10 * PERIOD_NS);
    expect(ticks()).toBe(0);
  });

  it('raises a short period to 200 µs, but not the first interval', () => {
    const { pit, out, pass, ticks } = testPit();
    pit.reinject = false;
    out(0x43, 0x14);
    out(0x40, 12); // 10.05 µs
    pass(10_057);
    expect(ticks()).toBe(1);
    pass(199_999);
    expect(ticks()).toBe(1);
    pass(1);
    expect(ticks()).toBe(2);
  });

  it('keeps ticks that are not acknowledged and gives them one an EOI', () => {
    const { pit, pass, ticks } = periodic();
    for (let i = 0; i < 3; i++) pass(PERIOD_NS);
    expect([ticks(), pit.pit_state.pending]).toEqual([1, 3]);
    pit.onIrqAck();
    pit.onIrqAck();
    expect([ticks(), pit.pit_state.pending]).toEqual([3, 1]);
    pit.onIrqAck();
    pit.onIrqAck();
    expect([ticks(), pit.pit_state.pending]).toEqual([3, 0]);
  });

  it('forgets them when GSI 0 is unmasked, not when it is masked', () => {
    const { pit, pass } = periodic();
    for (let i = 0; i < 3; i++) pass(PERIOD_NS);
    pit.onIrqMask(true);
    expect(pit.pit_state.pending).toBe(3);
    pit.onIrqMask(false);
    expect([pit.pit_state.pending, pit.pit_state.irq_ack]).toEqual([0, 1]);
  });

  it('forgets them when a count is loaded', () => {
    const { pit, out, pass, ticks } = periodic();
    for (let i = 0; i < 3; i++) pass(PERIOD_NS);
    out(0x40, 0xa9, 0x04);
    expect(pit.pit_state.pending).toBe(0);
    pass(PERIOD_NS);
    expect(ticks()).toBe(2);
  });

  it('drops them without reinjection: each period pulses, acknowledged or not', () => {
    const { pit, pass, ticks } = periodic();
    pit.reinject = false;
    for (let i = 0; i < 3; i++) pass(PERIOD_NS);
    pit.onIrqAck();
    pit.onIrqMask(false);
    expect([ticks(), pit.pit_state.pending]).toEqual([3, 0]);
    pit.reinject = true;
    expect(pit.pit_state.irq_ack).toBe(1);
  });

  it('counts the periods that time jumped over, and stays in phase', () => {
    const { pit, pass, ticks } = periodic();
    pass(1_000_000 * PERIOD_NS + 5);
    expect([ticks(), pit.pit_state.pending]).toEqual([1, 1_000_000]);
    expect(pit.timer.deadlineNs).toBe(1_000_001 * PERIOD_NS);
  });

  it('has no timer while an HPET has taken over', () => {
    const { pit, pass, ticks } = periodic();
    pit.setState({ ...pit.getState(), flags: KVM_PIT_FLAGS_HPET_LEGACY });
    pass(10 * PERIOD_NS);
    expect([ticks(), pit.getState().channels[0].mode]).toEqual([0, 2]);
    pit.setState({ ...pit.getState(), flags: 0 });
    pass(PERIOD_NS);
    expect(ticks()).toBe(1);
  });
});

describe('8254: state from outside', () => {
  it('stores KVM_SET_PIT2 and loads every count anew', () => {
    const { clock, pit, pass } = testPit();
    const state = pit.getState();
    Object.assign(state.channels[0], { mode: 2, count: 0 });
    Object.assign(state.channels[2], { mode: 3, count: 1193, rw_mode: 3, gate: 1, latched_count: 7 });
    pass(12_345);
    pit.setState(state);
    expect(pit.getState().channels[2]).toEqual({ ...state.channels[2], count_load_time: 12_345 });
    expect(pit.getState().channels[0].count).toBe(0x10000);
    expect(pit.timer.deadlineNs).toBe(clock.nowNs + 54_925_447);
  });

  it('cuts fields to their widths', () => {
    const { pit } = testPit();
    const state = pit.getState();
    Object.assign(state.channels[1], { mode: 0x102, latched_count: 0x1_2345, count: -1 });
    pit.setState(state);
    expect(pit.getState().channels[1]).toMatchObject({ mode: 2, latched_count: 0x2345, count: 0xffff_ffff });
  });
});
