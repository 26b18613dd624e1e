/**
 * `--queue redis://[user:password@]host[:port][/db]`, `rediss://` with TLS: where a campaign lives.
 */
import { usageError } from '../cli-error.ts';

/** A Redis server, as ioredis takes it. */
export interface QueueUrl {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Record<string, never>;
  /** For messages: without the password. */
  readonly shown: string;
}

const DEFAULT_PORT = 6379;
const MAX_DB = 0xffff;
const FORM = 'redis://[user:password@]host[:port][/db] (rediss:// for TLS)';

/** @throws CliError (usage) that never repeats a password. */
export function parseQueueUrl(text: string): QueueUrl {
  const hidden = text.replace(/\/\/[^/@]*@/, '//***@');
  const wrong = (): Error => usageError(`--queue: '${hidden.slice(0, 80)}' is not ${FORM}`);
  if (!URL.canParse(text)) throw wrong();
  const { protocol, hostname, port, pathname, username, password, search, hash } = new URL(text);
  const db = pathname === '' || pathname === '/' ? 0 : Number(/^\/(\d{1,5})$/.exec(pathname)?.[1] ?? -1);
  const isForm = (protocol === 'redis:' || protocol === 'rediss:') && hostname !== '' && search + hash === '';
  if (!isForm || db < 0 || db > MAX_DB || port === '0') throw wrong();
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? DEFAULT_PORT : Number(port),
    db,
    ...(username === '' ? {} : { username: decoded(username, wrong) }),
    ...(password === '' ? {} : { password: decoded(password, wrong) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
    shown: `${protocol}//${hostname}:${port === '' ? DEFAULT_PORT : port}${db === 0 ? '' : `/${db}`}`,
  };
}

function decoded(text: string, wrong: () => Error): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong();
  }
}
