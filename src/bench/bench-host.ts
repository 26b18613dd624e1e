/** What every benchmark works with: where the built program is, a folder for its files, the clock, and how to be ended. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmulatorError } from '../errors.ts';
import { Pio86Failure } from './bench-failure.ts';
import type { Job, JobResult } from './jobs/job.ts';
import type { Rom } from './rom-image.ts';
import { type BenchClock, type ProcessResult, runProcess } from './run-process.ts';

/** What a benchmark may need of its surroundings. */
export interface BenchHostOptions {
  readonly clock: BenchClock;
  /** How long the long run of a slope shall take. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The project, where package.json is. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** One run of the suite. */
export class BenchHost {
  readonly options: BenchHostOptions;
  /** The project's folder: `dist/` is what is measured, however this runs itself. */
  readonly root = ROOT;
  /** A folder for files, gone at the end. */
  readonly dir: string;

  /** @throws EmulatorError `E_ARGUMENT` when nothing is built. */
  constructor(options: BenchHostOptions) {
    if (!existsSync(join(ROOT, 'dist/bench/child.js'))) {
      throw new EmulatorError(
        'E_ARGUMENT',
        "bench: it measures dist/, which is not there; 'npm run build' makes it",
      );
    }
    this.options = options;
    this.dir = mkdtempSync(join(tmpdir(), 'pio86-bench-'));
  }

  /** Takes its files away. */
  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** A file with `n` of the work of `rom`. @returns its path. */
  romFile(rom: Rom, n: number): string {
    const path = join(this.dir, `${rom.work}-${n}.rom`);
    if (!existsSync(path)) writeFileSync(path, rom.image(n));
    return path;
  }

  /** Runs a program. @param stdin the file that is its standard input. */
  run(command: string, args: readonly string[], stdin?: string): Promise<ProcessResult> {
    const { clock, signal } = this.options;
    return runProcess(command, args, {
      clock,
      signal,
      cwd: this.dir,
      ...(stdin === undefined ? {} : { stdin }),
    });
  }

  /**
   * Runs the built command-line program.
   *
   * @throws BenchFailure for an exit code that is not among `codes`.
   */
  async pio86(args: readonly string[], codes: readonly number[] = [0], root = ROOT): Promise<ProcessResult> {
    const result = await this.run(process.execPath, [join(root, 'dist/bin/main.js'), ...args]);
    if (!codes.includes(result.status ?? -1)) {
      throw new Pio86Failure(`pio86 ${args[0]}: exit code ${result.status}: ${lastLine(result.stderr)}`);
    }
    return result;
  }

  /** Does a job in a process of its own. @param root the project whose dist/ does it. */
  async job(job: Job, root = ROOT): Promise<JobResult> {
    const { signal } = this.options;
    const args = [join(root, 'dist/bench/child.js'), JSON.stringify(job)];
    const result = await runProcess(process.execPath, args, { clock: 'wall', signal, cwd: this.dir });
    if (result.status !== 0) throw new Pio86Failure(`${job.kind}: ${lastLine(result.stderr)}`);
    return JSON.parse(result.stdout) as JobResult;
  }

  /** Seconds of a job, by the clock of this run. */
  secondsOf({ wallSeconds, cpuSeconds }: JobResult): number {
    return this.options.clock === 'cpu' ? cpuSeconds : wallSeconds;
  }
}

/** The last line of what a program said, for messages. */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').pop() ?? '';
}
