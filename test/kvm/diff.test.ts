import { describe, expect, it } from 'vitest';
import type { BedMode } from '../../src/diff/bed-modes.ts';
import { RandomDiff } from '../../src/diff/diff-random.ts';
import { randomDifferenceText } from '../../src/diff/report.ts';
import type { BedEngine } from '../../src/diff/test-bed.ts';
import type { KvmVcpu } from '../../src/emulate/kvm-vcpu.ts';
import { KVM_FUNCTIONS } from '../../src/kvm/functions.ts';
import { hostEngine, hostModes, noKvm, ownEngine, probe } from './engines.ts';

const X86_EFLAGS_DF = 1 << 10;
const SEED = 20_260_101;
const ALL_MODES: readonly BedMode[] = ['real', 'prot32', 'prot32u', 'prot16u', 'v86'];

/** em_in, em_out and what is around them, blind to the direction flag. */
function ignoresDf(vcpu: KvmVcpu): number {
  const { cpu } = vcpu;
  const df = cpu.sysFlags & X86_EFLAGS_DF;
  cpu.sysFlags &= ~X86_EFLAGS_DF;
  const r = KVM_FUNCTIONS.x86EmulateInsn(vcpu);
  cpu.sysFlags |= df;
  return r;
}

function plantedBug(reference: () => BedEngine, modes: readonly BedMode[], emulatesIo: boolean) {
  const functions = { x86EmulateInsn: ignoresDf };
  const diff = new RandomDiff(reference, { seed: SEED, modes, emulatesIo, functions });
  diff.run(0, 200);
  return diff.result.difference;
}

describe('random I/O programs on pio86 twice', () => {
  it('do not differ from themselves, in any mode', () => {
    const diff = new RandomDiff(() => ownEngine(), { seed: SEED, modes: ALL_MODES, emulatesIo: true });
    diff.run(0, 40);
    expect(diff.result).toMatchObject({ compared: 40, difference: null });
    expect(diff.result.exitsCompared).toBeGreaterThan(200);
  });

  it('find a planted bug, DF ignored, and show it: registers, disassembly, function path, how to see it again', () => {
    const difference = plantedBug(() => ownEngine(), ALL_MODES, true);
    if (difference === null) throw new Error('the bug was not found');
    const text = randomDifferenceText(difference);
    expect(difference.fields.length).toBeGreaterThan(0);
    expect(text).toMatch(/ {2}host {3}eax=[0-9a-f]{8}/);
    expect(text).toMatch(/ {2}pio86 {2}eax=[0-9a-f]{8}/);
    expect(text).toMatch(/(ins|outs)[bwd]/);
    expect(text).toContain('handle_io()');
    expect(text).toContain(`--seed ${SEED} --first ${difference.program}`);
  });

  it('find IN and OUT on the wrong path', () => {
    const diff = new RandomDiff(() => ownEngine(), { seed: SEED, modes: ['real'], emulatesIo: false });
    diff.run(0, 200);
    expect(diff.result.difference).not.toBeNull();
  });
});

describe.skipIf(noKvm)('random I/O programs on pio86 and on the host (needs /dev/kvm)', () => {
  it('do not differ', () => {
    const diff = new RandomDiff(hostEngine, {
      seed: SEED,
      modes: hostModes,
      emulatesIo: probe?.emulatesIo ?? true,
    });
    diff.run(0, 300);
    const { difference, compared, skipped } = diff.result;
    expect(difference === null ? '' : randomDifferenceText(difference)).toBe('');
    expect(compared + [...skipped.values()].reduce((sum, n) => sum + n, 0)).toBe(300);
    expect(compared).toBeGreaterThan(250);
  });

  it('find a planted bug, DF ignored', () => {
    expect(plantedBug(hostEngine, hostModes, probe?.emulatesIo ?? true)?.fields.length).toBeGreaterThan(0);
  });
});
