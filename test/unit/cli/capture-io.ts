import { PassThrough, Writable } from 'node:stream';
import { runCli } from '../../../src/cli/run-cli.ts';

/** A stream that remembers what was written to it. */
class Capture extends Writable {
  readonly #chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    // Written is written: its owner may use the memory again.
    this.#chunks.push(Buffer.from(chunk));
    done();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

/** What a command line did. */
export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run it. */
export interface CliSetup {
  /** null: open, and nothing comes. */
  readonly stdin?: Uint8Array | string | null;
  readonly env?: Record<string, string>;
  /** Called with what raises SIGINT. */
  readonly onReady?: (sigint: () => void) => void;
  /** The same for SIGTERM. */
  readonly onReadySigterm?: (sigterm: () => void) => void;
}

/** Runs a command line in this process. */
export async function cli(argv: readonly string[], setup: CliSetup = {}): Promise<CliResult> {
  const stdout = new Capture();
  const stderr = new Capture();
  const stdin = new PassThrough();
  if (setup.stdin !== null) stdin.end(setup.stdin ?? '');
  const handlers = new Set<() => void>();
  setup.onReady?.(() => {
    for (const handler of handlers) handler();
  });
  const terminators = new Set<() => void>();
  setup.onReadySigterm?.(() => {
    for (const handler of terminators) handler();
  });
  const exitCode = await runCli(argv, {
    stdin,
    stdout,
    stderr,
    env: setup.env ?? {},
    onSigint(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },
    onSigterm(handler) {
      terminators.add(handler);
      return () => terminators.delete(handler);
    },
    exitSoon() {},
  });
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}
