/**
 * A QEMU with its processor stopped that answers qtest commands: a child process on two pipes, spoken to without the event loop, as
 * the fuzzer's targets are.
 *
 * The shell between the two holds a pipe of ours: whatever ends this process, kill -9 included, ends QEMU. The child has a session
 * of its own, so Ctrl-C is this process's alone. The named pipes are gone from the file system before QEMU starts.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmulatorError } from '../../errors.ts';
import { isReply, type QtestLink } from '../../fuzz/qtest/protocol.ts';
import { absentError } from '../cli-error.ts';

/** The program. */
export const QEMU = 'qemu-system-x86_64';
/** Debian's package of it. */
const PACKAGE = 'qemu-system-x86';
/** A PC without anything that runs: no processor time, no clock, no firmware's work, no devices beside the board's. */
const MACHINE_ARGS = [
  ...['-machine', 'pc,accel=tcg', '-m', '16', '-S', '-display', 'none', '-nodefaults', '-no-user-config'],
  ...['-rtc', 'base=2026-01-01T00:00:00,clock=vm', '-serial', 'null'],
];
const QTEST_ARGS = ['-qtest', 'stdio', '-qtest-log', '/dev/null'];
const QMP_ARGS = ['-qmp', 'stdio'];
const PIC_TYPE = 'child<isa-i8259>';
const UNATTACHED = '/machine/unattached';
const QMP_QUESTION = [
  '{"execute":"qmp_capabilities"}',
  `{"execute":"qom-list","arguments":{"path":"${UNATTACHED}"}}`,
  '{"execute":"quit"}',
].join('');

/** Starts "$@" between file descriptors 3 and 4, and ends it when standard input does. */
const KEEPER = '"$@" <&3 >&4 3<&- 4>&- & qemu=$!; exec 3<&- 4>&-; cat >/dev/null; kill -9 $qemu; wait $qemu';
/** Commands sent at once: their replies fit into a pipe. */
const BATCH = 1000;
const READ_BYTES = 1 << 16;
/** How long a batch may take, and the start. */
const ANSWER_MS = 20_000;
const START_MS = 60_000;
/** Between two looks at the pipe. */
const NAP_MS = 0.02;
const STDERR_CHARS = 200;

/** What to start in QEMU's place, for tests. */
export interface QemuOptions {
  readonly program?: string;
  readonly args?: readonly string[];
  readonly chips?: readonly [string, string];
  /** Milliseconds that a batch may take. */
  readonly answerMs?: number;
}

/** See the opening comment. Whoever makes one calls {@link QemuProcess.close}. */
export class QemuProcess implements QtestLink {
  readonly chips: readonly [string, string];
  readonly #child: ChildProcess;
  /** Commands to it, replies from it, what it says on standard error. */
  readonly #to: number;
  readonly #from: number;
  readonly #errors: number;
  readonly #answerMs: number;
  readonly #buffer = Buffer.alloc(READ_BYTES);
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));
  #isClosed = false;

  /** @throws CliError (absent) without QEMU; EmulatorError `E_ORACLE` when it does not start as it should. */
  constructor(options: QemuOptions = {}) {
    const program = options.program ?? QEMU;
    this.#answerMs = options.answerMs ?? ANSWER_MS;
    this.chips = options.chips ?? findChips(program);
    const dir = mkdtempSync(join(tmpdir(), 'pio86-'));
    try {
      const paths = [join(dir, 'to'), join(dir, 'from')];
      if (spawnSync('mkfifo', paths).status !== 0) throw absentError('mkfifo does not make a named pipe');
      // Of the first both ends: opening it waits for nobody.
      this.#to = openSync(paths[0], constants.O_RDWR | constants.O_NONBLOCK);
      const itsInput = openSync(paths[0], constants.O_RDONLY);
      this.#from = openSync(paths[1], constants.O_RDONLY | constants.O_NONBLOCK);
      const itsOutput = openSync(paths[1], constants.O_WRONLY);
      this.#errors = openSync(join(dir, 'errors'), 'w+');
      const args = options.args ?? [...MACHINE_ARGS, ...QTEST_ARGS];
      this.#child = spawn('sh', ['-c', KEEPER, 'sh', program, ...args], {
        stdio: ['pipe', 'ignore', this.#errors, itsInput, itsOutput],
        detached: true,
      });
      closeSync(itsInput);
      closeSync(itsOutput);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  exchange(commands: readonly string[]): readonly string[] {
    const lines: string[] = [];
    for (let i = 0; i < commands.length; i += BATCH) this.#batch(commands.slice(i, i + BATCH), lines);
    return lines;
  }

  /** Ends QEMU. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const fd of [this.#to, this.#from, this.#errors]) closeSync(fd);
    const { exitCode, signalCode } = this.#child;
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.stdin?.destroy();
    if (exitCode === null && signalCode === null) await ended;
  }

  #batch(commands: readonly string[], lines: string[]): void {
    if (this.#isClosed) throw new EmulatorError('E_ORACLE', 'QEMU has been ended');
    let unsent = Buffer.from(`${commands.join('\n')}\n`, 'latin1');
    const deadline = performance.now() + this.#answerMs;
    let rest = '';
    for (let missing = commands.length; missing > 0; ) {
      // The pipe may be short of room: a user has so many pages of them.
      if (unsent.length > 0) unsent = unsent.subarray(this.#write(unsent));
      const text = this.#read();
      if (text === null) {
        if (performance.now() > deadline)
          throw new EmulatorError('E_ORACLE', `QEMU does not answer qtest within ${this.#answerMs / 1000} s`);
        Atomics.wait(this.#nap, 0, 0, NAP_MS);
        continue;
      }
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        if (isReply(line)) missing--;
      }
    }
  }

  /** @returns how many bytes the pipe has taken. */
  #write(bytes: Uint8Array): number {
    try {
      return writeSync(this.#to, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  /** @returns what there is, null for nothing yet. */
  #read(): string | null {
    try {
      const bytes = readSync(this.#from, this.#buffer);
      if (bytes > 0) return this.#buffer.toString('latin1', 0, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
      throw error;
    }
    throw new EmulatorError('E_ORACLE', `QEMU has ended${this.#lastWords()}`);
  }

  #lastWords(): string {
    const bytes = readSync(this.#errors, this.#buffer, 0, READ_BYTES, 0);
    const last = this.#buffer.toString('latin1', 0, bytes).trim().split('\n').at(-1) ?? '';
    return last === '' ? '' : `: ${last.slice(0, STDERR_CHARS)}`;
  }
}

/** What QEMU calls its 8259As: the master is made first. */
function findChips(program: string): [string, string] {
  const { error, stdout, stderr } = spawnSync(program, [...MACHINE_ARGS, ...QMP_ARGS], {
    input: QMP_QUESTION,
    encoding: 'utf8',
    timeout: START_MS,
    killSignal: 'SIGKILL',
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    throw absentError(`${program} is not installed (Debian: ${PACKAGE})`);
  const numbers: number[] = [];
  for (const [, n, type] of (stdout ?? '').matchAll(/"name": "device\[(\d+)\]", "type": "([^"]*)"/g))
    if (type === PIC_TYPE) numbers.push(Number(n));
  const [master, slave] = numbers.sort((a, b) => a - b);
  if (master === undefined || slave === undefined) {
    const why = error?.message ?? stderr.trim().split('\n').at(-1)?.slice(0, STDERR_CHARS) ?? '';
    throw new EmulatorError('E_ORACLE', `${program} shows no pair of 8259As: ${why}`);
  }
  return [`${UNATTACHED}/device[${master}]`, `${UNATTACHED}/device[${slave}]`];
}
