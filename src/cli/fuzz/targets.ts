/**
 * The targets of `pio86 fuzz`, by name. Each is loaded when it is asked for.
 */
import { EmulatorError } from '../../errors.ts';
import type { FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';
import type { OracleHost } from '../../fuzz/oracle/oracle-host.ts';
import type { StringIoJit } from '../../fuzz/string-io-engine.ts';

/** All names. */
export const FUZZ_TARGETS = ['string-io', 'insn', 'jit', 'devices', 'bus', 'loaders', 'bpftrace'] as const;

/** Name of a target. */
export type FuzzTargetName = (typeof FUZZ_TARGETS)[number];

/** What a campaign of a target under `--jit` is called: its ledger, its workers and its queue know it by that. */
export function nameWithJit(name: string, jit: StringIoJit): string {
  return jit === 'off' ? name : `${name}-jit-${jit}`;
}

async function createStringIo(jit: StringIoJit): Promise<FuzzTarget> {
  const { StringIoTarget } = await import('../../fuzz/targets/string-io.ts');
  if (jit === 'off') return new StringIoTarget();
  const { judgeOfEngines } = await import('../../fuzz/engines-judge.ts');
  const { STRING_IO_ENGINES } = await import('../../fuzz/string-io-engine.ts');
  const name = nameWithJit('string-io', jit);
  return new StringIoTarget(judgeOfEngines(STRING_IO_ENGINES[jit]), { name, replayOptions: ` --jit ${jit}` });
}

/** Makes a target. @param name one of {@link FUZZ_TARGETS}, or what {@link nameWithJit} makes of it. */
export async function createFuzzTarget(name: string): Promise<FuzzTarget | null> {
  switch (name) {
    case 'string-io':
      return createStringIo('off');
    case 'string-io-jit-on':
      return createStringIo('on');
    case 'string-io-jit-verify':
      return createStringIo('verify');
    case 'devices':
      return (await import('../../fuzz/targets/devices.ts')).createDevicesTarget();
    case 'insn':
      return (await import('../../fuzz/targets/insn.ts')).createInsnTarget();
    case 'jit':
      return new (await import('../../fuzz/targets/jit.ts')).JitTarget();
    case 'bus':
      return (await import('../../fuzz/targets/bus.ts')).createBusTarget();
    case 'loaders':
      return (await import('./loaders-target.ts')).createLoadersTarget();
    case 'bpftrace':
      return (await import('./bpftrace-target.ts')).createBpftraceTarget();
    default:
      return null;
  }
}

/** Makes a target that a host's KVM is asked about. @throws EmulatorError `E_ARGUMENT` for one that it knows nothing of. */
export async function createHostTarget(name: string, host: OracleHost): Promise<FuzzTarget> {
  switch (name) {
    case 'string-io': {
      const { StringIoTarget } = await import('../../fuzz/targets/string-io.ts');
      const { StringIoJudge } = await import('../../fuzz/judge-case.ts');
      const { StringIoMachine } = await import('../../fuzz/string-io-machine.ts');
      const { StringIoWitness } = await import('../../fuzz/oracle/string-io-witness.ts');
      const judge = new StringIoJudge(new StringIoMachine(), new StringIoWitness(host));
      return new StringIoTarget(judge, { replayOptions: ' --oracle kvm' });
    }
    case 'devices':
      return (await import('../../fuzz/targets/devices.ts')).createDevicesOracleTarget(host);
    default:
      throw new EmulatorError('E_ARGUMENT', `fuzz: no host's KVM is asked about "${name}"`);
  }
}
