/**
 * Puts a counter on every edge of a built module, for coverage guidance: entry of a function, both arms of a condition (the else that
 * nobody wrote included), right sides of `&&`, `||`, `??`, cases of a switch, bodies of loops, catch. With `values` comparisons of
 * numbers report how far they are from being equal, too.
 *
 * The counters are the module's own `$e`, a view into the one map of src/fuzz/engine/edge-counters.ts.
 */
import { parse } from 'acorn';
import { full } from 'acorn-walk';
import MagicString from 'magic-string';

const COMPARISONS = new Set(['===', '!==', '==', '!=', '<', '<=', '>', '>=']);

/**
 * @param code a built ES module. @param options.runtime what to import the counters from.
 * @param options.hasValues whether comparisons report their distance.
 * @returns {{ code: string, edges: number, comparisons: number }}
 */
export function withEdgeCounters(code, { runtime, hasValues = false }) {
  const text = new MagicString(code);
  let edges = 0;
  let comparisons = 0;
  const count = () => `$e[${edges++}]++`;

  /** A statement: a block gets the counter as its first statement, anything else becomes a block. */
  const countStatement = (node) => {
    if (node.type === 'BlockStatement') text.appendRight(node.start + 1, ` ${count()};`);
    else {
      text.appendRight(node.start, `{ ${count()}; `);
      text.prependLeft(node.end, ' }');
    }
  };
  const countExpression = (node) => {
    text.appendRight(node.start, `(${count()}, `);
    text.prependLeft(node.end, ')');
  };
  const countFunction = ({ body }) => {
    if (body.type !== 'BlockStatement') countExpression(body);
    else text.appendRight(lastDirective(body) ?? body.start + 1, ` ${count()};`);
  };
  const visit = {
    FunctionDeclaration: countFunction,
    FunctionExpression: countFunction,
    ArrowFunctionExpression: countFunction,
    IfStatement({ consequent, alternate }) {
      if (alternate === null) text.prependLeft(consequent.end, ` else { ${count()}; }`);
      else countStatement(alternate);
      countStatement(consequent);
    },
    ConditionalExpression({ consequent, alternate }) {
      countExpression(consequent);
      countExpression(alternate);
    },
    LogicalExpression: ({ right }) => countExpression(right),
    SwitchStatement({ cases, end }) {
      for (const { consequent, start, test } of cases) {
        const [first] = consequent;
        if (first !== undefined) text.appendRight(first.start, `${count()}; `);
        else if (test === null) text.appendLeft(start + 'default:'.length, ` ${count()};`);
      }
      if (cases.every(({ test }) => test !== null)) text.appendRight(end - 1, ` default: ${count()}; `);
    },
    CatchClause: ({ body }) => countStatement(body),
    BinaryExpression({ operator, left, right }) {
      if (!hasValues || !COMPARISONS.has(operator) || !isNumeric(left) || !isNumeric(right)) return;
      if (isLiteral(left) && isLiteral(right)) return;
      const site = comparisons++;
      const measure = operator.includes('<') || operator.includes('>') ? '$order' : '$equal';
      text.appendRight(left.start, `$left($c + ${site}, `).prependLeft(left.end, ')');
      text.appendRight(right.start, `${measure}($c + ${site}, `).prependLeft(right.end, ')');
    },
  };
  for (const loop of [
    'ForStatement',
    'ForOfStatement',
    'ForInStatement',
    'WhileStatement',
    'DoWhileStatement',
  ]) {
    visit[loop] = ({ body }) => countStatement(body);
  }
  // Parents before children, and ends in front of those that are there: what both put at one place nests.
  const nodes = [];
  full(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => nodes.push(node));
  nodes.sort((a, b) => a.start - b.start || b.end - a.end);
  const seen = new Set();
  for (const node of nodes) {
    if (seen.has(node)) continue;
    seen.add(node);
    visit[node.type]?.(node);
  }
  if (edges === 0) return { code, edges, comparisons };
  const names = hasValues ? '$counters, $comparisons, $left, $equal, $order' : '$counters';
  const lines = [`import { ${names} } from ${JSON.stringify(runtime)};`];
  lines.push(`const $e = $counters(${edges});`);
  if (hasValues) lines.push(`const $c = $comparisons(${comparisons});`);
  text.prepend(`${lines.join('\n')}\n`);
  return { code: text.toString(), edges, comparisons };
}

/** Where the counter goes in a function that starts with 'use strict' or the like. */
function lastDirective({ body }) {
  return body.findLast(({ directive }) => directive !== undefined)?.end;
}

function isLiteral({ type, argument }) {
  return type === 'Literal' || (type === 'UnaryExpression' && argument.type === 'Literal');
}

/** Whether an operand may be a number, as far as its form says. */
function isNumeric(node) {
  if (node.type === 'Literal') return typeof node.value === 'number';
  if (node.type === 'UnaryExpression')
    return node.operator === '-' || node.operator === '~' || node.operator === '+';
  const isOther = [
    'TemplateLiteral',
    'ObjectExpression',
    'ArrayExpression',
    'ThisExpression',
    'PrivateIdentifier',
  ];
  return !(isOther.includes(node.type) || (node.type === 'Identifier' && node.name === 'undefined'));
}
