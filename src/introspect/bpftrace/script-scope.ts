/**
 * What the parts of the compiler share about one script: where it prints, its maps and variables, the probe at hand.
 */
import type { MapNode, Position, ProbeNode, VariableNode } from './ast.ts';
import type { ScriptMap } from './map-store.ts';
import { scriptError } from './parse.ts';
import type { ProbePoint } from './probe-points.ts';
import type { Value } from './values.ts';

/** What a running probe sees. */
export interface ProbeContext {
  readonly probe: string;
  readonly func: string;
  readonly args: readonly bigint[];
  readonly retval: bigint;
  readonly fields: Readonly<Record<string, number | bigint>>;
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

/** What an expression gives; `any`: known only when it runs. */
export type Type = 'int' | 'string' | 'any';

/** A compiled expression. */
export interface Expr {
  readonly type: Type;
  run(context: ProbeContext): Value;
}

/** A compiled statement. @returns false when the probe ends here. */
export type Action = (context: ProbeContext) => boolean;

/** Names of maps that a script puts something into: targets of `=`, `++` and `--`, wherever they stand. */
function assignedMaps(tree: unknown, into: Set<string>): void {
  if (typeof tree !== 'object' || tree === null) return;
  if ('target' in tree) into.add((tree.target as MapNode | VariableNode).name);
  for (const part of Object.values(tree)) assignedMaps(part, into);
}

/** One script while it is compiled. */
export class ScriptScope {
  readonly host: ScriptHost;
  /** Names of the maps that something is put into. */
  readonly assigned = new Set<string>();
  /** How each map is used: number of keys, and what it holds. */
  readonly shapes = new Map<string, { readonly keys: number; holds: string }>();
  /** Where the probe at hand is attached. */
  points: readonly ProbePoint[] = [];
  /** The variables of the probe at hand. */
  variables = new Map<string, Type>();
  readonly #script: string;

  constructor(script: string, probes: readonly ProbeNode[], host: ScriptHost) {
    this.#script = script;
    this.host = host;
    assignedMaps(probes, this.assigned);
  }

  /** @throws EmulatorError `E_INPUT` naming line and column, always. */
  fail(at: Position, what: string): never {
    throw scriptError(this.#script, at, what);
  }

  /** Fails unless every point of the probe is of one of these kinds. */
  needs(at: Position, what: string, kinds: readonly ProbePoint['kind'][]): void {
    const wrong = this.points.find(({ kind }) => !kinds.includes(kind));
    if (wrong !== undefined) this.fail(at, `${what} cannot be used with ${wrong.name}`);
  }
}
