/**
 * Devices that a board has only when asked for (`--device`).
 */
import { FwCfg } from '../devices/fw-cfg.ts';
import { PcTestdev, TESTDEV_IRQ_LINES } from '../devices/pc-testdev.ts';
import { PcTestdevIomem } from '../devices/pc-testdev-iomem.ts';
import type { BoardDevice, DeviceWiring } from './board-plan.ts';

/** Names that `--device` takes. */
export const EXTRA_DEVICES = ['pc-testdev'] as const;
export type ExtraDevice = (typeof EXTRA_DEVICES)[number];

/**
 * What kvm-unit-tests' 32-bit flats find on QEMU with `-device pc-testdev`: the test device with its memory, and fw_cfg
 * for the number of CPUs and the size of memory. (The exit port 0xF4 is on every board.)
 */
function createPcTestdev(wiring: DeviceWiring): BoardDevice[] {
  const lines = Array.from({ length: TESTDEV_IRQ_LINES }, (_, gsi) => wiring.gsi(gsi));
  return [new PcTestdev(lines), new PcTestdevIomem(), new FwCfg(wiring.memoryBytes)];
}

/** The devices of the given names. */
export function createExtraDevices(names: readonly ExtraDevice[], wiring: DeviceWiring): BoardDevice[] {
  return names.includes('pc-testdev') ? createPcTestdev(wiring) : [];
}
