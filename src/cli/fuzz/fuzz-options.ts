/**
 * The options of `pio86 fuzz`, parsed: what the command, and the process that talks to the host's KVM, get.
 */
import type { ExportFormat } from '../../fuzz/engine/fuzz-target.ts';
import type { StringIoJit } from '../../fuzz/string-io-engine.ts';
import type { QueueUrl } from '../campaigns/redis-url.ts';

/** Who can be asked besides a target's own oracle: the host's KVM, QEMU's devices. */
export const FUZZ_ORACLES = ['kvm', 'qtest'] as const;

/** One of them. */
export type FuzzOracle = (typeof FUZZ_ORACLES)[number];

/** See the opening comment. */
export interface FuzzCommandOptions {
  readonly runs?: number;
  readonly time?: number;
  readonly seed?: number;
  readonly workers: number;
  readonly ledger?: string;
  readonly findings?: string;
  readonly replay?: string;
  readonly export?: ExportFormat;
  readonly oracle?: FuzzOracle;
  readonly jit: StringIoJit;
  readonly json?: boolean;
  readonly coverage?: boolean;
  readonly corpus?: string;
  readonly minimize?: boolean;
  readonly valueProfile?: boolean;
  readonly queue?: QueueUrl;
  readonly name?: string;
  readonly shard?: number;
  readonly window?: number;
  readonly statusPort?: number;
  readonly statusHost?: string;
}

/** Cases of a campaign that has neither a number nor a time. */
export const DEFAULT_RUNS = 10_000;
export const MAX_SEED = 0xffff_ffff;
export const MAX_RUNS = 0xffff_ffff;

/** Targets that each of them can be asked about. */
export const ORACLE_TARGETS: Readonly<Record<FuzzOracle, readonly string[]>> = {
  kvm: ['string-io', 'devices'],
  qtest: ['devices'],
};
