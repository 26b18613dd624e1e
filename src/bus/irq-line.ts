/**
 * One interrupt wire, as a device sees it: something it can raise and lower.
 */
export interface IrqLine {
  /** Drives the wire. Driving the level it already has is harmless. */
  set(level: 0 | 1): void;
}

/** A wire that leads nowhere. */
export const NO_IRQ_LINE: IrqLine = { set() {} };

/** Where a device's bytes go (serial output, debug console). */
export interface ByteSink {
  write(byte: number): void;
}

/** Swallows every byte. */
export const NO_SINK: ByteSink = { write() {} };
