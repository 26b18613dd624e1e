/**
 * The boards' I/O map: which ports the board's own devices answer at, with the labels of `/proc/ioports`. A board
 * takes the rows whose device it has. The kernel's devices are wired by the functions that create them; here stand
 * only their labels.
 */
import { TESTDEV_IOMEM_BASE, TESTDEV_IOMEM_LEN } from '../devices/pc-testdev-iomem.ts';

/** Ports of one device. */
export interface PortRow {
  readonly base: number;
  readonly len: number;
  /** The device's `name`. */
  readonly device: string;
  readonly label: string;
}

/** The board's own ports, sorted. */
// biome-ignore format: one range a line, columns aligned.
export const PORT_TABLE: readonly PortRow[] = [
  { base: 0x0060, len: 1, device: 'i8042',         label: 'keyboard' },
  { base: 0x0064, len: 1, device: 'i8042',         label: 'keyboard' },
  { base: 0x0070, len: 2, device: 'mc146818',      label: 'rtc0' },
  { base: 0x0080, len: 1, device: 'post-code',     label: 'POST' },
  { base: 0x0092, len: 1, device: 'port92',        label: 'port92' },
  { base: 0x00e0, len: 8, device: 'pc-testdev',    label: 'pc-testdev' },
  { base: 0x00e9, len: 1, device: 'debug-console', label: 'debugcon' },
  { base: 0x00f4, len: 4, device: 'exit-port',     label: 'isa-debug-exit' },
  { base: 0x03f8, len: 8, device: 'serial',        label: 'serial' },
  { base: 0x0402, len: 1, device: 'debug-console', label: 'debugcon' },
  { base: 0x0510, len: 2, device: 'fw-cfg',        label: 'fw_cfg' },
  { base: 0x0608, len: 4, device: 'acpi-pm-timer', label: 'ACPI PM_TMR' },
  { base: 0x2000, len: 24, device: 'pc-testdev',   label: 'pc-testdev-irq' },
];

/** Guest-physical addresses of one device. */
export interface MemoryRow {
  readonly base: number;
  readonly len: number;
  /** The device's `name`. */
  readonly device: string;
}

/** The board's own memory-mapped devices. */
export const MEMORY_TABLE: readonly MemoryRow[] = [
  { base: TESTDEV_IOMEM_BASE, len: TESTDEV_IOMEM_LEN, device: 'pc-testdev-iomem' },
];

/** How a device on the kernel's bus is shown. */
export interface KernelPortLabel {
  readonly label: string;
  /** Ports it answers at, where its range on the bus is wider: the speaker declines 0x62 … 0x64. */
  readonly len?: number;
}

/** Labels of the kernel's devices by the symbol of their operations. */
export const KERNEL_PORT_LABELS: Readonly<Record<string, KernelPortLabel>> = {
  picdev_master_ops: { label: 'pic1' },
  pit_dev_ops: { label: 'timer0' },
  speaker_dev_ops: { label: 'PCSPKR', len: 1 },
  picdev_slave_ops: { label: 'pic2' },
  picdev_eclr_ops: { label: 'elcr' },
};
