/**
 * A campaign in Redis: what it is, which shards are done (one bit each), what they counted and found, who works. Redis is its only
 * truth: coordinators and workers keep nothing that they could not read again.
 *
 * | key `pio86:campaign:NAME…` | holds |
 * |---|---|
 * | (nothing more) | target, seed, runs, shard, build, ended |
 * | `:done` | bit n: shard n was counted |
 * | `:totals`, `:counts` | shards, cases, differing cases; what the target counts |
 * | `:findings`, `:finding-runs` | small case → JSON, the lowest case that gave it |
 * | `:tries` | how often a shard that is not done was begun |
 * | `:workers`, `:beats` | what workers say of themselves, when |
 */
import type { Redis } from 'ioredis';
import type { WholeShardResult } from '../../fuzz/engine/shard.ts';
import { inputError } from '../cli-error.ts';
import { findingId, type StoredFinding } from './finding-id.ts';
import { ALIVE, BEAT, BEGIN, COMPLETE, CREATE } from './scripts.ts';

/** What a campaign is; the same for all who take part. */
export interface CampaignMeta {
  readonly target: string;
  readonly seed: number;
  /** Cases 0 … runs−1. */
  readonly runs: number;
  /** Cases of a shard. */
  readonly shard: number;
  /** Whose cases they are ({@link buildId}). */
  readonly build: string;
  readonly isEnded: boolean;
}

/** Where it is. */
export interface CampaignSnapshot {
  /** Bit n (the highest of byte 0 is shard 0): counted. */
  readonly done: Uint8Array;
  readonly shards: number;
  readonly cases: number;
  readonly differing: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: number;
}

/** A worker as it describes itself. */
export interface WorkerLife {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly threads: number;
  readonly cases: number;
}

/** Key of the set of all names. */
const CAMPAIGNS = 'pio86:campaigns';
/** Prefix of BullMQ's keys. */
export const QUEUE_PREFIX = 'pio86:queue';
/** A worker that is silent this long is not shown. */
const SILENT_SECONDS = 10;

/** Names of all campaigns of a server. */
export async function campaignNames(redis: Redis): Promise<string[]> {
  return (await redis.smembers(CAMPAIGNS)).toSorted();
}

/** See the opening comment. */
export class CampaignStore {
  readonly name: string;
  readonly #redis: Redis;
  readonly #key: string;

  constructor(redis: Redis, name: string) {
    this.name = name;
    this.#redis = redis;
    this.#key = `pio86:campaign:${name}`;
  }

  /** Makes the campaign unless it is there. @returns what is there. */
  async create(meta: CampaignMeta): Promise<CampaignMeta> {
    const { isEnded, ...fields } = meta;
    const row = Object.entries({ ...fields, ended: isEnded ? 1 : 0 }).flatMap(([name, v]) => [
      name,
      String(v),
    ]);
    await this.#redis.eval(CREATE, 2, this.#key, CAMPAIGNS, this.name, ...row);
    return (await this.meta()) ?? meta;
  }

  /** null: there is no such campaign. @throws CliError (bad input) for one that makes no sense. */
  async meta(): Promise<CampaignMeta | null> {
    const row = await this.#redis.hgetall(this.#key);
    if (Object.keys(row).length === 0) return null;
    const [seed, runs, shard] = [Number(row.seed), Number(row.runs), Number(row.shard)];
    const isWhole = [seed, runs, shard].every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!isWhole || runs < 1 || shard < 1) throw inputError(`campaign ${this.name}: damaged in Redis`);
    const { target = '', build = '', ended } = row;
    return { target, seed, runs, shard, build, isEnded: ended === '1' };
  }

  async end(): Promise<void> {
    await this.#redis.hset(this.#key, 'ended', 1);
  }

  /** All of one moment. */
  async snapshot(): Promise<CampaignSnapshot> {
    const rows = await this.#redis
      .multi()
      .getBuffer(`${this.#key}:done`)
      .hgetall(`${this.#key}:totals`)
      .hgetall(`${this.#key}:counts`)
      .hlen(`${this.#key}:findings`)
      .exec();
    const [done, totals, counts, findings] = (rows ?? []).map(([error, value]) => {
      if (error !== null) throw error;
      return value;
    });
    const { shards = 0, cases = 0, differing = 0 } = numbers(totals);
    return {
      done: done instanceof Uint8Array ? done : new Uint8Array(0),
      ...{ shards, cases, differing, findings: Number(findings) },
      counts: numbers(counts),
    };
  }

  /** @returns how often the shard was begun, 0 when it is done already, −1 when the campaign is gone. */
  async begin(shard: number): Promise<number> {
    return Number(await this.#redis.eval(BEGIN, 3, ...this.#keys('', ':done', ':tries'), shard));
  }

  /** Counts a shard, once. @returns 1; 0 when it was counted before; −1 when the campaign is gone. */
  async complete(
    shard: number,
    cases: number,
    { counts, findings, differing }: WholeShardResult,
  ): Promise<number> {
    const rows = Object.entries(counts);
    const found = findings.flatMap((finding) => [findingId(finding), finding.run, JSON.stringify(finding)]);
    const keys = this.#keys('', ':done', ':totals', ':counts', ':findings', ':finding-runs', ':tries');
    const args = [shard, cases, differing, rows.length, ...rows.flat(), ...found];
    return Number(await this.#redis.eval(COMPLETE, keys.length, ...keys, ...args));
  }

  /** In the order of their cases. */
  async findings(): Promise<StoredFinding[]> {
    const rows = Object.entries(await this.#redis.hgetall(`${this.#key}:findings`));
    const all = rows.map(([id, text]): StoredFinding => ({ ...JSON.parse(text), id }));
    return all.toSorted((a, b) => a.run - b.run);
  }

  /** A sign of life. @returns whether the campaign has ended; null when it is gone. */
  async beat(worker: WorkerLife): Promise<boolean | null> {
    const keys = this.#keys('', ':workers', ':beats');
    const ended = await this.#redis.eval(BEAT, 3, ...keys, worker.id, JSON.stringify(worker), SILENT_SECONDS);
    return ended === null ? null : ended === '1';
  }

  async workers(): Promise<WorkerLife[]> {
    const rows = await this.#redis.eval(ALIVE, 2, ...this.#keys(':workers', ':beats'), SILENT_SECONDS);
    if (!Array.isArray(rows)) return [];
    const texts = rows.filter((_, i) => i % 2 === 1).map((text) => JSON.parse(String(text)) as WorkerLife);
    return texts.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  #keys(...parts: string[]): string[] {
    return parts.map((part) => this.#key + part);
  }
}

function numbers(row: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, text]) => [name, Number(text)]));
}
