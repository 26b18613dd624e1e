/** The report as text. */
import Table from 'cli-table3';
import { figure, times } from './numbers.ts';
import type { BenchReport, BenchRow } from './report.ts';

/** The engines that took part. */
export const ENGINES: Readonly<Record<BenchReport['jit'], string>> = {
  on: 'with generated code',
  off: 'the interpreter alone (--jit off)',
  both: 'with generated code, and the interpreter alone (--jit both)',
};

function spread({ min, max, unit }: BenchRow): string {
  return `${figure(min, unit)} … ${figure(max, unit)}`;
}

/** Who ran the guest; a dash where none runs. */
export function engineName({ engine }: BenchRow): string {
  return engine ?? '–';
}

function columns(report: BenchReport): [string, (row: BenchRow) => string][] {
  const { rows } = report;
  const peers = report.peers.map(({ name }): [string, (row: BenchRow) => string] => [
    name,
    ({ peers: results, unit }) => {
      const result = results.find((peer) => peer.name === name);
      return result === undefined ? '' : figure(result.median, unit);
    },
  ]);
  const all: [string, (row: BenchRow) => string][] = [
    ['workload', ({ name }) => name],
    ...(report.jit === 'on' ? [] : [['engine', engineName] as [string, (row: BenchRow) => string]]),
    [peers.length > 0 ? 'pio86' : 'median', ({ median, unit }) => figure(median, unit)],
    ['min … max', spread],
    ['unit', ({ unit }) => unit],
    ...peers,
  ];
  if (peers.length > 0) {
    all.push([
      '× best peer',
      ({ ratio, bestPeer }) => (ratio === null ? '' : `${times(ratio)} ${bestPeer ?? ''}`),
    ]);
  }
  if (rows.some(({ baseline }) => baseline !== undefined)) {
    all.push(['× baseline', ({ baseline }) => (baseline === undefined ? 'new' : times(baseline.ratio))]);
  }
  if (peers.length === 0) all.push(['what', ({ about }) => about]);
  return all;
}

/** The machine, who took part, and the figures. */
export function reportText(report: BenchReport): string {
  const shown = columns(report);
  const isText = (head: string): boolean => ['workload', 'engine', 'unit', 'what'].includes(head);
  const table = new Table({
    head: shown.map(([head]) => head),
    colAligns: shown.map(([head]) => (isText(head) ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of report.rows) table.push(shown.map(([, cell]) => cell(row)));
  return `${reportHead(report)}\n${table.toString()}`;
}

/** What the figures are of, in a line or two. */
export function reportHead({ machine, version, date, clock, jit, peers }: BenchReport): string {
  const what = clock === 'cpu' ? 'CPU seconds of all threads' : 'wall-clock seconds';
  const line = `${machine}, pio86 ${version} ${ENGINES[jit]}, ${date.slice(0, 10)}; medians, ${what}`;
  return peers.length === 0 ? line : `${line}\npeers: ${peers.map((peer) => peer.version).join(', ')}`;
}
