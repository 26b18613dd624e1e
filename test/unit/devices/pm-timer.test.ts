import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import {
  AcpiPmTimer,
  nsToPmTicks,
  PM_TIMER_FREQUENCY_HZ,
  PM_TIMER_PORT,
} from '../../../src/devices/pm-timer.ts';
import { TestClock } from './board-device-fakes.ts';

it('converts nanoseconds to ticks exactly', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (ns) => {
      expect(BigInt(nsToPmTicks(ns))).toBe((BigInt(ns) * BigInt(PM_TIMER_FREQUENCY_HZ)) / 1_000_000_000n);
    }),
    { numRuns: 2000 },
  );
});

it('is exact on both sides of every tick', () => {
  for (const tick of [1, 2, 3, 1000, 3_579_544, 3_579_545, 3_579_546, 7_159_089]) {
    const first = Number((BigInt(tick) * 1_000_000_000n + 3_579_544n) / 3_579_545n);
    expect([nsToPmTicks(first - 1), nsToPmTicks(first)]).toEqual([tick - 1, tick]);
  }
});

it('counts 3,579,545 a second in 24 bits, bits 31:24 clear', () => {
  const clock = new TestClock();
  const timer = new AcpiPmTimer(clock);
  clock.elapse(1_000_000_000);
  expect(timer.read(PM_TIMER_PORT, 4)).toBe(3_579_545);
  clock.elapse(4_000_000_000);
  expect(timer.read(PM_TIMER_PORT, 4)).toBe((5 * 3_579_545) % 0x100_0000);
});

it('gives the bytes to smaller reads and declines those that leave its ports', () => {
  const clock = new TestClock();
  const timer = new AcpiPmTimer(clock);
  clock.elapse(3_456_789_012);
  const whole = timer.read(PM_TIMER_PORT, 4);
  const bytes = [0, 1, 2, 3].map((i) => timer.read(PM_TIMER_PORT + i, 1));
  expect(bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)).toBe(whole);
  expect(timer.read(PM_TIMER_PORT + 1, 2)).toBe((whole >> 8) & 0xffff);
  expect(timer.read(PM_TIMER_PORT + 1, 4)).toBe(IO_NOT_HANDLED);
  expect(timer.read(PM_TIMER_PORT + 3, 2)).toBe(IO_NOT_HANDLED);
});

it('takes writes and goes on counting', () => {
  const clock = new TestClock();
  const timer = new AcpiPmTimer(clock);
  clock.elapse(1000);
  expect(timer.write(PM_TIMER_PORT, 4, 0)).toBe(true);
  expect(timer.write(PM_TIMER_PORT + 2, 4, 0)).toBe(false);
  expect(timer.read(PM_TIMER_PORT, 4)).toBe(3);
});
