/**
 * What a coordinator prints and saves.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CampaignMeta } from './campaign-store.ts';
import type { CampaignView } from './campaign-view.ts';
import type { StoredFinding } from './finding-id.ts';

/** One line while it runs. */
export function statusText({ cases, shards, execPerSec, workers, findings }: CampaignView): string {
  const share = Math.floor((100 * cases.done) / cases.all);
  return (
    `${cases.done} of ${cases.all} cases (${share} %)  ${shards.running} shards running, ${shards.left} left  ` +
    `${execPerSec} exec/s  ${workers.length} workers  ${findings.length} findings`
  );
}

/** The end, as text: everything but the cases is a comment, so that one case can be replayed from it. */
export function reportLines({ campaign, seed, cases, counts, shards, findings }: CampaignView): string[] {
  const counted = Object.entries(counts).map(
    ([name, count]) => `${count} ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`,
  );
  const lines = findings.flatMap((finding) => [`# case ${finding.run} differs:`, ...findingLines(finding)]);
  const found = findings.length === 1 ? '1 finding' : `${findings.length} findings`;
  const rest = shards.left === 0 ? '' : `, ${shards.left} shards left`;
  const end = [
    counted.join(', '),
    `${cases.done} runs, ${found}${rest} (campaign ${campaign}, seed ${seed})`,
  ];
  return [...lines, ...end.map((line) => (findings.length === 0 ? line : `# ${line}`))];
}

/** Saves the findings that are not saved yet. */
export function saveFindings(
  folder: string,
  { target, seed }: CampaignMeta,
  findings: readonly StoredFinding[],
): void {
  mkdirSync(folder, { recursive: true });
  for (const finding of findings) {
    const path = join(folder, `${target}-${seed}-${finding.id}.txt`);
    if (!existsSync(path)) writeFileSync(path, `${findingLines(finding).join('\n')}\n`);
  }
}

function findingLines({ lines, differences }: StoredFinding): string[] {
  return [...lines, ...differences.map((line) => `# ${line}`)];
}
