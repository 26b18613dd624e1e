/** Who runs the benchmark ROMs: pio86 itself and the programs that it is compared with. */
import type { BenchHost } from '../bench-host.ts';

/** One emulator, or a processor. */
export interface Peer {
  /** As in the report. */
  readonly name: string;
  /** Whether it makes no code as it goes, and so needs no time to become fast. Default false. */
  readonly isSteady?: boolean;
  /**
   * What it is, with its version.
   *
   * @throws BenchFailure saying why it cannot run here.
   */
  version(host: BenchHost): Promise<string>;
  /**
   * Runs a ROM from its reset vector to its end.
   *
   * @returns seconds, start-up included or not: rates are slopes.
   * @throws BenchFailure when it does not reach the ROM's end.
   */
  run(host: BenchHost, romFile: string): Promise<number>;
}
