/**
 * How a guided campaign is shown: a line now and then, a screen, rows of a plot file, and what stands at the end.
 */
import type { GuidedState } from '../engine/guided-campaign.ts';
import type { LineSink } from './report.ts';

const SCHEMA_VERSION = 2;
const MS = 1000;

/** Head of the plot file. */
export const PLOT_HEAD =
  'seconds,runs,exec_per_sec,edges,all_edges,features,corpus,favoured,cycles,stability,findings';

function rate({ runs, elapsedMs }: GuidedState): number {
  return elapsedMs <= 0 ? 0 : Math.round((runs * MS) / elapsedMs);
}

/** One row of the plot file. */
export function plotRow(state: GuidedState): string {
  const { elapsedMs, runs, edges, allEdges, features, corpus, favoured, cycles, stability, finding } = state;
  const counts = [runs, rate(state), edges, allEdges, features, corpus, favoured, cycles];
  return [(elapsedMs / MS).toFixed(1), ...counts, stability.toFixed(3), finding === null ? 0 : 1].join(',');
}

/** Where a campaign is, for a log. */
export function progressLine(state: GuidedState): string {
  const { runs, edges, allEdges, features, corpus, stability, cycles } = state;
  const covered = `edges ${edges}/${allEdges}  features ${features}  corpus ${corpus}`;
  return `#${runs}  ${covered}  exec/s ${rate(state)}  stability ${percent(stability)}  cycles ${cycles}`;
}

/** The screen of `title`, line by line. */
export function screenLines(title: string, state: GuidedState): string[] {
  const { runs, elapsedMs, edges, allEdges, features, corpus, added, favoured, cycles, lastEdgeMs } = state;
  const last = lastEdgeMs === null ? 'none yet' : `${clock(elapsedMs - lastEdgeMs)} ago`;
  const share = percent(edges / Math.max(allEdges, 1));
  const rows: readonly (readonly [string, string, string, string])[] = [
    ['run time', clock(elapsedMs), 'exec/s', String(rate(state))],
    ['runs', String(runs), 'cycles', String(cycles)],
    ['edges', `${edges} of ${allEdges} (${share})`, 'features', String(features)],
    ['corpus', `${corpus} (${added} new)`, 'favoured', String(favoured)],
    ['last new edge', last, 'stability', percent(state.stability)],
    ['findings', state.finding === null ? '0' : '1', '', ''],
  ];
  const lines = rows.map(([a, b, c, d]) => `  ${a.padEnd(15)}${b.padEnd(26)}${c.padEnd(11)}${d}`.trimEnd());
  return [title, ...lines];
}

/** The end of a campaign. */
export function reportGuided(
  { target, seed, json }: { readonly target: string; readonly seed: number; readonly json: boolean },
  state: GuidedState,
  out: LineSink,
): void {
  const { runs, finding, counts } = state;
  if (json) {
    const findings =
      finding === null ? [] : [{ differences: finding.differences, reproducer: finding.lines.join('\n') }];
    const { edges, allEdges, features, corpus, added, cycles, stability } = state;
    const coverage = { edges, allEdges, features, corpus, added, cycles, stability };
    const document = { schemaVersion: SCHEMA_VERSION, target, seed, runs, seconds: state.elapsedMs / MS };
    out.line(JSON.stringify({ ...document, execPerSec: rate(state), counts, ...coverage, findings }));
    return;
  }
  const lines = [
    `${state.edges} of ${state.allEdges} edges, ${state.features} features, ${state.corpus} cases (${state.added} new)`,
    `${rate(state)} exec/s, stability ${percent(state.stability)}, ${state.cycles} cycles`,
    `${runs} runs, ${finding === null ? '0 findings' : '1 finding'} (seed ${seed})`,
  ];
  if (finding === null) {
    for (const line of lines) out.line(line);
    return;
  }
  // Everything but the case is a comment: the whole output can be replayed.
  out.line('# a case differs; the smallest that does:');
  for (const line of finding.lines) out.line(line);
  for (const line of [...finding.differences, ...lines]) out.line(`# ${line}`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** 3723000 → `1:02:03`. */
function clock(ms: number): string {
  const seconds = Math.floor(ms / MS);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
