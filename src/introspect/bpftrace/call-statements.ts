/**
 * Calls that stand alone: printf, print, exit, clear, zero, delete.
 */
import { AGGREGATE_ARGS } from './aggregates.ts';
import type { CallNode, ExprNode, MapNode } from './ast.ts';
import type { ExpressionCompiler } from './expressions.ts';
import { type FormatPart, formatValues, INT_CONVERSIONS, parseFormat } from './printf.ts';
import type { Action, Expr, ScriptScope } from './script-scope.ts';
import { asInt, valueText } from './values.ts';

/** Compiles the calls of one script. */
export class CallStatements {
  readonly #scope: ScriptScope;
  readonly #expressions: ExpressionCompiler;

  constructor(scope: ScriptScope, expressions: ExpressionCompiler) {
    this.#scope = scope;
    this.#expressions = expressions;
  }

  #mapArgument(call: CallNode): MapNode {
    const [map] = call.args;
    if (map?.kind !== 'map') return this.#scope.fail(call.at, `${call.name}() expects a map to be provided`);
    if (!this.#scope.assigned.has(map.name)) this.#scope.fail(map.at, `undefined map: ${map.name}`);
    return map;
  }

  /** A call that stands as a statement. @throws EmulatorError `E_INPUT`. */
  compile(call: CallNode): Action {
    const { at, name, args } = call;
    const host = this.#scope.host;
    switch (name) {
      case 'printf':
        return this.#printf(call);
      case 'print':
        return this.#print(call);
      case 'exit':
        if (args.length > 0) this.#scope.fail(at, 'exit() takes no arguments');
        return () => {
          host.exit();
          return false;
        };
      case 'clear':
      case 'zero': {
        const node = this.#mapArgument(call);
        if (args.length !== 1 || node.keys.length > 0)
          this.#scope.fail(at, `${name}() takes one map without keys`);
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
        const run = this.#expressions.keys(second === undefined ? node : { ...node, keys }, null);
        const map = host.map(node.name);
        return (context) => {
          map.delete(run(context));
          return true;
        };
      }
      default: {
        if (Object.hasOwn(AGGREGATE_ARGS, name))
          this.#scope.fail(at, `${name}() must be assigned to a map: @ = ${name}()`);
        const value = this.#expressions.expr(call);
        return (context) => {
          value.run(context);
          return true;
        };
      }
    }
  }

  #printf({ at, args }: CallNode): Action {
    const [format, ...rest] = args;
    if (format?.kind !== 'string')
      return this.#scope.fail(at, 'printf() expects a format as its first argument');
    const parts = parseFormat(format.value);
    if (typeof parts === 'string') return this.#scope.fail(format.at, `printf: ${parts}`);
    const conversions = parts.filter(({ conversion }) => conversion !== '');
    if (conversions.length !== rest.length) {
      this.#scope.fail(at, `printf: the format takes ${conversions.length} arguments, ${rest.length} given`);
    }
    const values = rest.map((arg, i) => this.#printfArgument(arg, conversions[i]));
    return (context) => {
      this.#scope.host.print(
        formatValues(
          parts,
          values.map((value) => value.run(context)),
        ),
      );
      return true;
    };
  }

  #printfArgument(arg: ExprNode, { conversion }: FormatPart): Expr {
    const value = this.#expressions.expr(arg);
    const wanted = INT_CONVERSIONS.includes(conversion) ? 'int' : 'string';
    if (value.type !== 'any' && value.type !== wanted) {
      this.#scope.fail(
        arg.at,
        `printf: %${conversion} expects a value of type ${wanted}, ${value.type} given`,
      );
    }
    return value;
  }

  #print(call: CallNode): Action {
    const { at, args } = call;
    const [first, top, div] = args;
    if (first === undefined || args.length > 3) return this.#scope.fail(at, 'print() takes a map or a value');
    const { print } = this.#scope.host;
    if (first.kind === 'map' && first.keys.length === 0) {
      const map = this.#scope.host.map(this.#mapArgument(call).name);
      const [topValue, divValue] = [top, div].map((arg) =>
        arg === undefined ? null : this.#expressions.int(arg),
      );
      return (context) => {
        const by = divValue === null ? 1n : asInt(divValue.run(context));
        const count = topValue === null ? Number.POSITIVE_INFINITY : Number(asInt(topValue.run(context)));
        print(map.text(count === 0 ? Number.POSITIVE_INFINITY : count, by === 0n ? 1n : by));
        return true;
      };
    }
    const value = this.#expressions.expr(first);
    return (context) => {
      print(`${valueText(value.run(context))}\n`);
      return true;
    };
  }
}
