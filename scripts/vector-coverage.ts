/**
 * Which encodings of the operation table the recorded vectors run: each case's bytes are decoded, each file has the
 * names of what it holds. The summary is committed (test/vectors/coverage.json), because not all vectors are.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseVector } from '../src/conform/json-fields.ts';
import { findVectorFiles, readVectorLines } from '../src/conform/vector-files.ts';
import { lower, supportedCodes } from '../src/decoder/lower.ts';
import { ROOT } from './kvm-tags.ts';

/** File (`hw32/alu`) → `Code` names of the operation table, sorted. */
export type VectorCoverage = Readonly<Record<string, readonly string[]>>;

/** The vectors that are part of the project, and the sets that lie beside it. */
export const COMMITTED_SETS = ['hw32', 'kvm'].map((set) => join(ROOT, 'test', 'vectors', set));
export const OUTSIDE_SETS = [join(ROOT, '..', 'shared', 'vectors', 'sst80286')];
const SUMMARY = join(ROOT, 'test', 'vectors', 'coverage.json');

/** Whether the case's code is 32-bit: hw32 always, kvm in the flat modes, sst80286 never. */
function is32(set: string, mode: unknown): boolean {
  return set.startsWith('hw32') || mode === 'prot' || mode === 'prot3';
}

/** What the cases of the files under `sets` decode to. Cases that a 386 is excused from are left out. */
export function measureCoverage(sets: readonly string[]): VectorCoverage {
  const names = new Map(supportedCodes().map(({ code, name }) => [code, name]));
  const coverage: Record<string, string[]> = {};
  for (const file of sets.filter((set) => existsSync(set)).flatMap(findVectorFiles)) {
    const found = new Set<string>();
    for (const line of readVectorLines(file.path).lines) {
      const test = parseVector(line);
      const text = test.code ?? test.bytes;
      if (typeof text !== 'string' || 'd386' in test) continue;
      const bytes = Buffer.from(text, 'hex');
      const insn = lower(bytes, bytes.length, is32(file.name, test.mode) ? 1 : 0);
      const name = insn === null ? undefined : names.get(insn.code);
      if (name !== undefined) found.add(name);
    }
    if (found.size > 0) coverage[file.name] = [...found].sort();
  }
  return coverage;
}

/** The committed summary. */
export function readCoverage(): VectorCoverage {
  return JSON.parse(readFileSync(SUMMARY, 'utf8')) as VectorCoverage;
}

/** The summary's text: one file a line. */
export function coverageText(coverage: VectorCoverage): string {
  const lines = Object.entries(coverage).map(
    ([file, codes]) => `${JSON.stringify(file)}: ${JSON.stringify(codes)}`,
  );
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** Where {@link coverageText} is kept. */
export const COVERAGE_FILE = SUMMARY;
