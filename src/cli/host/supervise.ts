/**
 * The parent's side of everything that touches the host's KVM: a blocked KVM_RUN blocks its whole process, so the work
 * is done in a child. Its output is handed on as it comes; past the deadline the child is killed.
 */
import { fork } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { CommandContext } from '../command.ts';
import { EXIT_BUG, EXIT_LIMIT, EXIT_SIGINT, EXIT_SIGTERM } from '../exit-codes.ts';
import type { OutputStream } from '../output-stream.ts';
import { moduleFile } from '../package-files.ts';
import type { HostRequest } from './request.ts';

/** How long after its deadline, or after a signal, the child may take to end by itself. */
const GRACE_MS = 2_000;
/** How long the child may take to start, on a busy machine. */
const START_MS = 60_000;

/** The same kind of file as this one: built, or a source under a loader that the child inherits. */
const CHILD = fileURLToPath(moduleFile('cli/host/child'));

function pump(from: Readable | null, to: OutputStream, onClosed: () => void): void {
  from?.on('data', (chunk: Buffer) => {
    to.write(chunk);
    if (to.closed) onClosed();
    if (!to.isFull) return;
    from.pause();
    void to.drained().then(
      () => from.resume(),
      () => onClosed(),
    );
  });
}

/**
 * Carries out a request in a child process.
 *
 * @param timeoutMs the child's own deadline; it is killed {@link GRACE_MS} later.
 * @returns the child's exit code; {@link EXIT_LIMIT} when it had to be killed.
 */
export async function superviseChild(
  { io, out, err }: CommandContext,
  request: HostRequest,
  timeoutMs: number,
): Promise<number> {
  const child = fork(CHILD, [JSON.stringify(request)], { stdio: ['inherit', 'pipe', 'pipe', 'ipc'] });
  let killedFor: number | null = null;
  const kill = (code: number): void => {
    killedFor ??= code;
    child.kill('SIGKILL');
  };
  const killAfter = (ms: number): ReturnType<typeof setTimeout> | null =>
    Number.isFinite(timeoutMs) ? setTimeout(() => kill(EXIT_LIMIT), Math.min(ms, 0x7fff_ffff)) : null;
  let deadline = killAfter(START_MS + timeoutMs);
  // The child says when its own deadline begins.
  child.once('message', () => {
    if (deadline !== null) clearTimeout(deadline);
    deadline = killAfter(timeoutMs + GRACE_MS);
  });
  let afterSignal: ReturnType<typeof setTimeout> | null = null;
  let isTerminated = false;
  const pass = (signal: 'SIGINT' | 'SIGTERM', code: number): void => {
    child.kill(signal);
    afterSignal ??= setTimeout(() => kill(code), GRACE_MS);
  };
  const offSigint = io.onSigint(() => pass('SIGINT', EXIT_SIGINT));
  const offSigterm = io.onSigterm(() => {
    isTerminated = true;
    pass('SIGTERM', EXIT_SIGTERM);
  });
  pump(child.stdout, out, () => child.stdout?.destroy());
  pump(child.stderr, err, () => child.stderr?.destroy());
  try {
    const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (exitCode, name) => resolve([exitCode, name]));
    });
    if (code !== null) return code;
    // A command that does not listen to it ends at once.
    if (isTerminated && signal === 'SIGTERM') return EXIT_SIGTERM;
    if (killedFor === null) {
      err.write(`pio86: the process that ran the host's KVM was ended by ${signal}\n`);
      return EXIT_BUG;
    }
    const why =
      killedFor === EXIT_LIMIT ? '--timeout reached' : isTerminated ? 'ended by SIGTERM' : 'interrupted';
    err.write(`pio86: ${why}: the guest did not come back from KVM_RUN and was killed\n`);
    return killedFor;
  } finally {
    if (deadline !== null) clearTimeout(deadline);
    if (afterSignal !== null) clearTimeout(afterSignal);
    offSigint();
    offSigterm();
  }
}
