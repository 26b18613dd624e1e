/**
 * The files of one run, read and planned, before any machine exists.
 */
import { BIOS_SIZE_MAX } from '../../loaders/bios.ts';
import { planImage } from '../../loaders/detect.ts';
import type { LoadPlan, MemoryWrite } from '../../loaders/image.ts';
import { planProtected } from '../../loaders/protected.ts';
import { planRaw } from '../../loaders/raw.ts';
import { usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { linearOf } from '../numbers.ts';
import { readImage } from './read-image.ts';
import type { RunOptions } from './run-options.ts';

/** What to load. */
export interface LoadedFiles {
  /** Shown in the summary. */
  readonly name: string;
  readonly plan: LoadPlan;
  readonly extra: readonly MemoryWrite[];
}

/**
 * Reads FILE and every `--load`. Without FILE the first `--load` is the program, entered where it lies.
 *
 * @throws CliError, EmulatorError: usage, bad input, or absent.
 */
export async function loadFiles(
  { io }: CommandContext,
  file: string | undefined,
  options: RunOptions,
): Promise<LoadedFiles> {
  const limit = Math.max(options.memory, BIOS_SIZE_MAX);
  const extra: MemoryWrite[] = [];
  for (const { path, address } of options.load ?? []) {
    extra.push({ name: path, gpa: linearOf(address), bytes: (await readImage(path, io, limit)).bytes });
  }
  if (file !== undefined) {
    const image = await readImage(file, io, limit);
    if (options.mode !== 'real') {
      if (options.format !== 'auto' && options.format !== 'raw') {
        throw usageError(`run: --mode ${options.mode} starts a raw binary, not --format ${options.format}`);
      }
      return { name: file, plan: planProtected(image, options.mode), extra };
    }
    const machine = {
      memoryBytes: options.memory,
      ...(options.append === undefined ? {} : { commandLine: options.append }),
    };
    return { name: file, plan: planImage(image, options.format, machine), extra };
  }
  const [program, ...rest] = extra;
  if (program === undefined) {
    throw usageError("run: no program given; name a file, '-' for standard input, or --load FILE@ADDR");
  }
  if (options.format !== 'auto' && options.format !== 'raw') {
    throw usageError(`run: --format ${options.format} needs FILE; --load loads raw bytes`);
  }
  const { gpa } = program;
  const plan = options.mode === 'real' ? planRaw(program, gpa) : planProtected(program, options.mode, gpa);
  return { name: program.name, plan, extra: rest };
}
