/**
 * From a script's tree to functions: everything that can be wrong with a script is found here, before it runs.
 */
import type { ProbeNode } from './ast.ts';
import { ExpressionCompiler } from './expressions.ts';
import type { ProbePoint } from './probe-points.ts';
import { type ProbeContext, type ScriptHost, ScriptScope } from './script-scope.ts';
import { StatementCompiler } from './statements.ts';
import { isTrue } from './values.ts';

/** One probe, ready to run. */
export type CompiledProbe = (context: ProbeContext) => void;

/** Compiles the probes of one script. */
export class ScriptCompiler {
  readonly #scope: ScriptScope;
  readonly #expressions: ExpressionCompiler;
  readonly #statements: StatementCompiler;

  constructor(script: string, probes: readonly ProbeNode[], host: ScriptHost) {
    this.#scope = new ScriptScope(script, probes, host);
    this.#expressions = new ExpressionCompiler(this.#scope);
    this.#statements = new StatementCompiler(this.#scope, this.#expressions);
  }

  /** @throws EmulatorError `E_INPUT` naming line and column. */
  compile({ predicate, body }: ProbeNode, points: readonly ProbePoint[]): CompiledProbe {
    this.#scope.points = points;
    this.#scope.variables = new Map();
    const condition = predicate === null ? null : this.#expressions.expr(predicate);
    const run = this.#statements.block(body);
    return (context) => {
      if (condition === null || isTrue(condition.run(context))) run(context);
    };
  }
}
