/**
 * A bpftrace script as a tree (bpftrace: man/adoc/bpftrace.adoc, “The bpftrace Language”).
 */

/** Where something starts in the script; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** `@name[keys]`; without keys the map is a single value. */
export interface MapNode {
  readonly kind: 'map';
  readonly at: Position;
  readonly name: string;
  readonly keys: readonly ExprNode[];
}

/** `$name` */
export interface VariableNode {
  readonly kind: 'variable';
  readonly at: Position;
  readonly name: string;
}

/** `name(args)` */
export interface CallNode {
  readonly kind: 'call';
  readonly at: Position;
  readonly name: string;
  readonly args: readonly ExprNode[];
}

/** An expression. */
export type ExprNode =
  | { readonly kind: 'int'; readonly at: Position; readonly value: bigint }
  | { readonly kind: 'string'; readonly at: Position; readonly value: string }
  | { readonly kind: 'builtin'; readonly at: Position; readonly name: string }
  | { readonly kind: 'field'; readonly at: Position; readonly name: string }
  | MapNode
  | VariableNode
  | CallNode
  | { readonly kind: 'tuple'; readonly at: Position; readonly items: readonly ExprNode[] }
  | { readonly kind: 'unary'; readonly at: Position; readonly op: string; readonly operand: ExprNode }
  | { readonly kind: 'cast'; readonly at: Position; readonly type: string; readonly operand: ExprNode }
  | {
      readonly kind: 'step';
      readonly at: Position;
      readonly target: MapNode | VariableNode;
      readonly by: 1 | -1;
      readonly isPrefix: boolean;
    }
  | {
      readonly kind: 'binary';
      readonly at: Position;
      readonly op: string;
      readonly left: ExprNode;
      readonly right: ExprNode;
    }
  | {
      readonly kind: 'ternary';
      readonly at: Position;
      readonly condition: ExprNode;
      readonly yes: ExprNode;
      readonly no: ExprNode;
    };

/** A statement. */
export type StatementNode =
  | { readonly kind: 'expression'; readonly at: Position; readonly expr: ExprNode }
  | {
      readonly kind: 'assign';
      readonly at: Position;
      readonly target: MapNode | VariableNode;
      /** `''` for plain assignment, else the operator of `+=` and the like. */
      readonly op: string;
      readonly value: ExprNode;
    }
  | {
      readonly kind: 'if';
      readonly at: Position;
      readonly condition: ExprNode;
      readonly yes: readonly StatementNode[];
      readonly no: readonly StatementNode[];
    }
  | { readonly kind: 'return'; readonly at: Position };

/** `kprobe:name`, `interval:s:1`, `BEGIN` */
export interface PointNode {
  readonly at: Position;
  readonly parts: readonly string[];
}

/** One probe: where, on what condition, what. */
export interface ProbeNode {
  readonly points: readonly PointNode[];
  readonly predicate: ExprNode | null;
  readonly body: readonly StatementNode[];
}
