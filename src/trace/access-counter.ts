/**
 * Counts port accesses by port: a listener on `kvm_pio`, attached only when somebody asks for the counts.
 */
import { SilentTracepoints } from './silent-tracepoints.ts';

/** Accesses (elements, for INS and OUTS) and bytes in one direction. */
export interface AccessCount {
  count: number;
  bytes: number;
}

/** Counts of one port. */
export interface PortAccesses {
  readonly port: number;
  readonly in: AccessCount;
  readonly out: AccessCount;
}

/** Tracepoints that only count `kvm_pio`. */
export class AccessCounter extends SilentTracepoints {
  readonly #ports = new Map<number, PortAccesses>();

  override kvm_pio(write: boolean, port: number, size: number, count: number, _val: number): void {
    let entry = this.#ports.get(port);
    if (entry === undefined) {
      entry = { port, in: { count: 0, bytes: 0 }, out: { count: 0, bytes: 0 } };
      this.#ports.set(port, entry);
    }
    const side = write ? entry.out : entry.in;
    side.count += count;
    side.bytes += count * size;
  }

  /** Every port that was accessed, in order. */
  ports(): PortAccesses[] {
    return [...this.#ports.values()].sort((a, b) => a.port - b.port);
  }
}
