/**
 * A script at work on an emulated kernel: its probes on the function tables and tracepoints of a machine, from the
 * machine's creation on. Intervals are virtual time; they run just before the next event or slice that comes after
 * them, which no probe can tell from the right moment, so that a script never changes what the guest does.
 */
import type { KvmTracepoints } from '../../emulate/kvm-vcpu.ts';
import type { FunctionHooks } from '../../kvm/functions.ts';
import { Kvm } from '../../kvm/kvm.ts';
import type { Vm, VmOptions } from '../../kvm/vm.ts';
import { kernelName } from '../../trace/call-graph.ts';
import { KernelAddresses, USERSPACE_COMM, USERSPACE_PID } from '../kernel-addresses.ts';
import { recordTracepoints, type TracepointFields, type TracepointName } from '../tracepoints.ts';
import { type CompiledProbe, ScriptCompiler } from './compile.ts';
import { type ArgumentSource, kernelArguments, kernelResult, PROBED_FUNCTIONS } from './kernel-functions.ts';
import { ScriptMap } from './map-store.ts';
import { parseScript } from './parse.ts';
import { type ProbePoint, resolvePoint } from './probe-points.ts';
import type { ProbeContext, ScriptHost } from './script-scope.ts';

/** Strings are shorter than this without BPFTRACE_STRLEN. */
export const DEFAULT_STRLEN = 64;

/** One probe at one place. */
interface Attached {
  readonly name: string;
  readonly run: CompiledProbe;
}

interface Interval extends Attached {
  readonly periodNs: number;
  dueNs: number;
}

/** How a script is run. */
export interface SessionOptions {
  /** Name of the script, for messages. */
  readonly name: string;
  readonly maxString?: number;
  print(text: string): void;
}

/** A `Kvm` whose machines are watched from the start. */
class WatchedKvm extends Kvm {
  readonly #onVm: (vm: Vm) => void;

  constructor(onVm: (vm: Vm) => void) {
    super();
    this.#onVm = onVm;
  }

  override createVm(): Vm;
  override createVm(options: VmOptions): Vm | number;
  override createVm(options: VmOptions = {}): Vm | number {
    const vm = super.createVm(options);
    if (typeof vm !== 'number') this.#onVm(vm);
    return vm;
  }
}

/** A script that is attached to all machines of {@link BpftraceSession.kvm}. */
export class BpftraceSession implements FunctionHooks {
  /** Hand it to the board. */
  readonly kvm: Kvm = new WatchedKvm((vm) => this.#attach(vm));
  /** Null when the script has no tracepoint. */
  readonly tracepoints: KvmTracepoints | null;
  readonly #print: (text: string) => void;
  readonly #maps = new Map<string, ScriptMap>();
  readonly #begin: Attached[] = [];
  readonly #end: Attached[] = [];
  readonly #intervals: Interval[] = [];
  readonly #enter = new Map<string, Attached[]>();
  readonly #leave = new Map<string, Attached[]>();
  readonly #events = new Map<TracepointName, Attached[]>();
  readonly #addresses = new KernelAddresses();
  #attached = 0;
  #vm: Vm | null = null;
  #isDone = false;

  /** @throws EmulatorError `E_INPUT` for a script that is wrong. */
  constructor(script: string, options: SessionOptions) {
    this.#print = options.print;
    const probes = parseScript(script, options.name);
    const host: ScriptHost = {
      pid: USERSPACE_PID,
      comm: USERSPACE_COMM,
      maxString: options.maxString ?? DEFAULT_STRLEN,
      map: (name) => this.#map(name),
      print: options.print,
      exit: () => this.#exit(),
    };
    const compiler = new ScriptCompiler(options.name, probes, host);
    for (const probe of probes) {
      const points = probe.points.flatMap((point) => resolvePoint(point, options.name));
      const run = compiler.compile(probe, points);
      for (const point of points) this.#add(point, run);
    }
    this.tracepoints =
      this.#events.size === 0 ? null : recordTracepoints((name, fields) => this.#event(name, fields));
  }

  /** Says how many probes there are and runs BEGIN. */
  start(): void {
    this.#print(`Attaching ${this.#attached} probe${this.#attached === 1 ? '' : 's'}...\n`);
    for (const probe of this.#begin) this.#run(probe, {});
  }

  /** Runs what is left of the intervals, END, and prints the maps that hold something. */
  finish(): void {
    this.poll();
    this.#isDone = false;
    for (const probe of this.#end) this.#run(probe, {});
    this.#isDone = true;
    const maps = [...this.#maps.values()].filter((map) => !map.isEmpty);
    if (maps.length > 0) this.#print('\n\n');
    for (const map of maps) this.#print(map.text());
  }

  /** Whether the script has called `exit()`. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Runs the intervals that are due. */
  poll(): void {
    if (this.#intervals.length === 0) return;
    const now = this.#vm?.clock.nowNs ?? 0;
    while (!this.#isDone) {
      const next = this.#intervals.reduce((a, b) => (b.dueNs < a.dueNs ? b : a));
      if (next.dueNs > now) return;
      this.#run(next, { nowNs: next.dueNs });
      next.dueNs += next.periodNs;
    }
  }

  /** Ticks until the next interval; Infinity without one. A slice that is longer would let an `exit()` come late. */
  ticksToInterval(): number {
    if (this.#vm === null || this.#intervals.length === 0) return Number.POSITIVE_INFINITY;
    const { nowNs, ips } = this.#vm.clock;
    const dueNs = Math.min(...this.#intervals.map((interval) => interval.dueNs));
    return Math.max(1, Math.ceil(((dueNs - nowNs) * ips) / 1e9));
  }

  enter(name: string, args: readonly unknown[]): void {
    this.poll();
    const probes = this.#enter.get(name);
    if (probes === undefined) return;
    const func = kernelName(name);
    const kernelArgs = kernelArguments(func, args, this.#source());
    for (const probe of probes) this.#run(probe, { func, args: kernelArgs });
  }

  leave(name: string, retval: unknown): void {
    const probes = this.#leave.get(name);
    if (probes === undefined) return;
    const func = kernelName(name);
    const result = kernelResult(func, retval, this.#source());
    for (const probe of probes) this.#run(probe, { func, retval: result });
  }

  #event(name: TracepointName, fields: TracepointFields): void {
    this.poll();
    for (const probe of this.#events.get(name) ?? []) this.#run(probe, { fields });
  }

  #attach(vm: Vm): void {
    this.#vm = vm;
    if (this.#enter.size + this.#leave.size > 0) vm.setHooks(this);
    if (this.tracepoints !== null) vm.setTracepoints(this.tracepoints);
  }

  #add(point: ProbePoint, run: CompiledProbe): void {
    this.#attached++;
    const attached = { name: point.name, run };
    switch (point.kind) {
      case 'begin':
        this.#begin.push(attached);
        return;
      case 'end':
        this.#end.push(attached);
        return;
      case 'interval':
        this.#intervals.push({ ...attached, periodNs: point.periodNs, dueNs: point.periodNs });
        return;
      case 'tracepoint':
        push(this.#events, point.target, attached);
        return;
      default:
        push(point.kind === 'kprobe' ? this.#enter : this.#leave, exportName(point.target), attached);
    }
  }

  #run({ name, run }: Attached, what: Partial<ProbeContext>): void {
    if (this.#isDone) return;
    const nowNs = this.#vm?.clock.nowNs ?? 0;
    run({ probe: name, func: '', args: [], retval: 0n, fields: {}, nowNs, variables: new Map(), ...what });
  }

  #source(): ArgumentSource {
    const vcpu = this.#vm?.vcpus[0] ?? null;
    return {
      vcpu,
      ctxt: vcpu?.ctxt ?? null,
      kvm: this.#vm,
      addressOf: (object) => this.#addresses.of(object),
    };
  }

  #map(name: string): ScriptMap {
    const known = this.#maps.get(name);
    if (known !== undefined) return known;
    const map = new ScriptMap(name);
    this.#maps.set(name, map);
    return map;
  }

  #exit(): void {
    this.#isDone = true;
    this.#vm?.vcpus[0]?.requestStop();
  }
}

function push<K>(map: Map<K, Attached[]>, key: K, attached: Attached): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [attached]);
  else list.push(attached);
}

/** Functions that are never called keep the kernel's name. */
function exportName(target: string): string {
  return PROBED_FUNCTIONS.get(target) ?? target;
}
