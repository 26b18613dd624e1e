/**
 * The recorded Xeon, in the mode it was recorded in: CPL 3 with paging, every exception through a gate. Once with PAE and
 * execute-disable, once with 32-bit paging.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CaseDiff } from '../../src/conform/case-diff.ts';
import { Hw32Replayer } from '../../src/conform/hw32.ts';
import type { Hw32Paging } from '../../src/conform/hw32-machine.ts';
import { parseVector } from '../../src/conform/json-fields.ts';
import { readVectorLines } from '../../src/conform/vector-files.ts';
import { conform } from './lines.ts';

const folder = join(import.meta.dirname, '../vectors/hw32');
/** Integer files and how many cases they have. */
const FILES = {
  addr16: 2046,
  alu: 3840,
  alu_imm: 2592,
  atomic: 540,
  bcd: 1040,
  bit: 1520,
  branch: 1648,
  branch16: 464,
  convert: 160,
  extend: 564,
  far: 316,
  fault: 1185,
  fault_string: 270,
  flags: 304,
  incdec: 600,
  int: 116,
  lea: 300,
  lea_ud: 12,
  lock: 1164,
  lock_ud: 252,
  misc: 280,
  mov: 1080,
  muldiv: 1720,
  newer: 660,
  notneg: 360,
  priv: 124,
  seg: 1042,
  setcc_cmov: 1152,
  shift: 4416,
  shld: 720,
  stack: 1580,
  string: 2304,
  string16: 540,
  test_xchg: 930,
  ud: 144,
} as const;
/** Replays a file. @returns how many cases there were, and the first that differ. */
function replay(name: string, paging: Hw32Paging): { cases: number; wrong: string[] } {
  const replayer = new Hw32Replayer(paging);
  const diff = new CaseDiff();
  const wrong: string[] = [];
  const { lines } = readVectorLines(join(folder, `${name}.jsonl.gz`));
  for (const line of lines) {
    const test = parseVector(line);
    diff.clear();
    replayer.replay(test, diff);
    if (diff.count > 0 && wrong.length < 5)
      wrong.push(
        `${replayer.idOf(test)}: ${diff.rows.map((row) => Object.values(row).join(' ')).join('; ')}`,
      );
  }
  diff.clear();
  replayer.finish(diff);
  expect(diff.rows).toEqual([]);
  return { cases: lines.length, wrong };
}

describe('hw32', () => {
  it.each(Object.entries(FILES))(
    '%s: %i cases are as on the recorded Xeon',
    (name, count) => {
      expect(replay(name, 'pae')).toEqual({ cases: count, wrong: [] });
    },
    60_000,
  );

  it.each(['far', 'fault', 'fault_string', 'seg', 'string16', 'stack'])(
    '%s with 32-bit paging',
    (name) => {
      expect(replay(name, '32-bit').wrong).toEqual([]);
    },
    60_000,
  );

  it('excludes and counts what needs x87, and can fail', async () => {
    const { lines } = await conform([join(folder, 'lea.jsonl.gz')]);
    expect(lines.at(-1)).toBe('300 passed, 0 failed');
    const [first] = readVectorLines(join(folder, 'lea.jsonl.gz')).lines;
    const test = parseVector(first);
    const replayer = new Hw32Replayer();
    expect(replayer.exclusions(test)).toEqual([]);
    expect(replayer.exclusions({ ...test, in: { ...(test.in as object), fpu: {} } })).toEqual(['x87']);
    const diff = new CaseDiff();
    replayer.replay({ ...test, mem: [[0x2000_0010, 'ff']], vector: 14, cr2: 1 }, diff);
    expect(diff.rows.map((row) => row.what)).toEqual(['vector', 'cr2', 'mem 0x20000010']);
  });
});
