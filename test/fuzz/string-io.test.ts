/**
 * The port I/O fuzzer: finds nothing in the emulator, does find what is planted, and makes it small enough to read.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { StringIoJudge } from '../../src/fuzz/judge-case.ts';
import { type FuzzOptions, runFuzz } from '../../src/fuzz/run-fuzz.ts';
import { StringIoMachine } from '../../src/fuzz/string-io-machine.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
const SEED = 0x1234_5678;
const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function fuzz(
  options: Partial<FuzzOptions>,
  judge = new StringIoJudge(),
): Promise<{ code: number; lines: string[]; text: string }> {
  const lines: string[] = [];
  const all = { target: 'string-io', runs: NUM_RUNS, seed: SEED, json: false, ...options };
  const code = await runFuzz(all, { line: (text) => lines.push(text) }, judge);
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
    const counts = /^(\d+) kernel accesses, (\d+) exits, (\d+) faults, (\d+) not judged$/.exec(
      lines.at(-2) ?? '',
    );
    const [kernel, exits, faults, notJudged] = (counts ?? []).slice(1).map(Number);
    expect(kernel).toBeGreaterThan(NUM_RUNS);
    expect(exits).toBeGreaterThan(NUM_RUNS);
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
    expect(other.lines.at(-2)).not.toBe(one.lines.at(-2));
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
    expect(text).toMatch(/^ecx=0x4$/m);
    expect(text).not.toMatch(/^device=/m);
    expect(text).toMatch(/^# (eax|memory 0x\w+): expected 0x\w+, got 0x\w+$/m);
  });

  it('replays what it printed: still wrong with the bug, right without it', async () => {
    const found = await fuzz({}, planted(wrongPort));
    expect(found.code).toBe(1);
    const path = join(folder, 'case.txt');
    writeFileSync(path, found.text);
    const again = await fuzz({ replay: path }, planted(wrongPort));
    expect(again.text).toMatch(
      /^access 0: expected exit out port 0x\w+ size 1 count 1 data \w+, got exit out port 0x/,
    );
    expect(again.lines.at(-1)).toBe('1 finding');
    expect(again.code).toBe(1);
    const clean = await fuzz({ replay: path });
    expect(clean).toMatchObject({ code: 0, lines: ['0 findings'] });
  });

  it('prints one JSON document when asked', async () => {
    const { code, lines } = await fuzz({ json: true }, planted(wrongPort));
    expect(code).toBe(1);
    expect(lines).toHaveLength(1);
    const document = JSON.parse(lines[0]);
    expect(document).toMatchObject({ schemaVersion: 1, target: 'string-io', seed: SEED });
    expect(document.findings[0].reproducer).toContain('target=string-io');
  });

  it.each([
    ['an unknown target', { target: 'floppy' }, 'E_ARGUMENT', /no target "floppy" \(there is: string-io\)/],
    ['no runs', { runs: 0 }, 'E_ARGUMENT', /--runs 0/],
    ['a seed beyond 32 bits', { seed: 2 ** 32 }, 'E_ARGUMENT', /--seed 4294967296/],
    ['a missing file', { replay: join(folder, 'absent') }, 'E_INPUT', /absent: ENOENT/],
  ])('refuses %s in one line', async (_what, options, code, message) => {
    await expect(fuzz(options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('refuses a reproducer that is none', async () => {
    const path = join(folder, 'bad.txt');
    writeFileSync(path, 'target=string-io\npath=slow\ncode=6c\n');
    await expect(fuzz({ replay: path })).rejects.toMatchObject({
      code: 'E_INPUT',
      message: expect.stringContaining('path needs one of fast, forced'),
    });
  });
});
