/**
 * From a script's tree to functions: everything that can be wrong with a script is found here, before it runs.
 */
import { TRACEPOINT_FIELDS } from '../tracepoints.ts';
import { AGGREGATE_ARGS, createAggregate } from './aggregates.ts';
import type { CallNode, ExprNode, MapNode, Position, ProbeNode, StatementNode, VariableNode } from './ast.ts';
import type { ScriptMap } from './map-store.ts';
import { scriptError } from './parse.ts';
import { type FormatPart, formatValues, INT_CONVERSIONS, parseFormat } from './printf.ts';
import type { ProbePoint } from './probe-points.ts';
import { asInt, castInt, isTrue, type Value, valueText } from './values.ts';

/** What a running probe sees. */
export interface ProbeContext {
  readonly probe: string;
  readonly func: string;
  readonly args: readonly bigint[];
  readonly retval: bigint;
  readonly fields: Readonly<Record<string, number>>;
  readonly nowNs: number;
  readonly variables: Map<string, Value>;
}

/** What a script may do to the world. */
export interface ScriptHost {
  readonly pid: number;
  readonly comm: string;
  /** Strings in a script are shorter than this (BPFTRACE_STRLEN). */
  readonly maxString: number;
  map(name: string): ScriptMap;
  print(text: string): void;
  /** No probe runs any more. */
  exit(): void;
}

type Type = 'int' | 'string' | 'any';
interface Expr {
  readonly type: Type;
  run(context: ProbeContext): Value;
}
/** @returns false when the probe ends here. */
type Action = (context: ProbeContext) => boolean;

/** One probe, ready to run. */
export type CompiledProbe = (context: ProbeContext) => void;

const COMPARE: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  '==': (a, b) => valueText(a) === valueText(b),
  '!=': (a, b) => valueText(a) !== valueText(b),
  '<': (a, b) => asInt(a) < asInt(b),
  '>': (a, b) => asInt(a) > asInt(b),
  '<=': (a, b) => asInt(a) <= asInt(b),
  '>=': (a, b) => asInt(a) >= asInt(b),
};

const ARITHMETIC: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  // BPF: dividing by 0 gives 0, and the remainder is the dividend.
  '/': (a, b) => (b === 0n ? 0n : a / b),
  '%': (a, b) => (b === 0n ? a : a % b),
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '<<': (a, b) => a << (b & 63n),
  '>>': (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
};

function arithmetic(op: string, a: bigint, b: bigint): bigint {
  return BigInt.asIntN(64, ARITHMETIC[op](a, b));
}

/** Names of maps that a script puts something into: targets of `=`, `++` and `--`, wherever they stand. */
function assignedMaps(tree: unknown, into: Set<string>): void {
  if (typeof tree !== 'object' || tree === null) return;
  if ('target' in tree) into.add((tree.target as MapNode | VariableNode).name);
  for (const part of Object.values(tree)) assignedMaps(part, into);
}

/** Compiles the probes of one script. */
export class ScriptCompiler {
  readonly #script: string;
  readonly #host: ScriptHost;
  readonly #assigned = new Set<string>();
  /** How each map is used: number of keys, and what it holds. */
  readonly #shapes = new Map<string, { readonly keys: number; holds: string }>();
  #points: readonly ProbePoint[] = [];
  #variables = new Map<string, Type>();

  constructor(script: string, probes: readonly ProbeNode[], host: ScriptHost) {
    this.#script = script;
    this.#host = host;
    assignedMaps(probes, this.#assigned);
  }

  /** @throws EmulatorError `E_INPUT` naming line and column. */
  compile({ predicate, body }: ProbeNode, points: readonly ProbePoint[]): CompiledProbe {
    this.#points = points;
    this.#variables = new Map();
    const condition = predicate === null ? null : this.#expr(predicate);
    const run = this.#block(body);
    return (context) => {
      if (condition === null || isTrue(condition.run(context))) run(context);
    };
  }

  #fail(at: Position, what: string): never {
    throw scriptError(this.#script, at, what);
  }

  #block(statements: readonly StatementNode[]): Action {
    const actions = statements.map((statement) => this.#statement(statement));
    return (context) => actions.every((action) => action(context));
  }

  #statement(node: StatementNode): Action {
    switch (node.kind) {
      case 'return':
        return () => false;
      case 'if': {
        const condition = this.#expr(node.condition);
        const [yes, no] = [this.#block(node.yes), this.#block(node.no)];
        return (context) => (isTrue(condition.run(context)) ? yes : no)(context);
      }
      case 'assign':
        return this.#assign(node.target, node.op, node.value);
      default: {
        const { expr } = node;
        if (expr.kind === 'call') return this.#callStatement(expr);
        const value = this.#expr(expr);
        return (context) => {
          value.run(context);
          return true;
        };
      }
    }
  }

  #assign(target: MapNode | VariableNode, op: string, value: ExprNode): Action {
    if (value.kind === 'call' && Object.hasOwn(AGGREGATE_ARGS, value.name))
      return this.#aggregate(target, op, value);
    const right = this.#expr(value);
    const before = op === '' ? null : this.#expr(target);
    if (op !== '' && right.type === 'string') this.#fail(value.at, `operator ${op}= needs an integer`);
    const store = this.#store(target, right.type);
    return (context) => {
      const result = right.run(context);
      store(context, before === null ? result : arithmetic(op, asInt(before.run(context)), asInt(result)));
      return true;
    };
  }

  #store(target: MapNode | VariableNode, type: Type): (context: ProbeContext, value: Value) => void {
    const { name } = target;
    if (target.kind === 'variable') {
      const known = this.#variables.get(name);
      if (known !== undefined && known !== type && known !== 'any' && type !== 'any') {
        this.#fail(target.at, `type mismatch for ${name}: it holds ${known}, not ${type}`);
      }
      this.#variables.set(name, known ?? type);
      return (context, value) => context.variables.set(name, value);
    }
    const keys = this.#keys(target, type);
    const map = this.#host.map(name);
    return (context, value) => map.set(keys(context), value);
  }

  #aggregate(target: MapNode | VariableNode, op: string, { at, name, args }: CallNode): Action {
    if (target.kind !== 'map' || op !== '')
      this.#fail(at, `${name}() must be assigned to a map: @ = ${name}()`);
    const wanted = AGGREGATE_ARGS[name];
    if (args.length !== wanted) this.#fail(at, `${name}() takes ${wanted} arguments, ${args.length} given`);
    const value = name === 'count' ? null : this.#int(args[0]);
    const params = args.slice(1).map((arg) => {
      if (arg.kind !== 'int') return this.#fail(arg.at, `${name}() takes literal numbers here`);
      return arg.value;
    });
    const [min = 0n, max = 1n, step = 1n] = params;
    if (max <= min || step <= 0n || (max - min) / step > 1000n) {
      this.#fail(at, `${name}() needs min < max and a step that makes at most 1000 buckets`);
    }
    const keys = this.#keys(target, `${name}()`);
    const map = this.#host.map(target.name);
    return (context) => {
      const add = value === null ? 0n : asInt(value.run(context));
      map.add(keys(context), add, () => createAggregate(name, params));
      return true;
    };
  }

  /** The keys of a map; checks that it is used in one way. `holds` null: a read. */
  #keys({ at, name, keys }: MapNode, holds: string | null): (context: ProbeContext) => Value[] {
    const shape = this.#shapes.get(name);
    if (shape !== undefined && shape.keys !== keys.length) {
      this.#fail(at, `${name} has ${shape.keys} keys elsewhere, ${keys.length} here`);
    }
    const isKnown = holds !== null && holds !== 'any';
    if (isKnown && shape !== undefined && shape.holds !== 'any' && shape.holds !== holds) {
      this.#fail(at, `type mismatch for ${name}: it holds ${shape.holds}, not ${holds}`);
    }
    if (shape === undefined) this.#shapes.set(name, { keys: keys.length, holds: holds ?? 'any' });
    else if (isKnown) shape.holds = holds;
    const parts = keys.map((key) => this.#expr(key));
    return (context) => parts.map((part) => part.run(context));
  }

  #mapArgument(call: CallNode): MapNode {
    const [map] = call.args;
    if (map?.kind !== 'map') return this.#fail(call.at, `${call.name}() expects a map to be provided`);
    if (!this.#assigned.has(map.name)) this.#fail(map.at, `undefined map: ${map.name}`);
    return map;
  }

  #callStatement(call: CallNode): Action {
    const { at, name, args } = call;
    const host = this.#host;
    switch (name) {
      case 'printf':
        return this.#printf(call);
      case 'print':
        return this.#print(call);
      case 'exit':
        if (args.length > 0) this.#fail(at, 'exit() takes no arguments');
        return () => {
          host.exit();
          return false;
        };
      case 'clear':
      case 'zero': {
        const node = this.#mapArgument(call);
        if (args.length !== 1 || node.keys.length > 0) this.#fail(at, `${name}() takes one map without keys`);
        const map = host.map(node.name);
        return () => {
          map[name]();
          return true;
        };
      }
      case 'delete': {
        const node = this.#mapArgument(call);
        // delete(@x[key]) and, since 0.21, delete(@x, key)
        const [, second] = args;
        const keys = second?.kind === 'tuple' ? second.items : args.slice(1);
        const run = this.#keys(second === undefined ? node : { ...node, keys }, null);
        const map = host.map(node.name);
        return (context) => {
          map.delete(run(context));
          return true;
        };
      }
      default: {
        if (Object.hasOwn(AGGREGATE_ARGS, name))
          this.#fail(at, `${name}() must be assigned to a map: @ = ${name}()`);
        const value = this.#expr(call);
        return (context) => {
          value.run(context);
          return true;
        };
      }
    }
  }

  #printf({ at, args }: CallNode): Action {
    const [format, ...rest] = args;
    if (format?.kind !== 'string') return this.#fail(at, 'printf() expects a format as its first argument');
    const parts = parseFormat(format.value);
    if (typeof parts === 'string') return this.#fail(format.at, `printf: ${parts}`);
    const conversions = parts.filter(({ conversion }) => conversion !== '');
    if (conversions.length !== rest.length) {
      this.#fail(at, `printf: the format takes ${conversions.length} arguments, ${rest.length} given`);
    }
    const values = rest.map((arg, i) => this.#printfArgument(arg, conversions[i]));
    return (context) => {
      this.#host.print(
        formatValues(
          parts,
          values.map((value) => value.run(context)),
        ),
      );
      return true;
    };
  }

  #printfArgument(arg: ExprNode, { conversion }: FormatPart): Expr {
    const value = this.#expr(arg);
    const wanted = INT_CONVERSIONS.includes(conversion) ? 'int' : 'string';
    if (value.type !== 'any' && value.type !== wanted) {
      this.#fail(arg.at, `printf: %${conversion} expects a value of type ${wanted}, ${value.type} given`);
    }
    return value;
  }

  #print(call: CallNode): Action {
    const { at, args } = call;
    const [first, top, div] = args;
    if (first === undefined || args.length > 3) return this.#fail(at, 'print() takes a map or a value');
    const { print } = this.#host;
    if (first.kind === 'map' && first.keys.length === 0) {
      const map = this.#host.map(this.#mapArgument(call).name);
      const [topValue, divValue] = [top, div].map((arg) => (arg === undefined ? null : this.#int(arg)));
      return (context) => {
        const by = divValue === null ? 1n : asInt(divValue.run(context));
        const count = topValue === null ? Number.POSITIVE_INFINITY : Number(asInt(topValue.run(context)));
        print(map.text(count === 0 ? Number.POSITIVE_INFINITY : count, by === 0n ? 1n : by));
        return true;
      };
    }
    const value = this.#expr(first);
    return (context) => {
      print(`${valueText(value.run(context))}\n`);
      return true;
    };
  }

  #int(node: ExprNode): Expr {
    const value = this.#expr(node);
    if (value.type === 'string') this.#fail(node.at, 'an integer is needed here, not a string');
    return value;
  }

  #expr(node: ExprNode): Expr {
    switch (node.kind) {
      case 'int': {
        const value = BigInt.asIntN(64, node.value);
        return { type: 'int', run: () => value };
      }
      case 'string': {
        const { value } = node;
        if (value.length >= this.#host.maxString) {
          this.#fail(node.at, `string is too long (over ${this.#host.maxString} bytes): see BPFTRACE_STRLEN`);
        }
        return { type: 'string', run: () => value };
      }
      case 'tuple': {
        const items = node.items.map((item) => this.#expr(item));
        return { type: 'any', run: (context) => items.map((item) => item.run(context)) };
      }
      case 'builtin':
        return this.#builtin(node.name, node.at);
      case 'field':
        return this.#field(node.name, node.at);
      case 'variable': {
        const { name } = node;
        const type = this.#variables.get(name);
        if (type === undefined) this.#fail(node.at, `undefined or undeclared variable: ${name}`);
        return { type: type ?? 'any', run: (context) => context.variables.get(name) ?? 0n };
      }
      case 'map': {
        if (!this.#assigned.has(node.name)) this.#fail(node.at, `undefined map: ${node.name}`);
        const map = this.#host.map(node.name);
        const keys = this.#keys(node, null);
        return { type: 'any', run: (context) => map.get(keys(context)) };
      }
      case 'call':
        return this.#call(node);
      case 'cast': {
        const { type } = node;
        const value = this.#int(node.operand);
        return { type: 'int', run: (context) => castInt(type, asInt(value.run(context))) };
      }
      case 'step':
        return this.#step(node.target, BigInt(node.by), node.isPrefix);
      case 'unary':
        return this.#unary(node.op, this.#int(node.operand));
      case 'binary':
        return this.#binary(node.op, node);
      default: {
        const condition = this.#expr(node.condition);
        const [yes, no] = [this.#expr(node.yes), this.#expr(node.no)];
        if (yes.type !== no.type && yes.type !== 'any' && no.type !== 'any') {
          this.#fail(node.at, `the sides of a ternary have the same type: not ${yes.type} and ${no.type}`);
        }
        const type = yes.type === 'any' ? no.type : yes.type;
        return { type, run: (context) => (isTrue(condition.run(context)) ? yes : no).run(context) };
      }
    }
  }

  #step(target: MapNode | VariableNode, by: bigint, isPrefix: boolean): Expr {
    if (target.kind === 'variable' && !this.#variables.has(target.name))
      this.#variables.set(target.name, 'int');
    const before = this.#int(target);
    const store = this.#store(target, 'int');
    return {
      type: 'int',
      run: (context) => {
        const old = asInt(before.run(context));
        const value = BigInt.asIntN(64, old + by);
        store(context, value);
        return isPrefix ? value : old;
      },
    };
  }

  #unary(op: string, value: Expr): Expr {
    const apply: Readonly<Record<string, (a: bigint) => bigint>> = {
      '-': (a) => BigInt.asIntN(64, -a),
      '~': (a) => ~a,
      '!': (a) => (a === 0n ? 1n : 0n),
      '+': (a) => a,
    };
    const run = apply[op];
    return { type: 'int', run: (context) => run(asInt(value.run(context))) };
  }

  #binary(op: string, { left, right }: { readonly left: ExprNode; readonly right: ExprNode }): Expr {
    const isEquality = op === '==' || op === '!=';
    const a = isEquality ? this.#expr(left) : this.#int(left);
    const b = isEquality ? this.#expr(right) : this.#int(right);
    if (isEquality && a.type !== b.type && a.type !== 'any' && b.type !== 'any') {
      this.#fail(right.at, `cannot compare ${a.type} with ${b.type}`);
    }
    const test = COMPARE[op];
    if (test !== undefined) {
      return { type: 'int', run: (context) => (test(a.run(context), b.run(context)) ? 1n : 0n) };
    }
    if (op === '&&') {
      return { type: 'int', run: (c) => (isTrue(a.run(c)) && isTrue(b.run(c)) ? 1n : 0n) };
    }
    if (op === '||') {
      return { type: 'int', run: (c) => (isTrue(a.run(c)) || isTrue(b.run(c)) ? 1n : 0n) };
    }
    return { type: 'int', run: (c) => arithmetic(op, asInt(a.run(c)), asInt(b.run(c))) };
  }

  #call({ at, name, args }: CallNode): Expr {
    if (Object.hasOwn(AGGREGATE_ARGS, name))
      this.#fail(at, `${name}() must be assigned to a map: @ = ${name}()`);
    const [first] = args;
    if (name !== 'str') return this.#fail(at, `unknown function: ${name}`);
    if (first === undefined || args.length !== 1) return this.#fail(at, 'str() takes one string');
    const value = this.#expr(first);
    if (value.type === 'int')
      this.#fail(first.at, 'str() of an address: the guest’s memory is not the kernel’s');
    return value;
  }

  /** Whether every point of the probe is of one of these kinds. */
  #needs(at: Position, what: string, kinds: readonly ProbePoint['kind'][]): void {
    const wrong = this.#points.find(({ kind }) => !kinds.includes(kind));
    if (wrong !== undefined) this.#fail(at, `${what} cannot be used with ${wrong.name}`);
  }

  #builtin(name: string, at: Position): Expr {
    const { pid, comm } = this.#host;
    const argument = /^arg([0-9])$/.exec(name)?.[1];
    if (argument !== undefined) {
      this.#needs(at, name, ['kprobe']);
      const n = Number(argument);
      return { type: 'int', run: (context) => context.args[n] ?? 0n };
    }
    switch (name) {
      case 'pid':
      case 'tid':
        return { type: 'int', run: () => BigInt(pid) };
      case 'cpu':
      case 'uid':
      case 'gid':
        return { type: 'int', run: () => 0n };
      case 'nsecs':
      case 'elapsed':
        return { type: 'int', run: (context) => BigInt(context.nowNs) };
      case 'comm':
        return { type: 'string', run: () => comm };
      case 'probe':
        return { type: 'string', run: (context) => context.probe };
      case 'func':
        this.#needs(at, name, ['kprobe', 'kretprobe']);
        return { type: 'string', run: (context) => context.func };
      case 'retval':
        this.#needs(at, name, ['kretprobe']);
        return { type: 'int', run: (context) => context.retval };
      default:
        return this.#fail(at, `unknown identifier: '${name}'`);
    }
  }

  #field(name: string, at: Position): Expr {
    this.#needs(at, `args.${name}`, ['tracepoint']);
    for (const point of this.#points) {
      if (point.kind === 'tracepoint' && !TRACEPOINT_FIELDS[point.target].includes(name)) {
        this.#fail(at, `${point.name} has no field '${name}': ${TRACEPOINT_FIELDS[point.target].join(', ')}`);
      }
    }
    return { type: 'int', run: (context) => BigInt(context.fields[name] ?? 0) };
  }
}
