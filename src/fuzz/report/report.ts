/**
 * What `pio86 fuzz` prints at the end: lines, or one line of JSON.
 */
import type { CampaignState } from '../engine/campaign.ts';
import type { ReplayVerdict } from '../engine/fuzz-target.ts';
import type { Ledger } from '../engine/ledger.ts';

/** Where lines go. */
export interface LineSink {
  line(text: string): void;
}

/** Version of the `--json` documents. */
const SCHEMA_VERSION = 2;
const MS = 1000;

/** Cases a second. */
export function execPerSec({ runs, elapsedMs }: CampaignState): number {
  return elapsedMs <= 0 ? 0 : Math.round((runs * MS) / elapsedMs);
}

/** The end of a campaign. */
export function reportCampaign(
  { target, json }: { readonly target: string; readonly json: boolean },
  { seed, total, counts: totalCounts }: Ledger,
  end: CampaignState,
  out: LineSink,
): void {
  const { runs, counts, finding, elapsedMs } = end;
  if (json) {
    const findings =
      finding === null
        ? []
        : [{ run: finding.run, differences: finding.differences, reproducer: finding.lines.join('\n') }];
    const seconds = elapsedMs / MS;
    const document = { schemaVersion: SCHEMA_VERSION, target, seed, runs, total, seconds };
    out.line(JSON.stringify({ ...document, execPerSec: execPerSec(end), counts, totalCounts, findings }));
    return;
  }
  const lines = [
    countsLine(counts),
    ...(total === runs ? [] : [`with those before: ${countsLine(totalCounts)}`]),
    `${execPerSec(end)} exec/s, ${total} cases done`,
    `${runs} runs, ${finding === null ? '0 findings' : '1 finding'} (seed ${seed})`,
  ];
  if (finding === null) {
    for (const line of lines) out.line(line);
    return;
  }
  // Everything but the case is a comment: the whole output can be replayed.
  out.line(`# run ${finding.run} differs; the smallest case that does:`);
  for (const line of finding.lines) out.line(line);
  for (const line of [...finding.differences, ...lines]) out.line(`# ${line}`);
}

/** `kernelAccesses` → `12 kernel accesses`. */
function countsLine(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`)
    .join(', ');
}

/** A replayed case. */
export function reportReplay(
  target: string,
  path: string,
  { differences, isJudged }: ReplayVerdict,
  isJson: boolean,
  out: LineSink,
): void {
  if (isJson) {
    out.line(JSON.stringify({ schemaVersion: SCHEMA_VERSION, target, replay: path, isJudged, differences }));
    return;
  }
  if (!isJudged) {
    out.line('the oracle does not know what this case runs into: not judged');
    return;
  }
  for (const difference of differences) out.line(difference);
  out.line(differences.length === 0 ? '0 findings' : '1 finding');
}
