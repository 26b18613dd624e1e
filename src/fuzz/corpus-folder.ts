/**
 * A folder of cases: one text file each, named after what is in it, so that folders of several machines can be put together by copying.
 * A file is written aside and put in place: whatever ends the fuzzer, the folder holds whole cases.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmulatorError } from '../errors.ts';

const EXTENSION = '.txt';
const NAME_DIGITS = 16;

/** A case and its file. */
export interface CorpusFile {
  readonly path: string;
  readonly text: string;
}

/** See the opening comment. */
export class CorpusFolder {
  readonly path: string;

  /** Makes the folder unless it is there. @throws EmulatorError `E_INPUT` when it cannot be made. */
  constructor(path: string) {
    this.path = path;
    attempt(path, () => mkdirSync(path, { recursive: true }));
  }

  /** All cases, the shortest first: what a long one covers besides is seen then. @throws EmulatorError `E_INPUT`. */
  read(): CorpusFile[] {
    return attempt(this.path, () => {
      const names = readdirSync(this.path).filter(
        (name) => name.endsWith(EXTENSION) && !name.startsWith('.'),
      );
      const files = names.map((name) => join(this.path, name));
      return files
        .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
        .sort((a, b) => a.text.length - b.text.length || (a.path < b.path ? -1 : 1));
    });
  }

  /** Keeps a case. @throws EmulatorError `E_INPUT` when it cannot be written. */
  add(text: string): void {
    const name = createHash('sha256').update(text).digest('hex').slice(0, NAME_DIGITS);
    const aside = join(this.path, `.${name}.${process.pid}`);
    attempt(this.path, () => {
      writeFileSync(aside, text);
      renameSync(aside, join(this.path, `${name}${EXTENSION}`));
    });
  }

  /** Removes cases. */
  remove(files: readonly CorpusFile[]): void {
    for (const { path } of files) rmSync(path, { force: true });
  }
}

function attempt<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw new EmulatorError('E_INPUT', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
