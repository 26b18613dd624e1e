/**
 * What a kind of board is to the machine that carries it out: a name and a way to make its devices.
 */
import type { Clock } from '../bus/clock.ts';
import type { IoDevice } from '../bus/io-device.ts';
import type { ByteSink, IrqLine } from '../bus/irq-line.ts';

/** A device that can stand on a board. */
export interface BoardDevice extends IoDevice {
  /** Its RESET pin; absent on a device without state. */
  reset?(): void;
}

/** What a plan connects its devices to. */
export interface DeviceWiring {
  readonly clock: Clock;
  /** The wire to a global system interrupt. */
  gsi(n: number): IrqLine;
  readonly serial: ByteSink;
  readonly debug: ByteSink;
  readonly rtcSeconds: number;
  readonly memoryBytes: number;
  /** Ends the run: the exit port. */
  onExit(code: number): void;
  /** Ends the run: a reset line, named. */
  onReset(source: string): void;
  setA20(isOpen: boolean): void;
}

/** Which devices a board has. */
export interface BoardPlan {
  readonly name: string;
  createDevices(wiring: DeviceWiring): readonly BoardDevice[];
}
