/** A device that takes every access and does nothing: what is left is the bus. */
import type { IoDevice } from '../../bus/io-device.ts';

/** Answers 0, and remembers the last write so that no compiler leaves it out. */
export class SilentDevice implements IoDevice {
  readonly name = 'silent';
  last = 0;

  read(): number {
    return 0;
  }

  write(_addr: number, _size: number, value: number): boolean {
    this.last = value;
    return true;
  }
}
