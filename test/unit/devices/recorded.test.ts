import { describe, expect, it } from 'vitest';
import type { KvmIoapicState } from '../../../src/uapi/kvm.ts';
import { DeviceSet, diffState, readSequences, replayOp, type Sequence } from './replay.ts';

/** Time between two operations, as the recordings ask. */
const BETWEEN_OPS_NS = 500_000;

/** All that differs when a sequence is replayed on new devices. */
function replay({ id, dev, ops, state }: Sequence): string[] {
  const set = new DeviceSet({ pit: dev === 'pit' });
  const lines: string[] = [];
  for (const [i, op] of ops.entries()) {
    set.passTime(BETWEEN_OPS_NS);
    const line = replayOp(set, op);
    if (line !== null) lines.push(`op ${i} ${JSON.stringify(op)}: ${line}`);
  }
  lines.push(...diffState(state, stateOf(set, dev)));
  return lines.map((line) => `${dev} ${id}: ${line}`);
}

function stateOf(set: DeviceSet, dev: string): unknown {
  if (dev === 'pic') return { master: set.pic.getState(0), slave: set.pic.getState(1) };
  if (dev === 'pit') return set.pit.getState();
  return hexEntries(set.ioapic.getState());
}

/** Redirection entries as the recordings show them: eight bytes, little-endian, in hex. */
function hexEntries(state: KvmIoapicState): unknown {
  const entry = Buffer.alloc(8);
  return {
    ...state,
    redirtbl: state.redirtbl.map(({ low, high }) => {
      entry.writeUInt32LE(low, 0);
      entry.writeUInt32LE(high, 4);
      return entry.toString('hex');
    }),
  };
}

describe('sequences recorded on a real KVM', () => {
  it.each([
    ['dev-pic.jsonl.gz', 291],
    ['dev-pit.jsonl.gz', 300],
    ['dev-ioapic.jsonl.gz', 300],
  ])('%s: all %i end as recorded', (name, count) => {
    const sequences = readSequences(name);
    expect(sequences).toHaveLength(count);
    expect(sequences.flatMap(replay)).toEqual([]);
  });
});
