/**
 * Expressions of a script: from tree to function, with every check of types.
 */
import { AGGREGATE_ARGS } from './aggregates.ts';
import type { CallNode, ExprNode, MapNode, VariableNode } from './ast.ts';
import { builtin, tracepointField } from './builtins.ts';
import { arithmetic, COMPARE, UNARY } from './operators.ts';
import type { Expr, ProbeContext, ScriptScope, Type } from './script-scope.ts';
import { asInt, castInt, isTrue, type Value } from './values.ts';

function unary(op: string, value: Expr): Expr {
  const run = UNARY[op];
  return { type: 'int', run: (context) => run(asInt(value.run(context))) };
}

/** Compiles the expressions of one script. */
export class ExpressionCompiler {
  readonly #scope: ScriptScope;

  constructor(scope: ScriptScope) {
    this.#scope = scope;
  }

  /** How a value gets into a map or variable; checks that it fits. */
  store(target: MapNode | VariableNode, type: Type): (context: ProbeContext, value: Value) => void {
    const { name } = target;
    if (target.kind === 'variable') {
      const known = this.#scope.variables.get(name);
      if (known !== undefined && known !== type && known !== 'any' && type !== 'any') {
        this.#scope.fail(target.at, `type mismatch for ${name}: it holds ${known}, not ${type}`);
      }
      this.#scope.variables.set(name, known ?? type);
      return (context, value) => context.variables.set(name, value);
    }
    const keys = this.keys(target, type);
    const map = this.#scope.host.map(name);
    return (context, value) => map.set(keys(context), value);
  }

  /** The keys of a map; checks that it is used in one way. `holds` null: a read. */
  keys({ at, name, keys }: MapNode, holds: string | null): (context: ProbeContext) => Value[] {
    const shape = this.#scope.shapes.get(name);
    if (shape !== undefined && shape.keys !== keys.length) {
      this.#scope.fail(at, `${name} has ${shape.keys} keys elsewhere, ${keys.length} here`);
    }
    const isKnown = holds !== null && holds !== 'any';
    if (isKnown && shape !== undefined && shape.holds !== 'any' && shape.holds !== holds) {
      this.#scope.fail(at, `type mismatch for ${name}: it holds ${shape.holds}, not ${holds}`);
    }
    if (shape === undefined) this.#scope.shapes.set(name, { keys: keys.length, holds: holds ?? 'any' });
    else if (isKnown) shape.holds = holds;
    const parts = keys.map((key) => this.expr(key));
    return (context) => parts.map((part) => part.run(context));
  }

  /** An expression that must not be a string. */
  int(node: ExprNode): Expr {
    const value = this.expr(node);
    if (value.type === 'string') this.#scope.fail(node.at, 'an integer is needed here, not a string');
    return value;
  }

  /** @throws EmulatorError `E_INPUT` naming line and column. */
  expr(node: ExprNode): Expr {
    switch (node.kind) {
      case 'int': {
        const value = BigInt.asIntN(64, node.value);
        return { type: 'int', run: () => value };
      }
      case 'string': {
        const { value } = node;
        if (value.length >= this.#scope.host.maxString) {
          this.#scope.fail(
            node.at,
            `string is too long (over ${this.#scope.host.maxString} bytes): see BPFTRACE_STRLEN`,
          );
        }
        return { type: 'string', run: () => value };
      }
      case 'tuple': {
        const items = node.items.map((item) => this.expr(item));
        return { type: 'any', run: (context) => items.map((item) => item.run(context)) };
      }
      case 'builtin':
        return builtin(this.#scope, node.name, node.at);
      case 'field':
        return tracepointField(this.#scope, node.name, node.at);
      case 'variable': {
        const { name } = node;
        const type = this.#scope.variables.get(name);
        if (type === undefined) this.#scope.fail(node.at, `undefined or undeclared variable: ${name}`);
        return { type: type ?? 'any', run: (context) => context.variables.get(name) ?? 0n };
      }
      case 'map': {
        if (!this.#scope.assigned.has(node.name)) this.#scope.fail(node.at, `undefined map: ${node.name}`);
        const map = this.#scope.host.map(node.name);
        const keys = this.keys(node, null);
        return { type: 'any', run: (context) => map.get(keys(context)) };
      }
      case 'call':
        return this.#call(node);
      case 'cast': {
        const { type } = node;
        const value = this.int(node.operand);
        return { type: 'int', run: (context) => castInt(type, asInt(value.run(context))) };
      }
      case 'step':
        return this.#step(node.target, BigInt(node.by), node.isPrefix);
      case 'unary':
        return unary(node.op, this.int(node.operand));
      case 'binary':
        return this.#binary(node.op, node);
      default: {
        const condition = this.expr(node.condition);
        const [yes, no] = [this.expr(node.yes), this.expr(node.no)];
        if (yes.type !== no.type && yes.type !== 'any' && no.type !== 'any') {
          this.#scope.fail(
            node.at,
            `the sides of a ternary have the same type: not ${yes.type} and ${no.type}`,
          );
        }
        const type = yes.type === 'any' ? no.type : yes.type;
        return { type, run: (context) => (isTrue(condition.run(context)) ? yes : no).run(context) };
      }
    }
  }

  #step(target: MapNode | VariableNode, by: bigint, isPrefix: boolean): Expr {
    if (target.kind === 'variable' && !this.#scope.variables.has(target.name))
      this.#scope.variables.set(target.name, 'int');
    const before = this.int(target);
    const store = this.store(target, 'int');
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

  #binary(op: string, { left, right }: { readonly left: ExprNode; readonly right: ExprNode }): Expr {
    const isEquality = op === '==' || op === '!=';
    const a = isEquality ? this.expr(left) : this.int(left);
    const b = isEquality ? this.expr(right) : this.int(right);
    if (isEquality && a.type !== b.type && a.type !== 'any' && b.type !== 'any') {
      this.#scope.fail(right.at, `cannot compare ${a.type} with ${b.type}`);
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
      this.#scope.fail(at, `${name}() must be assigned to a map: @ = ${name}()`);
    const [first] = args;
    if (name !== 'str') return this.#scope.fail(at, `unknown function: ${name}`);
    if (first === undefined || args.length !== 1) return this.#scope.fail(at, 'str() takes one string');
    const value = this.expr(first);
    if (value.type === 'int')
      this.#scope.fail(first.at, 'str() of an address: the guest’s memory is not the kernel’s');
    return value;
  }
}
