/** Runs a program to its end and times it. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { BenchFailure } from './bench-failure.ts';

/** What is timed: `wall` seconds, or `cpu` seconds of all threads, for machines that do other things too. */
export type BenchClock = 'wall' | 'cpu';

/** How a program is run. */
export interface ProcessOptions {
  readonly clock: BenchClock;
  /** Ends it, and with it the benchmark. */
  readonly signal: AbortSignal;
  /** The file that is its standard input: no pipe, Bochs writes to it. Default: none. */
  readonly stdin?: string;
  readonly cwd?: string;
}

/** How it ended. */
export interface ProcessResult {
  readonly status: number | null;
  /** The last {@link KEPT_CHARS} characters. */
  readonly stdout: string;
  readonly stderr: string;
  /** From its start to its end. */
  readonly seconds: number;
}

const TIMEOUT_MS = 180_000;
const KEPT_CHARS = 1 << 16;
/** bash says at the end, on standard error, how long the command had the processor. */
const TIMED = 'TIMEFORMAT="%U %S"; time "$0" "$@"';

function cpuSeconds(stderr: string): number {
  const match = /(\d+[.,]\d+) (\d+[.,]\d+)\s*$/.exec(stderr);
  if (match === null) throw new BenchFailure('bash does not say how long a program took');
  return Number(match[1].replace(',', '.')) + Number(match[2].replace(',', '.'));
}

/**
 * Runs `command` to its end.
 *
 * @throws BenchFailure when it cannot be started or does not end by itself, the signal's reason when that ended it.
 */
export async function runProcess(
  command: string,
  args: readonly string[],
  { clock, signal, stdin, cwd }: ProcessOptions,
): Promise<ProcessResult> {
  signal.throwIfAborted();
  const [file, argv] = clock === 'cpu' ? ['bash', ['-c', TIMED, command, ...args]] : [command, args];
  const input = stdin === undefined ? 'ignore' : openSync(stdin, 'r');
  const start = performance.now();
  // A group of its own: what it starts ends with it.
  const child = spawn(file, argv, {
    detached: true,
    stdio: [input, 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (typeof input === 'number') closeSync(input);
  let timedOut = false;
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL'); // no process groups here, or it has just ended
    }
  };
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, TIMEOUT_MS);
  signal.addEventListener('abort', kill);
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('latin1').on('data', (chunk: string) => {
      text[name] = (text[name] + chunk).slice(-KEPT_CHARS);
    });
  }
  let end = start;
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', () => {
        end = performance.now();
      });
      child.on('close', resolve);
    });
    signal.throwIfAborted();
    if (timedOut) throw new BenchFailure(`${command} did not end within ${TIMEOUT_MS / 1000} s`);
    const seconds = clock === 'cpu' ? cpuSeconds(text.stderr) : (end - start) / 1000;
    return { status, ...text, seconds };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new BenchFailure(`${file} is not installed`);
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}
