/**
 * The way to Redis. The packages bullmq and ioredis are optional and loaded here alone, when `--queue` asks for them.
 *
 * A server that does not answer at the start is an error; one that goes away later is waited for, and what was sent to it is
 * sent again: every command of a campaign may be run twice (`scripts.ts`).
 */
import type { Redis } from 'ioredis';
import { absentError } from '../cli-error.ts';
import type { QueueUrl } from './redis-url.ts';

/** The packages. */
export interface QueueModules {
  readonly bullmq: typeof import('bullmq');
  readonly Redis: typeof Redis;
}

const CONNECT_MS = 5000;
const RETRY_MS = 50;
const LONGEST_RETRY_MS = 1000;
/** BullMQ wants 6.2. */
const OLDEST_REDIS = [6, 2] as const;

/** @throws CliError (absent). */
export async function loadQueueModules(): Promise<QueueModules> {
  try {
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bullmq, Redis: ioredis.Redis };
  } catch {
    throw absentError("--queue needs the optional packages bullmq and ioredis: 'npm install bullmq ioredis'");
  }
}

/**
 * Connects.
 * @param say told when the server goes away and when it is back.
 * @throws CliError (absent) when no Redis answers there, or one that is too old or wants another password.
 */
export async function openRedis(
  modules: QueueModules,
  { shown, ...server }: QueueUrl,
  say: (text: string) => void,
): Promise<Redis> {
  let isUp = false;
  let isGone = false;
  let reason = '';
  const redis = new modules.Redis({
    ...server,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (isUp ? Math.min(times * RETRY_MS, LONGEST_RETRY_MS) : null),
  });
  redis.on('error', (error: Error) => {
    reason = reasonOf(error);
  });
  redis.on('reconnecting', () => {
    if (isUp && !isGone) say(`${shown} does not answer; waiting for it`);
    isGone = true;
  });
  redis.on('ready', () => {
    if (isUp && isGone) say(`${shown} is back`);
    isGone = false;
  });
  try {
    await redis.connect();
    const version = /^redis_version:(\d+)\.(\d+)/m.exec(await redis.info('server'));
    const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
    if (major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1])) {
      throw new Error(`Redis ${major}.${minor} is older than ${OLDEST_REDIS.join('.')}`);
    }
  } catch (error) {
    redis.disconnect();
    throw absentError(`--queue: ${shown}: ${reason || reasonOf(error)}`);
  }
  isUp = true;
  return redis;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused; is Redis running there?';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'no such host';
  if (code === 'ETIMEDOUT') return 'no answer; is it the right address?';
  return error.message || code || error.name;
}
