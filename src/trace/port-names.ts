/**
 * What a trace may ask about a port.
 */

/** Names of ports and of the devices behind them. */
export interface PortNames {
  /** As in `/proc/ioports`, for example `pic1`; null for a port that nobody names. */
  nameOf(port: number): string | null;
  /** The device that takes accesses to it, for example `i8259`; null when nobody does. */
  deviceOf(port: number): string | null;
}
