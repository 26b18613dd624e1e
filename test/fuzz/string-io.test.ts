/**
 * The port I/O fuzzer: finds nothing in the emulator, does find what is planted, and makes it small enough to read.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { localRunner } from '../../src/fuzz/engine/shard.ts';
import { StringIoJudge } from '../../src/fuzz/judge-case.ts';
import { type FuzzOptions, replayFuzz, runFuzz } from '../../src/fuzz/run-fuzz.ts';
import { StringIoMachine } from '../../src/fuzz/string-io-machine.ts';
import { StringIoTarget } from '../../src/fuzz/targets/string-io.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
const SEED = 0x1234_5678;
const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly lines: string[];
  readonly text: string;
}

async function fuzz(options: Partial<FuzzOptions>, judge = new StringIoJudge()): Promise<Outcome> {
  const lines: string[] = [];
  const all = { target: 'string-io', runs: NUM_RUNS, time: 60, seed: SEED, json: false, ...options };
  let ms = 0;
  const code = await runFuzz(all, localRunner(new StringIoTarget(judge)), {
    out: { line: (text) => lines.push(text) },
    now: () => ms++,
    isStopped: () => false,
    progress: () => {},
  });
  return { code, lines, text: lines.join('\n') };
}

function replay(path: string, judge = new StringIoJudge()): Outcome {
  const lines: string[] = [];
  const code = replayFuzz(new StringIoTarget(judge), path, false, { line: (text) => lines.push(text) });
  return { code, lines, text: lines.join('\n') };
}

/** A machine in which one mirrored function has been changed. */
function planted(plant: (machine: StringIoMachine) => void): StringIoJudge {
  const machine = new StringIoMachine();
  plant(machine);
  return new StringIoJudge(machine);
}

/** Userspace's answers come back with a bit turned over when a REP reads more than three elements. */
function wrongBatch(machine: StringIoMachine): void {
  const { fn } = machine.vcpu;
  machine.vcpu.fn = {
    ...fn,
    completeEmulatorPioIn(vcpu, val) {
      const { count } = vcpu.pio;
      fn.completeEmulatorPioIn(vcpu, val);
      if (count > 3) val[0] ^= 1;
    },
  };
}

/** OUTS goes on to the next port. */
function wrongPort(machine: StringIoMachine): void {
  const { fn } = machine.vcpu;
  machine.vcpu.fn = {
    ...fn,
    emulatorPioOutEmulated: (vcpu, size, port, val, count) =>
      fn.emulatorPioOutEmulated(vcpu, size, (port + 1) & 0xffff, val, count),
  };
}

describe('fuzz string-io', () => {
  it('finds no difference, and says what it has looked at', async () => {
    const { code, lines, text } = await fuzz({});
    expect(text).toMatch(new RegExp(`^${NUM_RUNS} runs, 0 findings \\(seed ${SEED}\\)$`, 'm'));
    expect(code).toBe(0);
    const [kernel, exits, faults, notJudged] = (lines.at(-3) ?? '')
      .split(', ')
      .map((part) => Number.parseInt(part, 10));
    expect(lines.at(-3)).toMatch(/kernel accesses, .* userspace accesses, .* faults, .* not judged$/);
    expect(kernel).toBeGreaterThan(NUM_RUNS / 4);
    expect(exits).toBeGreaterThan(NUM_RUNS / 2);
    expect(faults).toBeGreaterThan(NUM_RUNS / 20);
    expect(notJudged).toBeLessThan(NUM_RUNS / 20);
  });

  it('gives the same cases for the same seed, other ones for another', async () => {
    const [one, same, other] = [
      await fuzz({ runs: 200 }),
      await fuzz({ runs: 200 }),
      await fuzz({ runs: 200, seed: 1 }),
    ];
    expect(same.lines).toEqual(one.lines);
    expect(other.lines.at(-3)).not.toBe(one.lines.at(-3));
  });

  it('finds a planted bug in the batches of reads, and makes the case small', async () => {
    const { code, lines, text } = await fuzz({}, planted(wrongBatch));
    expect(code).toBe(1);
    expect(text).toMatch(/^# run \d+ differs/m);
    expect(lines.at(-1)).toMatch(/^# \d+ runs, 1 finding/);
    const code1 = lines.filter((line) => line.startsWith('code='));
    expect(code1).toHaveLength(1);
    // A REP and an opcode that reads, four elements; whatever else the first finding had is gone.
    expect(code1[0]).toMatch(/^code=f[23] (6[cd]|e[cd])$/);
    expect(text).toMatch(/^#\s+(rep\S* ins[bw]|in a[lx],dx)$/m);
    expect(text).toMatch(/^ecx=0x[4-9a-f]$/m);
    expect(text).not.toMatch(/^device=/m);
    expect(text).toMatch(/^# (eax|memory 0x\w+): expected 0x\w+, got 0x\w+$/m);
  });

  it('replays what it printed: still wrong with the bug, right without it', async () => {
    const found = await fuzz({}, planted(wrongPort));
    expect(found.code).toBe(1);
    const path = join(folder, 'case.txt');
    writeFileSync(path, found.text);
    const again = replay(path, planted(wrongPort));
    expect(again.text).toMatch(
      /^access 0: expected exit out port 0x\w+ size 1 count 1 data \w+, got exit out port 0x/,
    );
    expect(again.lines.at(-1)).toBe('1 finding');
    expect(again.code).toBe(1);
    const clean = replay(path);
    expect(clean).toMatchObject({ code: 0, lines: ['0 findings'] });
  });

  it('prints one JSON document when asked', async () => {
    const { code, lines } = await fuzz({ json: true }, planted(wrongPort));
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    const document = JSON.parse(lines[0]);
    expect(document.execPerSec).toBeGreaterThan(0);
    expect(document).toMatchObject({ schemaVersion: 2, target: 'string-io', seed: SEED });
    expect(document.findings[0].reproducer).toContain('target=string-io');
  });

  it.each([
    ['no time', { time: 0 }, 'E_ARGUMENT', /--time 0/],
    ['no runs', { runs: 0 }, 'E_ARGUMENT', /--runs 0/],
    ['a seed beyond 32 bits', { seed: 2 ** 32 }, 'E_ARGUMENT', /--seed 4294967296/],
  ])('refuses %s in one line', async (_what, options, code, message) => {
    await expect(fuzz(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('refuses a reproducer that is none', () => {
    const path = join(folder, 'bad.txt');
    writeFileSync(path, 'target=string-io\npath=slow\ncode=6c\n');
    expect(() => replay(path)).toThrow(
      expect.objectContaining({
        code: 'E_INPUT',
        message: expect.stringContaining('path needs one of fast, forced'),
      }),
    );
    expect(() => replay(join(folder, 'absent'))).toThrow(/absent: ENOENT/);
  });
});
