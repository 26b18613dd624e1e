/**
 * How guided campaigns of several machines share what they find: a list of cases in Redis that each appends to and reads on. There is no
 * coordinator; whoever comes later begins with the whole list. A case is in it once, whoever sends it and however often.
 */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { inputError } from '../cli-error.ts';
import { loadQueueModules, openRedis } from './connect.ts';
import type { QueueUrl } from './redis-url.ts';

/** How often the list is read on, and how much at once. */
const POLL_MS = 1000;
const BATCH = 256;

/** KEYS: hashes, cases. ARGV: hash, case. May run twice. */
const ADD = `
if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then redis.call('RPUSH', KEYS[2], ARGV[2]) end
return 1`;

/** See the opening comment. */
export class CorpusExchange {
  readonly #redis: Redis;
  readonly #known: string;
  readonly #cases: string;
  readonly #own = new Set<string>();
  readonly #sending = new Set<Promise<unknown>>();
  #arrived: string[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> = Promise.resolve();

  private constructor(redis: Redis, name: string) {
    this.#redis = redis;
    this.#known = `pio86:corpus:${name}:hashes`;
    this.#cases = `pio86:corpus:${name}:cases`;
  }

  /**
   * Connects, and reads what is there.
   * @throws CliError (absent) without Redis, (bad input) for a corpus of another target.
   */
  static async open(
    url: QueueUrl,
    name: string,
    target: string,
    say: (text: string) => void,
  ): Promise<CorpusExchange> {
    const redis = await openRedis(await loadQueueModules(), url, say);
    const exchange = new CorpusExchange(redis, name);
    try {
      await redis.setnx(`pio86:corpus:${name}:target`, target);
      const has = await redis.get(`pio86:corpus:${name}:target`);
      if (has !== target) throw inputError(`corpus ${name}: its target is ${has}, not ${target}`);
      await exchange.#read();
    } catch (error) {
      redis.disconnect();
      throw error;
    }
    exchange.#timer = setInterval(() => exchange.#poll(), POLL_MS);
    return exchange;
  }

  /** Sends a case, in the background. */
  share(text: string): void {
    const hash = createHash('sha256').update(text).digest('hex');
    this.#own.add(hash);
    const sent = this.#redis.eval(ADD, 2, this.#known, this.#cases, hash, text).catch(() => {});
    this.#sending.add(sent);
    void sent.then(() => this.#sending.delete(sent));
  }

  /** Cases of others that have come since the last call. */
  takeArrived(): string[] {
    const arrived = this.#arrived;
    this.#arrived = [];
    return arrived;
  }

  /** Waits for what is on its way, but no longer than a moment: Redis may be gone. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const moment = new Promise((resolve) => setTimeout(resolve, POLL_MS).unref());
    await Promise.race([Promise.all([...this.#sending, this.#reading]), moment]);
    this.#redis.disconnect();
  }

  #poll(): void {
    this.#reading = this.#reading.then(() => this.#read()).catch(() => {});
  }

  async #read(): Promise<void> {
    for (;;) {
      const texts = await this.#redis.lrange(this.#cases, this.#next, this.#next + BATCH - 1);
      this.#next += texts.length;
      for (const text of texts) {
        if (!this.#own.has(createHash('sha256').update(text).digest('hex'))) this.#arrived.push(text);
      }
      if (texts.length < BATCH) return;
    }
  }
}
