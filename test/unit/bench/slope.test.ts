import { describe, expect, it } from 'vitest';
import { BenchFailure } from '../../../src/bench/bench-failure.ts';
import { calibrate, slope } from '../../../src/bench/slope.ts';

const LIMITS = { step: 1, first: 1_000, max: 0x7fff_ffff };

/** An engine that takes `start` seconds to start and then does `rate` a second. */
function engine(start: number, rate: number): (n: number) => Promise<number> {
  return async (n) => start + n / rate;
}

describe('slope', () => {
  it('is the rate without start-up', async () => {
    expect(await slope(engine(3, 1e6), { small: 1e6, large: 3e6 })).toBeCloseTo(1e6, 3);
  });

  it('measures again when a disturbed pair comes out the wrong way round', async () => {
    const times = [9, 2, 1, 2];
    expect(await slope(async () => times.shift() ?? 0, { small: 10, large: 30 })).toBe(20);
  });

  it('gives up on work that takes no time', async () => {
    await expect(slope(async () => 1, { small: 10, large: 30 })).rejects.toBeInstanceOf(BenchFailure);
  });
});

describe('calibrate', () => {
  it.each([1e5, 1e7, 1e9])(
    'finds sizes whose times differ by what was asked for, at %d a second',
    async (rate) => {
      const { small, large } = await calibrate(engine(0.1, rate), LIMITS, 1);
      expect((large - small) / rate).toBeGreaterThan(0.4);
      expect((large - small) / rate).toBeLessThan(2.5);
    },
  );

  it('grows until the difference is not small beside a long start-up', async () => {
    const { small, large } = await calibrate(engine(4, 1e6), LIMITS, 0.1);
    expect((large - small) / 1e6).toBeGreaterThan(1);
  });

  it('does not take the slow first second of a just-in-time compiler for its rate', async () => {
    const warming = async (n: number): Promise<number> => (n < 1e6 ? n / 1e6 : 1 + (n - 1e6) / 1e8);
    const { small, large } = await calibrate(warming, LIMITS, 1);
    expect((await warming(large)) - (await warming(small))).toBeGreaterThan(0.3);
    expect(await slope(warming, { small, large })).toBeCloseTo(1e8, -2);
  });

  it('takes the first sizes that say anything of an engine that needs no warming up', async () => {
    const times: number[] = [];
    const run = async (n: number): Promise<number> => {
      times.push(n / 1e6);
      return n / 1e6;
    };
    const { small, large } = await calibrate(run, { ...LIMITS, isSteady: true }, 0.25);
    expect((large - small) / 1e6).toBeCloseTo(0.15, 1);
    expect(times.reduce((a, b) => a + b)).toBeLessThan(2);
  });

  it.each([false, true])(
    'is not taken in by a machine that stands still for a while (steady: %s)',
    async (isSteady) => {
      const stalls = isSteady ? [0, 2] : [0, 2, 0, 3];
      const run = async (n: number): Promise<number> => 0.05 + n / 1e8 + (stalls.shift() ?? 0);
      const { small, large } = await calibrate(run, { ...LIMITS, isSteady }, 0.25);
      expect((large - small) / 1e8).toBeGreaterThan(0.07);
    },
  );

  it('keeps to whole steps and below the largest size', async () => {
    const limits = { step: 1024, first: 1, max: 10_000 };
    const { small, large } = await calibrate(engine(0, 1e12), limits, 1);
    expect([small % 1024, large % 1024]).toEqual([0, 0]);
    expect(large).toBeLessThanOrEqual(10_000);
    expect(small).toBeLessThan(large);
  });
});
