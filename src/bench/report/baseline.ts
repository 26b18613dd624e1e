/** Comparing a run with the `--json` document of an earlier one. */
import { EmulatorError } from '../../errors.ts';
import { type BenchReport, type BenchRow, goodness, rowTitle } from './report.ts';

/** Median by {@link rowTitle}: an engine is compared with itself. */
export type Baseline = ReadonlyMap<string, number>;

function isRow(
  row: unknown,
): row is { readonly name: string; readonly engine?: unknown; readonly median: number } {
  if (typeof row !== 'object' || row === null) return false;
  const { name, median } = row as Record<string, unknown>;
  return typeof name === 'string' && typeof median === 'number' && median > 0 && Number.isFinite(median);
}

/**
 * Reads a document that `pio86 bench --json` has printed.
 *
 * @param name what messages call it.
 * @throws EmulatorError `E_INPUT` when it is none.
 */
export function readBaseline(text: string, name: string): Baseline {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new EmulatorError('E_INPUT', `bench: ${name} is not JSON`);
  }
  const { command, rows } = (document ?? {}) as Record<string, unknown>;
  if (command !== 'bench' || !Array.isArray(rows) || !rows.every(isRow)) {
    throw new EmulatorError('E_INPUT', `bench: ${name} is not what 'pio86 bench --json' prints`);
  }
  return new Map(rows.map((row) => [rowTitle(row), row.median]));
}

/** The row with its comparison; as it is when the baseline does not have it. */
export function compareWithBaseline(row: BenchRow, baseline: Baseline): BenchRow {
  const median = baseline.get(rowTitle(row));
  if (median === undefined) return row;
  return { ...row, baseline: { median, ratio: goodness(row.better, row.median, median) } };
}

/** @throws EmulatorError `E_INPUT` when no row has a baseline: a limit would hold for nothing. @param name of the baseline. */
export function requireCommonRows({ rows }: Pick<BenchReport, 'rows'>, name: string): void {
  if (rows.some(({ baseline }) => baseline !== undefined)) return;
  const titles = rows.map(rowTitle).join(', ');
  throw new EmulatorError('E_INPUT', `bench: --max-slowdown: ${name} has no figure of ${titles}`);
}

/**
 * Rows that are worse than the baseline by more than a limit.
 *
 * @param maxSlowdown how many times as slow, as large or as long is still right.
 * @returns a line for each.
 */
export function slowdowns({ rows }: Pick<BenchReport, 'rows'>, maxSlowdown: number): string[] {
  return rows.flatMap((row) => {
    const { baseline } = row;
    if (baseline === undefined || baseline.ratio * maxSlowdown >= 1) return [];
    const times = (1 / baseline.ratio).toFixed(2);
    return [`${rowTitle(row)} is ${times} times as slow as the baseline; the limit is ${maxSlowdown}`];
  });
}
