import { describe, expect, it } from 'vitest';
import { NEVER, VirtualClock } from '../../../src/bus/clock.ts';
import { IO_NOT_HANDLED, type IoSize } from '../../../src/bus/io-device.ts';
import { Ioapic } from '../../../src/devices/ioapic.ts';
import type { KvmLapicIrq } from '../../../src/devices/lapic-state.ts';
import { EmulatorError } from '../../../src/errors.ts';

const BASE = 0xfec0_0000;
const SELECT = BASE;
const WINDOW = BASE + 0x10;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;
const REMOTE_IRR = 0x4000;

/** An IOAPIC whose interrupts `answer` processors take; `sent` notes them. */
function testIoapic({ answer = 1, resampler = false } = {}) {
  const clock = new VirtualClock(1_000_000_000);
  const sent: KvmLapicIrq[] = [];
  const ioapic = new Ioapic(clock, {
    deliver: (irqe) => {
      sent.push({ ...irqe });
      return answer;
    },
    notifyIrqfdResampler: () => resampler,
  });
  return {
    clock,
    ioapic,
    sent,
    vectors: () => sent.map(({ vector }) => vector),
    write(index: number, value: number, size: IoSize = 4) {
      expect(ioapic.dev.write(SELECT, 4, index)).toBe(true);
      expect(ioapic.dev.write(WINDOW, size, value)).toBe(true);
    },
    read(index: number, size: IoSize = 4) {
      ioapic.dev.write(SELECT, 4, index);
      return ioapic.dev.read(WINDOW, size);
    },
  };
}

const low = (pin: number): number => 0x10 + 2 * pin;
const high = (pin: number): number => 0x11 + 2 * pin;

describe('IOAPIC registers', () => {
  it('starts with every pin masked', () => {
    const { ioapic } = testIoapic();
    expect(ioapic.getState()).toEqual({
      base_address: BASE,
      ioregsel: 0,
      id: 0,
      irr: 0,
      redirtbl: Array.from({ length: 24 }, () => ({ low: MASKED, high: 0 })),
    });
    expect(ioapic.dev.ops).toBe('ioapic_mmio_ops');
  });

  it('edge case 75: shows its version, and all ones where no register is', () => {
    const { read } = testIoapic();
    expect([read(0x01), read(0x05), read(0x40), read(0xff)]).toEqual([
      0x0017_0011, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff,
    ]);
  });

  it('edge case 75: has no EOI register; other offsets read 0', () => {
    const { ioapic, write } = testIoapic();
    write(low(3), 0x33);
    const before = ioapic.saveState();
    expect(ioapic.dev.write(BASE + 0x40, 4, 0x33)).toBe(true);
    expect([ioapic.dev.read(BASE + 0x40, 4), ioapic.dev.read(BASE + 1, 4)]).toEqual([0, 0]);
    expect(ioapic.saveState()).toEqual(before);
  });

  it('keeps four bits of its identification, which arbitration shows too', () => {
    const { read, write } = testIoapic();
    write(0x00, 0xff12_3456);
    write(0x01, 0xffff_ffff);
    write(0x02, 0);
    expect([read(0x00), read(0x02)]).toEqual([0x0f00_0000, 0x0f00_0000]);
  });

  it('writes whole registers, whatever the size, and cuts reads', () => {
    const { ioapic, read, write } = testIoapic();
    write(high(4), 0xab00_0000);
    write(low(4), 0xfffe_a7ff);
    expect(read(low(4))).toBe(0xfffe_a7ff);
    expect([read(low(4), 1), read(low(4), 2)]).toEqual([0xff, 0xa7ff]);
    write(low(4), 0x21, 1);
    expect([read(low(4)), read(high(4))]).toEqual([0x21, 0xab00_0000]);
    ioapic.dev.write(SELECT, 4, 0x1_02);
    expect(ioapic.dev.read(SELECT, 4)).toBe(0x02);
  });

  it('takes eight bytes as the lower four', () => {
    const { ioapic, read } = testIoapic();
    const data = Uint8Array.of(high(1), 1, 1, 1, 9, 9, 9, 9);
    expect(ioapic.dev.write64?.(SELECT, data)).toBe(true);
    expect(ioapic.dev.write64?.(WINDOW, Uint8Array.of(1, 2, 3, 0x84, 9, 9, 9, 9))).toBe(true);
    expect(read(high(1))).toBe(0x8403_0201);
    expect(ioapic.dev.read64?.(WINDOW, data)).toBe(true);
    expect([...data]).toEqual([1, 2, 3, 0x84, 0, 0, 0, 0]);
    expect([ioapic.dev.read64?.(BASE + 0x100, data), ioapic.dev.write64?.(BASE + 0x100, data)]).toEqual([
      false,
      false,
    ]);
  });

  it('declines addresses outside its page part', () => {
    const { ioapic } = testIoapic();
    expect(ioapic.dev.read(BASE + 0x100, 4)).toBe(IO_NOT_HANDLED);
    expect(ioapic.dev.write(BASE - 4, 4, 0)).toBe(false);
  });

  it('keeps the read-only bits of an entry, but remote IRR goes with edge trigger', () => {
    const { ioapic, read, write } = testIoapic();
    write(low(5), LEVEL | 0x55);
    ioapic.setIrq(5, 0, 1);
    expect(read(low(5))).toBe(LEVEL | REMOTE_IRR | 0x55);
    write(low(5), LEVEL | 0x1000 | 0x56);
    expect(read(low(5))).toBe(LEVEL | REMOTE_IRR | 0x56);
    write(low(5), MASKED | REMOTE_IRR | 0x56);
    expect(read(low(5))).toBe(MASKED | 0x56);
  });
});

describe('IOAPIC pins', () => {
  it('sends an entry’s fields', () => {
    const { ioapic, sent, write } = testIoapic();
    write(high(7), 0x0a00_0000);
    write(low(7), 0x0000_8931);
    expect(ioapic.setIrq(7, 0, 1)).toBe(1);
    expect(sent).toMatchObject([
      { vector: 0x31, delivery_mode: 0x100, dest_mode: 1, trig_mode: 1, dest_id: 0x0a },
    ]);
  });

  it('edge case 74: an edge while masked is not sent on unmasking; the next one after a low line is', () => {
    const { ioapic, write, vectors } = testIoapic();
    expect(ioapic.setIrq(3, 0, 1)).toBe(-1);
    write(low(3), 0x43);
    expect(ioapic.setIrq(3, 0, 1)).toBe(0);
    expect(vectors()).toEqual([]);
    expect([ioapic.setIrq(3, 0, 0), ioapic.setIrq(3, 0, 1)]).toEqual([1, 1]);
    expect(vectors()).toEqual([0x43]);
  });

  it('shows an edge in irr while it waits, not once it is sent, though none took it', () => {
    const { ioapic, write } = testIoapic({ answer: 0 });
    ioapic.setIrq(3, 0, 1);
    expect(ioapic.getState().irr).toBe(1 << 3);
    write(low(4), 0x44);
    ioapic.setIrq(4, 0, 1);
    expect(ioapic.getState().irr).toBe(1 << 3);
    expect(ioapic.state.irr).toBe((1 << 3) | (1 << 4));
  });

  it('sends a level pin on unmasking, once until its EOI', () => {
    const { ioapic, write, vectors } = testIoapic();
    ioapic.setIrq(6, 0, 1);
    write(low(6), LEVEL | 0x66);
    expect(vectors()).toEqual([0x66]);
    expect(ioapic.setIrq(6, 0, 1)).toBe(-1);
    write(low(6), LEVEL | 0x66);
    expect(vectors()).toEqual([0x66]);
  });

  it('asks a resampler first, who clears the pin instead', () => {
    const { ioapic, write, vectors } = testIoapic({ resampler: true });
    write(low(6), LEVEL | MASKED | 0x66);
    ioapic.setIrq(6, 0, 1);
    write(low(6), LEVEL | 0x66);
    expect([vectors(), ioapic.getState().irr]).toEqual([[], 0]);
  });

  it('sets no remote IRR when no local APIC takes a level interrupt', () => {
    const { ioapic, read, write } = testIoapic({ answer: 0 });
    write(low(6), LEVEL | 0x66);
    expect(ioapic.setIrq(6, 0, 1)).toBe(0);
    expect(read(low(6))).toBe(LEVEL | 0x66);
  });

  it('delivers to nobody by default', () => {
    const ioapic = new Ioapic(new VirtualClock());
    ioapic.dev.write(SELECT, 4, low(2));
    ioapic.dev.write(WINDOW, 4, LEVEL | 0x52);
    expect(ioapic.setIrq(2, 0, 1)).toBe(0);
    expect(ioapic.dev.read(WINDOW, 4)).toBe(LEVEL | 0x52);
  });

  it('holds a pin up until the last source lets go', () => {
    const { ioapic } = testIoapic();
    ioapic.setIrq(6, 0, 1);
    ioapic.setIrq(6, 1, 1);
    ioapic.setIrq(6, 0, 0);
    expect(ioapic.getState().irr).toBe(1 << 6);
    ioapic.setIrq(6, 1, 0);
    expect(ioapic.getState().irr).toBe(0);
  });

  it('tells who watches a mask bit of its changes', () => {
    const { ioapic, write } = testIoapic();
    const seen: boolean[] = [];
    ioapic.addMaskNotifier(9, (masked) => seen.push(masked));
    write(low(9), 0x49);
    write(low(9), 0x4a);
    write(low(9), MASKED | 0x4a);
    write(low(8), 0x48);
    expect(seen).toEqual([false, true]);
  });

  it('fires the tracepoint with the entry as it was before', () => {
    const { ioapic, write } = testIoapic();
    const lines: unknown[][] = [];
    ioapic.trace = {
      ioapicSetIrq: (...args) => lines.push(args),
      ioapicDelayedEoiInj: () => {},
      ackIrq: (...args) => lines.push(['ack', ...args]),
    };
    write(high(6), 0x0100_0000);
    write(low(6), LEVEL | 0x66);
    ioapic.setIrq(6, 0, 1);
    ioapic.updateEoi(0x66, 1);
    write(low(1), 0x61);
    ioapic.setIrq(1, 0, 1);
    ioapic.setIrq(1, 0, 1);
    expect(lines).toEqual([
      [LEVEL | 0x66, 0x0100_0000, 6, false],
      ['ack', 2, 6],
      [0x61, 0, 1, false],
      [0x61, 0, 1, true],
    ]);
  });
});

describe('IOAPIC end of interrupt', () => {
  function levelPin() {
    const t = testIoapic();
    t.write(low(6), LEVEL | 0x66);
    t.ioapic.setIrq(6, 0, 1);
    return t;
  }

  it('sends a level pin again while its line is up', () => {
    const { ioapic, vectors } = levelPin();
    ioapic.updateEoi(0x66, 1);
    expect(vectors()).toEqual([0x66, 0x66]);
    ioapic.setIrq(6, 0, 0);
    ioapic.updateEoi(0x66, 1);
    expect(vectors()).toEqual([0x66, 0x66]);
    expect(ioapic.getState().redirtbl[6].low).toBe(LEVEL | 0x66);
  });

  it('leaves remote IRR to a directed EOI', () => {
    const { ioapic } = levelPin();
    ioapic.updateEoi(0x66, 1, true);
    expect(ioapic.getState().redirtbl[6].low).toBe(LEVEL | REMOTE_IRR | 0x66);
  });

  it('tells who waits on every pin with the vector', () => {
    const { ioapic, write } = levelPin();
    const acked: number[] = [];
    for (const pin of [5, 6, 7]) ioapic.addAckNotifier(pin, () => acked.push(pin));
    write(low(5), 0x66);
    ioapic.updateEoi(0x66, 0);
    expect(acked).toEqual([5, 6]);
    expect(ioapic.getState().redirtbl[6].low).toBe(LEVEL | REMOTE_IRR | 0x66);
  });

  it('puts the 10,000th re-delivery in a row off by 10 ms', () => {
    const { clock, ioapic, sent } = levelPin();
    for (let i = 0; i < 10_000; i++) ioapic.updateEoi(0x66, 1);
    expect(sent).toHaveLength(1 + 9_999);
    clock.advance(9_999_999);
    clock.runDueAlarms();
    expect(sent).toHaveLength(10_000);
    clock.advance(1);
    clock.runDueAlarms();
    expect(sent).toHaveLength(10_001);
  });

  it('counts RTC interrupts as coalesced until their EOI, for those who ask for line status', () => {
    const { ioapic, write, vectors } = testIoapic();
    write(low(8), 0x48);
    expect(ioapic.setIrq(8, 0, 1, true)).toBe(1);
    ioapic.setIrq(8, 0, 0, true);
    expect(ioapic.setIrq(8, 0, 1, true)).toBe(0);
    ioapic.setIrq(8, 0, 0, true);
    const again = new Ioapic(new VirtualClock(), { deliver: () => 1 });
    again.loadState(ioapic.saveState());
    for (const each of [ioapic, again]) {
      each.updateEoi(0x49, 0);
      expect(each.setIrq(8, 0, 1, true)).toBe(0);
      each.updateEoi(0x48, 0);
      expect(each.setIrq(8, 0, 1, true)).toBe(1);
    }
    expect(vectors()).toEqual([0x48, 0x48]);
  });

  it('follows no RTC interrupt of those who do not ask for line status', () => {
    const { ioapic, write, vectors } = testIoapic();
    write(low(8), 0x48);
    ioapic.setIrq(8, 0, 1, false);
    ioapic.setIrq(8, 0, 0, false);
    ioapic.updateEoi(0x48, 0);
    expect(ioapic.setIrq(8, 0, 1, true)).toBe(1);
    expect(vectors()).toEqual([0x48, 0x48]);
  });

  it('goes on with a delayed re-delivery after save and load', () => {
    const { ioapic } = levelPin();
    for (let i = 0; i < 10_000; i++) ioapic.updateEoi(0x66, 1);
    const clock = new VirtualClock(1_000_000_000);
    const sent: number[] = [];
    const twin = new Ioapic(clock, { deliver: ({ vector }) => sent.push(vector) });
    twin.loadState(ioapic.saveState());
    clock.advance(10_000_000);
    clock.runDueAlarms();
    expect(sent).toEqual([0x66]);
    expect(twin.eoiInject.deadlineNs).toBe(NEVER);
  });
});

describe('IOAPIC state from outside', () => {
  it('raises the pins of KVM_SET_IRQCHIP’s irr again', () => {
    const { ioapic, vectors } = testIoapic();
    const state = ioapic.getState();
    state.irr = (1 << 6) | (1 << 7);
    state.redirtbl[6] = { low: LEVEL | 0x66, high: 0 };
    state.id = 3;
    ioapic.setState({ ...state, irr: state.irr + 0xff00_0000 }); // no such pins: dropped
    expect(vectors()).toEqual([0x66]);
    state.redirtbl[6].low |= REMOTE_IRR;
    expect(ioapic.getState()).toEqual(state);
  });

  it('refuses a table of another length and pins that do not exist', () => {
    const { ioapic } = testIoapic();
    expect(() => ioapic.setState({ ...ioapic.getState(), redirtbl: [] })).toThrow(EmulatorError);
    expect(() => ioapic.addAckNotifier(24, () => {})).toThrow(EmulatorError);
    expect(() => ioapic.addMaskNotifier(-1, () => {})).toThrow(EmulatorError);
  });
});
