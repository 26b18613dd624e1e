/**
 * What the parent asks of its child: plain data on the child's command line.
 */
import type { RunOptions } from '../run/run-options.ts';

/** `pio86 run --engine kvm` */
export interface RunRequest {
  readonly command: 'run';
  readonly file?: string;
  readonly options: RunOptions;
}

/** One piece of work. */
export type HostRequest = RunRequest;
