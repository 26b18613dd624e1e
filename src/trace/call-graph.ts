/**
 * Records which mirrored functions a port access goes through, and prints them in the shape of ftrace's function_graph
 * tracer (Linux: Documentation/trace/ftrace.rst, “function_graph”), with virtual time as duration.
 */
import type { Clock } from '../bus/clock.ts';
import type { FunctionHooks } from '../kvm/functions.ts';

/** One call and the calls it made. */
export interface CallNode {
  /** The kernel's name; the text of an event. */
  readonly name: string;
  /** An event that fired there, not a call: function_graph shows it as a comment. */
  readonly isEvent?: true;
  readonly startNs: number;
  durationNs: number;
  readonly children: CallNode[];
}

/** `kvmFastPio` → `kvm_fast_pio`: the inverse of how mirrored functions are named. */
export function kernelName(exportName: string): string {
  return exportName.replace(/(?<=[a-z])0x/, '_0x').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Hooks for `Vm.setHooks` that build a tree of each outermost call. */
export class CallGraphRecorder implements FunctionHooks {
  readonly #clock: Pick<Clock, 'nowNs'>;
  readonly #onCall: (root: CallNode) => void;
  readonly #open: CallNode[] = [];

  /** @param onCall gets every outermost call when it has returned. */
  constructor(clock: Pick<Clock, 'nowNs'>, onCall: (root: CallNode) => void) {
    this.#clock = clock;
    this.#onCall = onCall;
  }

  enter(name: string): void {
    const node = { name: kernelName(name), startNs: this.#clock.nowNs, durationNs: 0, children: [] };
    this.#open.at(-1)?.children.push(node);
    this.#open.push(node);
  }

  /** Something happened inside the call that is open; outside of calls nobody is told. */
  event(text: string): void {
    const at = {
      name: text,
      isEvent: true as const,
      startNs: this.#clock.nowNs,
      durationNs: 0,
      children: [],
    };
    this.#open.at(-1)?.children.push(at);
  }

  leave(): void {
    const node = this.#open.pop();
    if (node === undefined) return;
    node.durationNs = this.#clock.nowNs - node.startNs;
    if (this.#open.length === 0) this.#onCall(node);
  }
}

function row(duration: string, depth: number, text: string): string {
  return ` 0) ${duration.padStart(11)} | ${'  '.repeat(depth + 1)}${text}\n`;
}

function rows(node: CallNode, depth: number): string {
  if (node.isEvent === true) return row('', depth, `/* ${node.name} */`);
  const duration = `${(node.durationNs / 1000).toFixed(3)} us`;
  if (node.children.length === 0) return row(duration, depth, `${node.name}();`);
  const inner = node.children.map((child) => rows(child, depth + 1)).join('');
  return row('', depth, `${node.name}() {`) + inner + row(duration, depth, '}');
}

/** function_graph's two header lines. */
export const CALL_GRAPH_HEADER =
  '# CPU  DURATION                FUNCTION CALLS\n# |     |   |                   |   |   |   |\n';

/** One tree as function_graph prints it, without the header. */
export function formatCallTree(root: CallNode): string {
  return rows(root, 0);
}

/** The tree as function_graph prints it, with its two header lines. */
export function formatCallGraph(root: CallNode): string {
  return CALL_GRAPH_HEADER + formatCallTree(root);
}
