/**
 * `npm run mutants [NAME…]`: plants each bug of test/mutants/ into a copy of the build and lets `pio86 fuzz` look for it. A
 * table says how long that took and how small the case became; exit code 1 when a bug is not found.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from '../test/mutants/mutants.ts';
import { copyBuild, plant } from './planted-build.ts';

const SECONDS = Number(process.env.MUTANT_SECONDS ?? 60);
/** What the issue asks for. */
const SMALL = 3;

interface Outcome {
  readonly isFound: boolean;
  readonly seconds: number;
  readonly runs: number;
  /** Instructions or steps of the case. */
  readonly size: number;
}

function look(folder: string, { target }: Mutant): Outcome {
  const argv = ['fuzz', target, '--time', String(SECONDS), '--seed', '1', '--json'];
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'dist/cli/main.js'), ...argv], {
    encoding: 'utf8',
  });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`no report: ${stdout}${stderr}`);
  const { runs, seconds, findings } = JSON.parse(line);
  const text: string = findings[0]?.reproducer ?? '';
  const size = text.split('\n').filter((row) => /^(code|step)=/.test(row)).length;
  return { isFound: findings.length > 0, seconds, runs, size };
}

function main(names: readonly string[]): number {
  const wanted = MUTANTS.filter(({ name }) => names.length === 0 || names.includes(name));
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
  let found = 0;
  let small = 0;
  try {
    copyBuild(folder);
    for (const mutant of wanted) {
      const pullOut = plant(folder, mutant);
      const { isFound, seconds, runs, size } = look(folder, mutant);
      pullOut();
      if (isFound) found++;
      if (isFound && size <= SMALL) small++;
      const end = isFound
        ? `${seconds.toFixed(2).padStart(6)} s ${String(runs).padStart(8)} runs  size ${size}`
        : 'NOT FOUND';
      process.stdout.write(`${mutant.name.padEnd(34)} ${mutant.target.padEnd(10)} ${end}\n`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  process.stdout.write(
    `${found} of ${wanted.length} found, ${small} with at most ${SMALL} instructions or steps\n`,
  );
  return found === wanted.length ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
