/**
 * A devices case as a script for QEMU's qtest, to feed by hand.
 */
import type { DeviceStep } from '../devices/device-case.ts';
import { inCommand, irqCommand, outCommand } from './protocol.ts';

/** What QEMU 7.2 calls the 8259As of its `pc`. */
const CHIPS = ['/machine/unattached/device[6]', '/machine/unattached/device[7]'] as const;
/** The QEMU that scripts are for. */
export const QTEST_QEMU =
  'qemu-system-x86_64 -machine pc -S -display none -nodefaults -qtest stdio -qtest-log /dev/null';
const TICK_NS = 10;
const POLL = 0x0c;

/** The commands, with comments for what QEMU may not have. */
export function qtestScript(steps: readonly DeviceStep[]): string[] {
  const kinds = new Set(steps.map(({ kind }) => kind));
  return [
    `# feed to: ${QTEST_QEMU}`,
    ...(kinds.has('wait') ? ['# clock_step: only with -accel qtest'] : []),
    ...(kinds.has('irq') ? [`# ${CHIPS.join(', ')}: the 8259As of QEMU 7.2`] : []),
    ...(kinds.has('inta') ? ['# INTA: a poll of the master; when it reads 0x82 poll the slave at 0xa0'] : []),
    ...steps.flatMap(commands),
  ];
}

function commands(step: DeviceStep): string[] {
  switch (step.kind) {
    case 'out':
      return [outCommand(step.port, step.value, step.size)];
    case 'in':
      return [inCommand(step.port, step.size)];
    case 'irq':
      return [irqCommand(CHIPS, step.gsi, step.level)];
    case 'wait':
      return [`clock_step ${step.ticks * TICK_NS}`];
    default:
      return [outCommand(0x20, POLL), inCommand(0x20)];
  }
}
