/**
 * The two engines that the rows of these tests run on: pio86, and the host's kernel where there is one.
 */
import { afterAll } from 'vitest';
import { HostEngine } from '../../src/cli/host/host-engine.ts';
import type { BedMode } from '../../src/diff/bed-modes.ts';
import { Pio86Engine, type Pio86EngineOptions } from '../../src/diff/pio86-engine.ts';
import { probeHost } from '../../src/diff/probe.ts';
import type { BedEngine } from '../../src/diff/test-bed.ts';
import { HostKvm } from '../../src/host-kvm/host-kvm.ts';

const opened = await HostKvm.open();

/** The host's KVM; null without `/dev/kvm` or koffi. Such tests are skipped, under PIO86_REQUIRE_TOOLS=1 too. */
export const hostKvm = opened instanceof HostKvm ? opened : null;

/** For `describe.skipIf(noKvm)('… (needs /dev/kvm)', …)`. */
export const noKvm = hostKvm === null;

const INTERRUPT_US = 5_000;
const onAlarm = (): void => {};

if (hostKvm !== null) {
  process.on('SIGALRM', onAlarm);
  hostKvm.interruptEvery(INTERRUPT_US);
  afterAll(() => {
    hostKvm.interruptEvery(0);
    process.off('SIGALRM', onAlarm);
  });
}

/** A new engine on the host's KVM. */
export function hostEngine(): HostEngine {
  if (hostKvm === null) throw new Error('no /dev/kvm');
  return new HostEngine(hostKvm);
}

/** pio86 on the emulator's path for IN and OUT, or the fast one. */
export function ownEngine(options: Partial<Pio86EngineOptions> = {}): Pio86Engine {
  return new Pio86Engine({ forceEmulation: true, sliceTicks: 200_000, ...options });
}

/** What the host can do; only where there is one. */
export const probe =
  hostKvm === null ? null : probeHost(hostEngine(), ['real', 'prot32', 'prot32u', 'prot16u', 'v86']);

/** Modes that the host runs. */
export const hostModes: readonly BedMode[] =
  probe?.modes.filter(({ runs }) => runs).map(({ mode }) => mode) ?? [];

/** Engines by name, each on the host's path; the host's only where there is one. */
export const ENGINES: readonly (readonly [string, () => BedEngine])[] = [
  ['pio86', () => ownEngine({ forceEmulation: probe?.emulatesIo ?? true })],
  ...(hostKvm === null ? [] : [['the host (needs /dev/kvm)', hostEngine] as const]),
];
