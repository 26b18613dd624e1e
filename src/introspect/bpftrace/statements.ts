/**
 * Statements of a script: blocks, conditions, assignments and aggregations.
 */
import { AGGREGATE_ARGS, createAggregate } from './aggregates.ts';
import type { CallNode, ExprNode, MapNode, StatementNode, VariableNode } from './ast.ts';
import { CallStatements } from './call-statements.ts';
import type { ExpressionCompiler } from './expressions.ts';
import { arithmetic } from './operators.ts';
import type { Action, ScriptScope } from './script-scope.ts';
import { asInt, isTrue } from './values.ts';

/** Compiles the statements of one script. */
export class StatementCompiler {
  readonly #scope: ScriptScope;
  readonly #expressions: ExpressionCompiler;
  readonly #calls: CallStatements;

  constructor(scope: ScriptScope, expressions: ExpressionCompiler) {
    this.#scope = scope;
    this.#expressions = expressions;
    this.#calls = new CallStatements(scope, expressions);
  }

  /** A block of statements. @throws EmulatorError `E_INPUT`. */
  block(statements: readonly StatementNode[]): Action {
    const actions = statements.map((statement) => this.#statement(statement));
    return (context) => actions.every((action) => action(context));
  }

  #statement(node: StatementNode): Action {
    switch (node.kind) {
      case 'return':
        return () => false;
      case 'if': {
        const condition = this.#expressions.expr(node.condition);
        const [yes, no] = [this.block(node.yes), this.block(node.no)];
        return (context) => (isTrue(condition.run(context)) ? yes : no)(context);
      }
      case 'assign':
        return this.#assign(node.target, node.op, node.value);
      default: {
        const { expr } = node;
        if (expr.kind === 'call') return this.#calls.compile(expr);
        const value = this.#expressions.expr(expr);
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
    const right = this.#expressions.expr(value);
    const before = op === '' ? null : this.#expressions.expr(target);
    if (op !== '' && right.type === 'string') this.#scope.fail(value.at, `operator ${op}= needs an integer`);
    const store = this.#expressions.store(target, right.type);
    return (context) => {
      const result = right.run(context);
      store(context, before === null ? result : arithmetic(op, asInt(before.run(context)), asInt(result)));
      return true;
    };
  }

  #aggregate(target: MapNode | VariableNode, op: string, { at, name, args }: CallNode): Action {
    if (target.kind !== 'map' || op !== '')
      this.#scope.fail(at, `${name}() must be assigned to a map: @ = ${name}()`);
    const wanted = AGGREGATE_ARGS[name];
    if (args.length !== wanted)
      this.#scope.fail(at, `${name}() takes ${wanted} arguments, ${args.length} given`);
    const value = name === 'count' ? null : this.#expressions.int(args[0]);
    const params = args.slice(1).map((arg) => {
      if (arg.kind !== 'int') return this.#scope.fail(arg.at, `${name}() takes literal numbers here`);
      return arg.value;
    });
    const [min = 0n, max = 1n, step = 1n] = params;
    if (max <= min || step <= 0n || (max - min) / step > 1000n) {
      this.#scope.fail(at, `${name}() needs min < max and a step that makes at most 1000 buckets`);
    }
    const keys = this.#expressions.keys(target, `${name}()`);
    const map = this.#scope.host.map(target.name);
    return (context) => {
      const add = value === null ? 0n : asInt(value.run(context));
      map.add(keys(context), add, () => createAggregate(name, params));
      return true;
    };
  }
}
