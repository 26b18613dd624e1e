import { expect, it } from 'vitest';
import { Mc146818, RTC_PORT } from '../../../src/devices/mc146818.ts';
import { RTC_REG_A, RTC_REG_B, RTC_REG_C, RTC_REG_D } from '../../../src/devices/mc146818-reg.ts';
import { TestClock, TestLine } from './board-device-fakes.ts';
import {
  type Bench,
  continuesAfterLoad,
  declinesWithoutEffect,
  keepsItsRanges,
  steps,
} from './device-streams.ts';

/** Register numbers 0 … 0x0d and values of A and B that matter come often. */
const STREAM = steps(
  [RTC_PORT, RTC_PORT + 1],
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x26, 0x2f, 0x76, 0x82, 0x72, 0x32],
);

function build(): Bench & { device: Mc146818 } {
  const clock = new TestClock();
  const irq = new TestLine();
  return { device: new Mc146818({ clock, irq, seconds: 1_767_225_600 }), clock, irq };
}

it('keeps its state in range under any stream', () => {
  keepsItsRanges(build, STREAM, (bench) => {
    const s = (bench.device as Mc146818).state;
    const now = bench.clock.nowNs;
    expect(s.index).toBe(s.index & 0x7f);
    expect([s.regs[RTC_REG_A] & 0x80, s.regs[RTC_REG_C] & ~0x70, s.regs[RTC_REG_D]]).toEqual([0, 0, 0x80]);
    expect([0, 1, 2, 3, 4, 5, 6]).toContain(s.weekdayShift);
    expect(Number.isSafeInteger(s.epochS) && Number.isSafeInteger(s.edgeNs)).toBe(true);
    expect(s.edgeNs <= now && s.syncedNs <= now).toBe(true);
    expect(bench.irq.level).toBe((s.regs[RTC_REG_B] & s.regs[RTC_REG_C] & 0x70) === 0 ? 0 : 1);
    expect(bench.clock.nextDeadlineNs).toBeGreaterThan(now);
  });
});

it('declines wide accesses without effect', () => declinesWithoutEffect(build, STREAM));

it('goes on after save and load as if nothing had happened', () => continuesAfterLoad(build, STREAM));
