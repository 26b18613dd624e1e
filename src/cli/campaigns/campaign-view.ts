/**
 * What a coordinator shows of a campaign: the status page, the status line and the report are made from it.
 */
import type { CampaignMeta, CampaignSnapshot, WorkerLife } from './campaign-store.ts';
import type { StoredFinding } from './finding-id.ts';
import { shardCount } from './shard-bits.ts';

/** Version of the JSON documents of a campaign. */
export const CAMPAIGN_SCHEMA_VERSION = 1;

/** The document of `/status.json` and of `fuzz --queue --json`. */
export interface CampaignView {
  readonly schemaVersion: number;
  readonly campaign: string;
  readonly target: string;
  readonly seed: number;
  readonly build: string;
  readonly isEnded: boolean;
  readonly cases: { readonly done: number; readonly all: number; readonly differing: number };
  readonly shards: {
    readonly done: number;
    readonly running: number;
    readonly waiting: number;
    readonly left: number;
  };
  /** Of the last seconds. */
  readonly execPerSec: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly workers: readonly WorkerLife[];
  readonly findings: readonly StoredFinding[];
}

/** Cases a second over the last ten seconds. */
export class Rate {
  readonly #samples: { readonly ms: number; readonly cases: number }[] = [];

  add(ms: number, cases: number): void {
    this.#samples.push({ ms, cases });
    while (this.#samples.length > 2 && ms - (this.#samples[1]?.ms ?? ms) > WINDOW_MS) this.#samples.shift();
  }

  get perSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.ms <= first.ms) return 0;
    return Math.max(0, Math.round(((last.cases - first.cases) * 1000) / (last.ms - first.ms)));
  }
}

const WINDOW_MS = 10_000;

/** What the queue says: jobs that somebody has, jobs that nobody has. */
export interface QueueDepth {
  readonly running: number;
  readonly waiting: number;
}

/** Puts a view together. */
export function campaignView(
  name: string,
  meta: CampaignMeta,
  snapshot: CampaignSnapshot,
  { running, waiting }: QueueDepth,
  execPerSec: number,
  workers: readonly WorkerLife[],
  findings: readonly StoredFinding[],
): CampaignView {
  const { target, seed, build, runs } = meta;
  const left = shardCount(meta) - snapshot.shards;
  return {
    schemaVersion: CAMPAIGN_SCHEMA_VERSION,
    campaign: name,
    ...{ target, seed, build },
    isEnded: left === 0,
    cases: { done: snapshot.cases, all: runs, differing: snapshot.differing },
    shards: { done: snapshot.shards, running, waiting, left },
    ...{ execPerSec, counts: snapshot.counts, workers, findings },
  };
}
