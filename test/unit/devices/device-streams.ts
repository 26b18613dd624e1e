/** Random access streams with time steps, and the two laws every stateful board device keeps under them. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../../../src/bus/io-device.ts';
import type { TestClock, TestLine } from './board-device-fakes.ts';

/** One thing that happens to a device. */
export type Step =
  | { readonly do: 'read'; readonly port: number; readonly size: IoSize }
  | { readonly do: 'write'; readonly port: number; readonly size: IoSize; readonly value: number }
  | { readonly do: 'elapse'; readonly ns: number }
  | { readonly do: 'input'; readonly byte: number };

/** A device with its surroundings. */
export interface Bench {
  readonly device: IoDevice & { saveState(): unknown; loadState(state: unknown): void };
  readonly clock: TestClock;
  readonly irq: TestLine;
  /** A byte comes from outside (serial line, keyboard). */
  input?(byte: number): void;
  /** Everything that left the device towards the host, for comparison. */
  output?(): unknown;
}

const SIZES: readonly IoSize[] = [1, 1, 1, 1, 1, 1, 2, 4];

/** Streams over `ports`; `values` are written more often than other bytes, `inputs` is the weight of input. */
export function steps(
  ports: readonly number[],
  values: readonly number[] = [],
  inputs = 2,
): fc.Arbitrary<Step[]> {
  const port = fc.constantFrom(...ports);
  const size = fc.constantFrom(...SIZES);
  const value = values.length === 0 ? fc.nat(255) : fc.oneof(fc.nat(255), fc.constantFrom(...values));
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), port, size }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), port, size, value }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('elapse' as const),
        ns: fc.oneof(fc.nat(2_000_000), fc.nat(3_000_000_000)),
      }),
    },
    { weight: inputs, arbitrary: fc.record({ do: fc.constant('input' as const), byte: fc.nat(255) }) },
  );
  return fc.array(step, { maxLength: 120 });
}

/** Streams that begin with one of `openings`. */
export function opened(openings: readonly Step[][], stream: fc.Arbitrary<Step[]>): fc.Arbitrary<Step[]> {
  return fc.tuple(fc.constantFrom(...openings), stream).map(([opening, rest]) => [...opening, ...rest]);
}

/** Does one step. @returns what the guest and the host can see of it. */
export function perform(bench: Bench, step: Step): unknown {
  const { device, clock, irq } = bench;
  let seen: unknown = null;
  if (step.do === 'read') {
    const value = device.read(step.port, step.size);
    if (value !== IO_NOT_HANDLED) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(2 ** (8 * step.size));
    }
    seen = value;
  } else if (step.do === 'write') {
    seen = device.write(step.port, step.size, step.value);
  } else if (step.do === 'elapse') {
    clock.elapse(step.ns);
  } else {
    bench.input?.(step.byte);
  }
  return { seen, level: irq.level, output: bench.output?.() };
}

/** Law: after any stream `check` holds for the state, at every step. */
export function keepsItsRanges(
  build: () => Bench,
  stream: fc.Arbitrary<Step[]>,
  check: (bench: Bench) => void,
): void {
  fc.assert(
    fc.property(stream, (list) => {
      const bench = build();
      for (const step of list) {
        perform(bench, step);
        check(bench);
      }
    }),
  );
}

/** Law: a wrong-size access has no effect that the saved state shows. */
export function declinesWithoutEffect(build: () => Bench, stream: fc.Arbitrary<Step[]>): void {
  fc.assert(
    fc.property(stream, (list) => {
      const bench = build();
      for (const step of list) {
        const before = bench.device.saveState();
        const { seen } = perform(bench, step) as { seen: unknown };
        if (seen === IO_NOT_HANDLED || seen === false) expect(bench.device.saveState()).toEqual(before);
      }
    }),
  );
}

/** Law: a device loaded with the state that another saved goes on as that one does. */
export function continuesAfterLoad(
  build: () => Bench,
  stream: fc.Arbitrary<Step[]>,
  later: fc.Arbitrary<Step[]> = stream,
): void {
  fc.assert(
    fc.property(stream, later, (before, after) => {
      const first = build();
      for (const step of before) perform(first, step);
      const second = build();
      second.clock.loadState(first.clock.saveState());
      second.device.loadState(structuredClone(first.device.saveState()));
      expect(second.irq.level).toBe(first.irq.level);
      for (const step of after) {
        const a = perform(first, step) as { seen: unknown; level: number };
        const b = perform(second, step) as { seen: unknown; level: number };
        expect([b.seen, b.level]).toEqual([a.seen, a.level]);
      }
      expect(second.device.saveState()).toEqual(first.device.saveState());
    }),
  );
}
