/**
 * The targets of `pio86 fuzz`, by name. Each is loaded when it is asked for.
 */
import type { FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';

/** All names. */
export const FUZZ_TARGETS = ['string-io', 'insn', 'devices', 'bus', 'loaders', 'bpftrace'] as const;

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
