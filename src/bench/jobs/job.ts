/** What is measured in a process of its own (child.ts), so that V8 starts each time from nothing. */
import type { Engine } from '../engine.ts';
import type { RomPath } from './run-rom.ts';

/** One piece of work. */
export type Job =
  | {
      readonly kind: 'rom';
      readonly file: string;
      readonly path: RomPath;
      readonly devices: number;
      readonly engine: Engine;
    }
  | { readonly kind: 'lookup'; readonly devices: number; readonly seconds: number }
  | {
      readonly kind: 'snapshot' | 'restore';
      readonly board: 'kvm' | 'pc';
      readonly memoryBytes: number;
      /** Pages that the guest writes between snapshot and restore. */
      readonly pages: number;
      readonly engine: Engine;
    }
  | { readonly kind: 'memory'; readonly file: string; readonly memoryBytes: number; readonly engine: Engine };

/** The {@link Job} of a kind. */
export type JobOf<K extends Job['kind']> = Extract<Job, { readonly kind: K }>;

/** What came out. */
export interface JobResult {
  /** Accesses, calls or bytes: what the job is about. */
  readonly units: number;
  readonly wallSeconds: number;
  /** Of all threads of the process. */
  readonly cpuSeconds: number;
}

const MICROSECONDS = 1e6;
const MILLISECONDS = 1e3;

/** Times `work`, which answers how many units it did. */
export function timed(work: () => number): JobResult {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const units = work();
  const wallSeconds = (performance.now() - start) / MILLISECONDS;
  const { user, system } = process.cpuUsage(cpu);
  return { units, wallSeconds, cpuSeconds: (user + system) / MICROSECONDS };
}
