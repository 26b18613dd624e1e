import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ioapic } from '../../../src/devices/ioapic.ts';
import type { KvmLapicChipState } from '../../../src/devices/lapic-state.ts';
import { IRR, ISR, PAGE, PPR, route, TestLapic, TMCCT, TMICT, TPR } from './test-lapic.ts';

type Step =
  | { kind: 'write'; offset: number; value: number }
  | { kind: 'read'; offset: number; size: 1 | 2 | 4 }
  | { kind: 'take' }
  | { kind: 'pass'; ns: number }
  | { kind: 'deadline'; after: number }
  | { kind: 'base'; value: number }
  | { kind: 'msi'; address: number; data: number }
  | { kind: 'pin'; pin: number; level: number }
  | { kind: 'route'; pin: number; low: number };

const offset = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 0x3f }).map((n) => 16 * n) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xfff }) },
);
const u32 = fc.oneof(
  fc.integer({ min: 0, max: 0x1ff }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0x1ff, 0x4_4050, 0x2_0040, 0x4_0040, 0xffff_ffff, 0x0fff_ffff),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), offset, value: u32 }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      offset,
      size: fc.constantFrom(1 as const, 2 as const, 4 as const),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'take' as const }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ns: fc.nat({ max: 1e7 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('deadline' as const), after: fc.nat({ max: 1e7 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('base' as const),
      value: fc.constantFrom(0xfee0_0900, 0xfee0_0800, 0xfee0_0100, 0xfee0_0c00),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('msi' as const), address: u32, data: u32 }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('pin' as const),
      pin: fc.nat({ max: 23 }),
      level: fc.nat({ max: 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('route' as const), pin: fc.nat({ max: 23 }), low: u32 }),
  },
);
const steps = fc.array(step, { maxLength: 80 });

interface World {
  readonly t: TestLapic;
  readonly ioapic: Ioapic;
}

function world(): World {
  const t = new TestLapic();
  return { t, ioapic: t.withIoapic((pin) => pin < 4) };
}

function take({ t, ioapic }: World, s: Step): unknown {
  switch (s.kind) {
    case 'write':
      return t.apic.dev.write(PAGE + s.offset, 4, s.value);
    case 'read':
      return t.apic.dev.read(PAGE + s.offset, s.size);
    case 'take':
      return t.take();
    case 'pass':
      return t.pass(s.ns);
    case 'deadline':
      return t.kvm.fn.kvmSetLapicTscdeadlineMsr(t.apic, t.clock.ticks + s.after);
    case 'base':
      return t.kvm.fn.kvmApicSetBase(t.apic, s.value, false);
    case 'msi':
      return t.kvm.setMsi(s.address, 0, s.data, 1);
    case 'pin':
      return ioapic.setIrq(s.pin, 0, s.level);
    case 'route':
      return route(ioapic, s.pin, s.low);
  }
}

/** What holds of a state whatever the guest has done. */
function checkRanges({ regs, ...s }: KvmLapicChipState): void {
  const reg = (at: number): number => regs[at >> 2];
  expect(reg(TPR)).toBeLessThanOrEqual(0xff);
  const inService = [7, 6, 5, 4, 3, 2, 1, 0].find((i) => reg(ISR + 16 * i) !== 0);
  const highest = inService === undefined ? 0 : 32 * inService + 31 - Math.clz32(reg(ISR + 16 * inService));
  expect(reg(PPR)).toBe((reg(TPR) & 0xf0) >= (highest & 0xf0) ? reg(TPR) : highest & 0xf0);
  if (!s.irr_pending) for (let i = 0; i < 8; i++) expect(reg(IRR + 16 * i)).toBe(0);
  // Registers that no write reaches.
  expect([reg(0x30), reg(0x280), reg(TMCCT), reg(0x2f0), reg(0x3f0)]).toEqual([0x5_0014, 0, 0, 0, 0]);
  expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(s.divide_count);
  expect(s.timer_pending === 0 || s.timer_pending === 1).toBe(true);
  // Software-disabled: nothing of the local vector table is open.
  if ((reg(0xf0) & 0x100) === 0) {
    for (let at = 0x320; at <= 0x370; at += 16) expect(reg(at) & 0x1_0000).toBe(0x1_0000);
  }
  if (s.timer_expires >= 0) expect(s.timer_tscdeadline !== 0 || reg(TMICT) !== 0).toBe(true);
}

describe('any stream of accesses, interrupts and time', () => {
  it('leaves registers and timer in their documented ranges', () => {
    fc.assert(
      fc.property(steps, (stream) => {
        const w = world();
        for (const s of stream) take(w, s);
        checkRanges(w.t.apic.state);
      }),
    );
  });

  it('saved in the middle and restored elsewhere goes on as if nothing had happened', () => {
    fc.assert(
      fc.property(steps, steps, (first, second) => {
        const a = world();
        for (const s of first) take(a, s);
        const b = world();
        b.t.clock.loadState(a.t.clock.saveState());
        b.ioapic.loadState(structuredClone(a.ioapic.saveState()));
        b.t.apic.loadState(structuredClone(a.t.apic.saveState()));
        const seen = (w: World): unknown[] => second.map((s) => take(w, s));
        expect(seen(b)).toEqual(seen(a));
        expect(b.t.apic.saveState()).toEqual(a.t.apic.saveState());
        expect(b.t.clock.nextDeadlineNs).toBe(a.t.clock.nextDeadlineNs);
      }),
    );
  });

  it('delivers only what waits, above the processor priority, once', () => {
    fc.assert(
      fc.property(steps, (stream) => {
        const w = world();
        for (const s of stream) {
          const { regs } = w.t.apic.state;
          const before = regs.slice();
          const vector = take(w, s);
          if (s.kind !== 'take' || vector === -1) continue;
          const v = Number(vector);
          const bit = 1 << (v & 31);
          const at = (v >> 5) * 4;
          expect(before[(IRR >> 2) + at] & bit).not.toBe(0);
          expect([regs[(IRR >> 2) + at] & bit, regs[(ISR >> 2) + at] & bit]).toEqual([0, bit]);
          expect(v & 0xf0).toBeGreaterThan(before[PPR >> 2] & 0xf0);
        }
      }),
    );
  });
});
