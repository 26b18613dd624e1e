/**
 * The built-in variables of a probe and the fields of a tracepoint.
 */
import { TRACEPOINT_FIELDS } from '../tracepoints.ts';
import type { Position } from './ast.ts';
import type { Expr, ScriptScope } from './script-scope.ts';

/** A built-in of a probe: `pid`, `arg0`, `retval` …
 * @throws EmulatorError `E_INPUT` for one that there is not, or not in this probe. */
export function builtin(scope: ScriptScope, name: string, at: Position): Expr {
  const { pid, comm } = scope.host;
  const argument = /^arg([0-9])$/.exec(name)?.[1];
  if (argument !== undefined) {
    scope.needs(at, name, ['kprobe']);
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
      scope.needs(at, name, ['kprobe', 'kretprobe']);
      return { type: 'string', run: (context) => context.func };
    case 'retval':
      scope.needs(at, name, ['kretprobe']);
      return { type: 'int', run: (context) => context.retval };
    default:
      return scope.fail(at, `unknown identifier: '${name}'`);
  }
}

/** `args.name` of a tracepoint. @throws EmulatorError `E_INPUT` for a field that it has not. */
export function tracepointField(scope: ScriptScope, name: string, at: Position): Expr {
  scope.needs(at, `args.${name}`, ['tracepoint']);
  for (const point of scope.points) {
    if (point.kind === 'tracepoint' && !TRACEPOINT_FIELDS[point.target].includes(name)) {
      scope.fail(at, `${point.name} has no field '${name}': ${TRACEPOINT_FIELDS[point.target].join(', ')}`);
    }
  }
  return { type: 'int', run: (context) => BigInt(context.fields[name] ?? 0) };
}
