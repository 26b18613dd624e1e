/**
 * The call graph of each access, as ftrace's function_graph tracer shows it with `set_graph_function` on the functions
 * an access begins in (Linux: Documentation/trace/ftrace.rst, “function_graph”).
 */
import type { Clock } from '../bus/clock.ts';
import type { KvmTracepoints, KvmVcpu } from '../emulate/kvm-vcpu.ts';
import type { FunctionHooks } from '../kvm/functions.ts';
import { CallGraphRecorder, formatCallTree } from '../trace/call-graph.ts';
import { printKvmPio } from '../trace/kvm-printk.ts';
import { ioQualPort } from '../uapi/vmx.ts';
import { recordTracepoints, TRACEPOINT_FIELDS } from './tracepoints.ts';

/** Functions that an access begins in, and the port it is for; null for memory. */
const ROOTS = new Map<string, (vcpu: KvmVcpu) => number | null>([
  ['handleIo', (vcpu) => ioQualPort(vcpu.cpu.exitQualification)],
  ['handleEptViolation', () => null],
  ['completeFastPioIn', (vcpu) => vcpu.pio.port],
  ['completeFastPioOut', (vcpu) => vcpu.pio.port],
  ['completeFastPioOutPort0x7e', (vcpu) => vcpu.pio.port],
  ['completeEmulatedPio', (vcpu) => vcpu.pio.port],
]);

/** Inclusive. */
export interface PortFilter {
  readonly first: number;
  readonly last: number;
}

/** What to show. */
export interface AccessGraphOptions {
  /** Only accesses to these ports; empty for all accesses, those to memory too. */
  readonly ports: readonly PortFilter[];
  /** Graphs to print; then {@link AccessGraph.isDone}. */
  readonly limit: number;
}

const PIO_FIELDS = TRACEPOINT_FIELDS.kvm_pio;

/** Hooks and tracepoints that print a graph an access. */
export class AccessGraph implements FunctionHooks {
  /** `kvm_pio` shows as a comment where it fires. */
  readonly tracepoints: KvmTracepoints;
  readonly #options: AccessGraphOptions;
  readonly #recorder: CallGraphRecorder;
  /** Calls that are open below and with the root; 0 outside. */
  #depth = 0;
  #printed = 0;

  constructor(clock: Pick<Clock, 'nowNs'>, options: AccessGraphOptions, print: (text: string) => void) {
    this.#options = options;
    this.#recorder = new CallGraphRecorder(clock, (root) => {
      this.#printed++;
      print(formatCallTree(root));
    });
    this.tracepoints = recordTracepoints((name, fields) => {
      if (name !== 'kvm_pio') return;
      const [rw, port, size, count, val] = PIO_FIELDS.map((field) => Number(fields[field]));
      this.#recorder.event(`kvm_pio: ${printKvmPio(rw === 1, port, size, count, val)}`);
    });
  }

  /** Whether the limit is reached. */
  get isDone(): boolean {
    return this.#printed >= this.#options.limit;
  }

  enter(name: string, args: readonly unknown[]): void {
    if (this.#depth === 0 && (this.isDone || !this.#isWanted(name, args))) return;
    this.#depth++;
    this.#recorder.enter(name);
  }

  leave(): void {
    if (this.#depth === 0) return;
    this.#depth--;
    this.#recorder.leave();
  }

  #isWanted(name: string, args: readonly unknown[]): boolean {
    const portOf = ROOTS.get(name);
    if (portOf === undefined) return false;
    const { ports } = this.#options;
    if (ports.length === 0) return true;
    const port = portOf(args[0] as KvmVcpu);
    return port !== null && ports.some(({ first, last }) => port >= first && port <= last);
  }
}
