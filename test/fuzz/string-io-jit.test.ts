/**
 * `pio86 fuzz string-io --jit`: port I/O without exits and generated code against the same reference model, and against the
 * interpreter in what the model knows nothing of.
 */
import { describe, expect, it } from 'vitest';
import { createFuzzTarget } from '../../src/cli/fuzz/targets.ts';
import { EnginesJudge } from '../../src/fuzz/engines-judge.ts';
import { StringIoJudge } from '../../src/fuzz/judge-case.ts';
import { StringIoMachine } from '../../src/fuzz/string-io-machine.ts';
import { StringIoTarget } from '../../src/fuzz/targets/string-io.ts';
import { cli } from '../unit/cli/capture-io.ts';

const SEED = 0x1234_5678;
/** Twelve families of 128. */
const RUNS = 1536;

/** The number of the first case that differs, or −1. @param step above 1: fewer cases of more families. */
function firstFinding(target: StringIoTarget, step = 1): number {
  for (let run = 0; run < RUNS * step; run += step) if (target.run(SEED, run).length > 0) return run;
  return -1;
}

/** OUTS without an exit loses the direction flag. */
function plantUpwards(machine: StringIoMachine): StringIoMachine {
  const { inlinePio } = machine.vcpu;
  const string = inlinePio.string.bind(inlinePio);
  inlinePio.string = (insn, isIn, port, size, remaining) => {
    const { cpu } = machine.vcpu;
    const flags = cpu.sysFlags;
    if (!isIn) cpu.sysFlags &= ~0x400;
    const result = string(insn, isIn, port, size, remaining);
    cpu.sysFlags |= flags & 0x400;
    return result;
  };
  return machine;
}

/** IN in generated code gets the low bits wrong: only its devices are asked through `site`. */
function plantInSite(machine: StringIoMachine): StringIoMachine {
  const { inlinePio } = machine.vcpu;
  const site = inlinePio.site.bind(inlinePio);
  inlinePio.site = (port, size) => {
    const found = site(port, size);
    if (found === null) return null;
    const { device } = found;
    return {
      ...found,
      device: {
        name: 'planted',
        read: (at, width) => device.read(at, width) ^ 1,
        write: (at, width, value) => device.write(at, width, value),
      },
    };
  };
  return machine;
}

describe('fuzz string-io --jit', () => {
  it.each(['string-io-jit-on', 'string-io-jit-verify'])(
    '%s finds no difference, and generated code has run',
    async (name) => {
      const target = (await createFuzzTarget(name)) as StringIoTarget;
      expect(target.name).toBe(name);
      expect(firstFinding(target)).toBe(-1);
      const counts = target.takeCounts();
      expect(counts.generatedCases).toBeGreaterThan(RUNS / 20);
      expect(target.takeCounts().generatedCases).toBeUndefined();
      const interpreted = new StringIoTarget();
      firstFinding(interpreted);
      expect({ ...interpreted.takeCounts(), generatedCases: counts.generatedCases }).toEqual(counts);
    },
  );

  it('judges what no exit is made for: a bug there is found, and by no other engine', () => {
    const target = (engine: 'exits' | 'inline') =>
      new StringIoTarget(new StringIoJudge(plantUpwards(new StringIoMachine(engine))));
    expect(firstFinding(target('inline'), 32)).not.toBe(-1);
    expect(firstFinding(target('exits'), 32)).toBe(-1);
  });

  it('judges IN in generated code, and says which engine is wrong and how to replay it', async () => {
    const judge = new EnginesJudge([new StringIoMachine(), plantInSite(new StringIoMachine('generated'))]);
    const target = new StringIoTarget(judge, { replayOptions: ' --jit verify' });
    const run = firstFinding(target);
    expect(run).not.toBe(-1);
    const { lines, differences } = await target.reproduce(SEED, run);
    expect(lines[0]).toBe('# replay with: pio86 fuzz string-io --jit verify --replay FILE');
    expect(lines.filter((line) => line.startsWith('code='))).toHaveLength(1);
    expect(differences).not.toEqual([]);
    expect(differences.every((line) => line.startsWith('generated: '))).toBe(true);
    expect(target.replay(lines.join('\n')).differences).toEqual(differences);
    expect(new StringIoTarget().replay(lines.join('\n')).differences).toEqual([]);
  });

  it('compares time and exits, which the model knows nothing of', () => {
    const late = new StringIoMachine('inline');
    const run = late.run.bind(late);
    late.run = (...args) => {
      const end = run(...args);
      late.tally[0]++;
      return end;
    };
    const target = new StringIoTarget(new EnginesJudge([new StringIoMachine(), late]));
    expect(target.run(SEED, 0)).toEqual([expect.stringMatching(/^ticks: exits \d+, inline \d+$/)]);
  });

  it('keeps a ledger of its own, and counts in --json', async () => {
    const { exitCode, stdout } = await cli([
      'fuzz',
      'string-io',
      '--jit',
      'on',
      '--runs',
      '1500',
      '--seed',
      '305419896',
      '--json',
    ]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      target: 'string-io-jit-on',
      runs: 1500,
      findings: [],
      counts: { generatedCases: expect.any(Number) },
    });
  });

  it.each([
    [['insn', '--jit', 'on'], '--jit on: only for string-io (insn and jit always run both engines)'],
    [
      ['string-io', '--jit', 'verify', '--oracle', 'kvm'],
      '--jit does not go with --oracle: --oracle kvm asks about the exits',
    ],
  ])('refuses %j', async (argv, message) => {
    expect(await cli(['fuzz', ...argv])).toEqual({ exitCode: 2, stdout: '', stderr: `pio86: ${message}\n` });
  });
});
