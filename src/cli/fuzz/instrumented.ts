/**
 * Entry of the instrumented build: the targets, and the counters of the code below them. scripts/instrument.mjs makes one bundle of
 * it and of all that it imports; as it stands here it has no edges.
 */
export { EDGE_COUNTERS } from '../../fuzz/engine/edge-counters.ts';
export { createFuzzTarget } from './targets.ts';
