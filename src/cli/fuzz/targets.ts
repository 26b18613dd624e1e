/**
 * The targets of `pio86 fuzz`, by name. Each is loaded when it is asked for.
 */
import { EmulatorError } from '../../errors.ts';
import type { FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';
import type { OracleHost } from '../../fuzz/oracle/oracle-host.ts';

/** All names. */
export const FUZZ_TARGETS = ['string-io', 'insn', 'jit', 'devices', 'bus', 'loaders', 'bpftrace'] as const;

/** Name of a target. */
export type FuzzTargetName = (typeof FUZZ_TARGETS)[number];

/** Makes a target. */
export async function createFuzzTarget(name: string): Promise<FuzzTarget | null> {
  switch (name) {
    case 'string-io':
      return new (await import('../../fuzz/targets/string-io.ts')).StringIoTarget();
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
      return new StringIoTarget(new StringIoJudge(new StringIoMachine(), new StringIoWitness(host)));
    }
    case 'devices':
      return (await import('../../fuzz/targets/devices.ts')).createDevicesOracleTarget(host);
    default:
      throw new EmulatorError('E_ARGUMENT', `fuzz: no host's KVM is asked about "${name}"`);
  }
}
