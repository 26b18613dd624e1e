/**
 * The instrumented build (scripts/instrument.mjs), loaded beside the program itself: the targets, and counters of the code below them.
 */
import { existsSync } from 'node:fs';
import type { EdgeCounters } from '../../fuzz/engine/edge-counters.ts';
import type { CaseOperations, FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';
import { GuidedWorker } from '../../fuzz/engine/guided-worker.ts';
import { absentError, usageError } from '../cli-error.ts';
import { PACKAGE_FOLDER } from '../package-files.ts';

/** What counts: edges only, or distances of comparisons, too. */
export type InstrumentedKind = 'edges' | 'values';

/** What a worker thread is made of. */
export interface GuidedWorkerData {
  readonly target: string;
  readonly kind: InstrumentedKind;
  readonly seed: number;
  readonly worker: number;
}

interface InstrumentedBuild {
  readonly EDGE_COUNTERS: EdgeCounters;
  createFuzzTarget(name: string): Promise<FuzzTarget | null>;
}

/** @throws CliError for a target that cannot be guided, or a build that is not there. */
export async function createGuidedWorker(data: GuidedWorkerData): Promise<GuidedWorker> {
  const file = new URL(`dist/instrumented/${data.kind}/targets.js`, PACKAGE_FOLDER);
  if (!existsSync(file))
    throw absentError(`fuzz: no instrumented build (npm run build makes it): ${file.pathname}`);
  const { createFuzzTarget, EDGE_COUNTERS } = (await import(file.href)) as InstrumentedBuild;
  const target = await createFuzzTarget(data.target);
  if (!isGuided(target)) throw usageError(`fuzz: ${data.target} cannot be guided by coverage`);
  return new GuidedWorker(target, EDGE_COUNTERS, data.seed, data.worker);
}

function isGuided(
  target: FuzzTarget | null,
): target is FuzzTarget & { readonly cases: CaseOperations<unknown> } {
  return target?.cases !== undefined;
}
