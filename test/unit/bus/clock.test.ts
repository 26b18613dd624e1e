/** Virtual time: ticks and nanoseconds against whole-number arithmetic, and when alarms run. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Alarm,
  isTickRate,
  MAX_IPS,
  NEVER,
  nsToTicks,
  ticksToNs,
  VirtualClock,
} from '../../../src/bus/clock.ts';

const NS_PER_S = 1_000_000_000n;
/** 10 ns a tick. */
const IPS = 100_000_000;
const SEED = 20_260_202;

const rates = fc.oneof(
  fc.constantFrom(1, 3, 7, 1_193_182, 33_333_333, IPS, 999_999_999, 1_000_000_007, MAX_IPS),
  fc.integer({ min: 1, max: MAX_IPS }),
);

/** A clock with alarms whose handlers write down `name@tick`. */
function logged(names: string, ips = IPS): { clock: VirtualClock; alarms: Alarm[]; log: string[] } {
  const clock = new VirtualClock(ips);
  const log: string[] = [];
  const alarms = [...names].map((name) => clock.createAlarm(() => log.push(`${name}@${clock.ticks}`)));
  return { clock, alarms, log };
}

describe('ticks and nanoseconds', () => {
  it('are exact at every rate and time that fits', () => {
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1, noNaN: true }), (ips, part) => {
        // Up to 2^22 seconds, and no more ticks than a number holds.
        const ticks = Math.floor(part * Math.min(2 ** 22 * ips, 2 ** 52));
        expect(BigInt(ticksToNs(ticks, ips))).toBe((BigInt(ticks) * NS_PER_S) / BigInt(ips));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('lead back: the first tick that is not before', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 2 ** 51 }), (ips, ns) => {
        fc.pre((ns / 1e9) * ips < 2 ** 52);
        const first = (BigInt(ns) * BigInt(ips) + NS_PER_S - 1n) / NS_PER_S;
        expect(BigInt(nsToTicks(ns, ips))).toBe(first);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('end where ticks can no longer be counted: what lies behind never comes', () => {
    expect(nsToTicks(Number.MAX_SAFE_INTEGER, 1_000_000_000)).toBe(Number.MAX_SAFE_INTEGER);
    expect(nsToTicks(2 ** 52, MAX_IPS)).toBe(NEVER);
    const { clock, alarms } = logged('a', MAX_IPS);
    alarms[0].set(2 ** 52);
    expect([clock.nextDeadlineNs, clock.nextDeadlineTick, clock.skipToDeadline()]).toEqual([
      2 ** 52,
      NEVER,
      false,
    ]);
  });

  it('are what the clock shows, at rates that divide a second and at others', () => {
    for (const [ips, ns] of [
      [IPS, 70],
      [3, 2_333_333_333],
      [MAX_IPS, 0],
    ]) {
      const clock = new VirtualClock(ips);
      clock.advance(7);
      expect([clock.ticks, clock.nowNs]).toEqual([7, ns]);
    }
  });

  it.each([0, -1, 1.5, MAX_IPS + 1, Number.NaN, Number.POSITIVE_INFINITY, '100', null])(
    'cannot go at %s ticks a second',
    (ips) => {
      expect(isTickRate(ips)).toBe(false);
      expect(() => new VirtualClock(ips as number)).toThrow(expect.objectContaining({ code: 'E_ARGUMENT' }));
    },
  );

  it.each([1, 2, MAX_IPS])('can go at %s ticks a second', (ips) => {
    expect(isTickRate(ips)).toBe(true);
    expect(new VirtualClock(ips).ips).toBe(ips);
  });
});

describe('alarms', () => {
  it('run once, when the clock stands at or after their time, and are not set any more then', () => {
    const { clock, alarms, log } = logged('a');
    alarms[0].set(50);
    expect([alarms[0].deadlineNs, clock.nextDeadlineNs, clock.nextDeadlineTick]).toEqual([50, 50, 5]);
    clock.advance(4);
    clock.runDueAlarms();
    expect([log, clock.ticksToDeadline()]).toEqual([[], 1]);
    clock.advance(1);
    expect(clock.ticksToDeadline()).toBe(0);
    clock.runDueAlarms();
    clock.advance(100);
    clock.runDueAlarms();
    expect(log).toEqual(['a@5']);
    expect([alarms[0].deadlineNs, clock.nextDeadlineNs, clock.nextDeadlineTick]).toEqual([
      NEVER,
      NEVER,
      NEVER,
    ]);
  });

  it('run earliest first, those of the same time in the order of their creation', () => {
    const { clock, alarms, log } = logged('abcd');
    alarms[3].set(20);
    alarms[2].set(20);
    alarms[1].set(90);
    alarms[0].set(30);
    clock.advance(4);
    clock.runDueAlarms();
    expect(log).toEqual(['c@4', 'd@4', 'a@4']);
    expect(clock.nextDeadlineNs).toBe(90);
  });

  it('can be moved and cancelled', () => {
    const { clock, alarms, log } = logged('ab');
    alarms[0].set(10);
    alarms[1].set(30);
    alarms[0].set(40);
    alarms[1].cancel();
    expect(clock.nextDeadlineNs).toBe(40);
    clock.advance(3);
    clock.runDueAlarms();
    expect(log).toEqual([]);
    alarms[0].cancel();
    alarms[0].cancel();
    expect(clock.nextDeadlineTick).toBe(NEVER);
  });

  it('may set themselves again, and others, while they run', () => {
    const clock = new VirtualClock(IPS);
    const log: string[] = [];
    const other = clock.createAlarm(() => log.push('other'));
    const periodic: Alarm = clock.createAlarm(() => {
      log.push(`tick ${periodic.deadlineNs}`);
      if (log.length < 3) periodic.set(log.length * 20);
      else other.set(0);
    });
    periodic.set(10);
    clock.advance(50);
    clock.runDueAlarms();
    expect(log).toEqual(['tick Infinity', 'tick Infinity', 'tick Infinity', 'other']);
  });

  it('between two ticks are due at the later one; of times before the first, at once', () => {
    const { clock, alarms } = logged('a');
    alarms[0].set(10.5);
    expect(clock.nextDeadlineTick).toBe(2);
    alarms[0].set(-5);
    expect(clock.nextDeadlineTick).toBe(0);
    clock.advance(9);
    expect(clock.ticksToDeadline()).toBe(0);
  });

  it('tell who waits when the earliest comes earlier by a tick, and only then', () => {
    const { clock, alarms } = logged('ab');
    // Nobody to tell.
    alarms[0].set(1000);
    let told = 0;
    clock.onEarlier = () => told++;
    const toldAfter = (ns: number, of = 0): number => {
      alarms[of].set(ns);
      return told;
    };
    expect([toldAfter(500), toldAfter(495), toldAfter(600), toldAfter(700, 1), toldAfter(100, 1)]).toEqual([
      1, 1, 1, 1, 2,
    ]);
  });
});

describe('idle time', () => {
  it('ends at the earliest alarm', () => {
    const { clock, alarms } = logged('ab');
    expect([clock.skipToDeadline(), clock.ticks]).toEqual([false, 0]);
    alarms[0].set(70);
    alarms[1].set(60);
    expect([clock.skipToDeadline(), clock.ticks]).toEqual([true, 6]);
  });

  it('is none where an alarm is overdue', () => {
    const { clock, alarms } = logged('a');
    clock.advance(20);
    alarms[0].set(70);
    expect([clock.skipToDeadline(), clock.ticks]).toEqual([true, 20]);
  });
});

describe('the state of a clock', () => {
  it('is its ticks and when each alarm is due', () => {
    const { clock, alarms, log } = logged('abc');
    alarms[1].set(80);
    alarms[2].set(0);
    clock.advance(3);
    expect(clock.saveState()).toEqual({ ticks: 3, deadlines: [null, 80, 0] });
    const other = logged('abc');
    other.alarms[0].set(10);
    other.clock.loadState(clock.saveState());
    expect(other.clock.saveState()).toEqual(clock.saveState());
    other.clock.advance(5);
    other.clock.runDueAlarms();
    expect([other.log, log]).toEqual([['c@8', 'b@8'], []]);
  });

  it('leaves alarms that were created since as they are set, and those that are not there out', () => {
    const one = logged('a');
    one.alarms[0].set(40);
    const two = logged('ab');
    two.alarms[1].set(30);
    const state = two.clock.saveState();
    two.clock.loadState(one.clock.saveState());
    expect(two.clock.saveState().deadlines).toEqual([40, 30]);
    expect(two.clock.nextDeadlineNs).toBe(30);
    one.clock.loadState(state);
    expect(one.clock.saveState().deadlines).toEqual([null]);
  });
});
