/**
 * Target `bpftrace`: scripts of random tokens. The parser and the compiler accept a script or refuse it with an EmulatorError
 * that names a place in it; and a script means the same however its tokens are spaced.
 */
import { EmulatorError } from '../../errors.ts';
import { ListTarget } from '../../fuzz/engine/list-target.ts';
import type { Prng } from '../../fuzz/prng.ts';
import { parseScript } from '../../introspect/bpftrace/parse.ts';
import { BpftraceSession } from '../../introspect/bpftrace/session.ts';

const TOKENS = [
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ';',
  ',',
  '/',
  '+',
  '-',
  '*',
  '%',
  '=',
  '==',
  '!=',
  '<',
  '>',
  '<<',
  '&',
  '&&',
  '|',
  '||',
  '!',
  '~',
  '?',
  ':',
  '++',
  '--',
  '+=',
  '@',
  '@a',
  '@b',
  '$x',
  '$y',
  '0',
  '1',
  '0x10',
  '4294967296',
  '1e6',
  '"s"',
  '"%d\\n"',
  '"%s"',
  'count()',
  'sum(1)',
  'hist(2)',
  'lhist(1,0,10,1)',
  'printf',
  'print',
  'clear',
  'delete',
  'exit()',
  'if',
  'else',
  'return',
  'arg0',
  'arg1',
  'retval',
  'args.port',
  'nsecs',
  'elapsed',
  'pid',
  'comm',
  'func',
  'probe',
  'str',
  'strlen',
  'max',
  'min',
  'BEGIN',
  'END',
  'tracepoint:kvm:kvm_pio',
  'kprobe:kvm_fast_pio',
  'kretprobe:em_in',
  'interval:s:1',
  'kprobe:nothing',
] as const;
/** Scripts that work: what is random is put into them. */
const SCRIPTS: readonly (readonly string[])[] = [
  ['tracepoint:kvm:kvm_pio', '{', '@', '[', 'args.port', ']', '=', 'count()', ';', '}'],
  [
    'kprobe:kvm_fast_pio',
    '/',
    'arg1',
    '==',
    '1',
    '/',
    '{',
    'printf',
    '(',
    '"%d\\n"',
    ',',
    'arg1',
    ')',
    ';',
    '}',
  ],
  ['BEGIN', '{', '$x', '=', '1', ';', 'if', '(', '$x', '>', '0', ')', '{', '@a', '=', '$x', ';', '}', '}'],
  ['interval:s:1', '{', 'print', '(', '@a', ')', ';', 'clear', '(', '@a', ')', ';', '}'],
];

function generate(random: Prng): string[] {
  const tokens: string[] = random.oneIn(8) ? [] : [...random.pick(SCRIPTS)];
  for (let i = 1 + random.below(6); i > 0; i--) {
    const at = random.below(tokens.length + 1);
    const kind = random.below(3);
    if (kind === 0) tokens.splice(at, 1);
    else tokens.splice(at, kind === 1 ? 0 : 1, random.pick(TOKENS));
  }
  return tokens.length === 0 ? ['{'] : tokens;
}

function judge(tokens: readonly string[]): string[] {
  const spaced = treeOf(tokens.join(' '));
  const differently = treeOf(tokens.join('\n\t/* a comment */ '));
  const differences = [...spaced.problems, ...differently.problems];
  if (spaced.tree !== differently.tree) differences.push('another tree with other white space');
  try {
    new BpftraceSession(tokens.join(' '), { name: 'script', print: () => {} });
  } catch (error) {
    differences.push(...problemsOf(error));
  }
  return differences;
}

/** The tree without positions; null for a script that is refused. */
function treeOf(text: string): { tree: string | null; problems: string[] } {
  try {
    const tree = parseScript(text, 'script');
    const plain = JSON.stringify(tree, (key, value) =>
      key === 'at' ? undefined : typeof value === 'bigint' ? `${value}n` : value,
    );
    return { tree: plain, problems: [] };
  } catch (error) {
    return { tree: null, problems: problemsOf(error) };
  }
}

function problemsOf(error: unknown): string[] {
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof EmulatorError)) return [`threw ${text}`];
  return /^script:\d+:\d+: /.test(text) ? [] : [`no place in: ${text}`];
}

/** See the opening comment. */
export function createBpftraceTarget(): ListTarget<string> {
  return new ListTarget({
    name: 'bpftrace',
    generate,
    judge,
    toText: (token) => JSON.stringify(token),
    fromText: (line) => {
      if (!/^".*"$/.test(line)) throw new EmulatorError('E_ARGUMENT', `${line.slice(0, 40)} is not a token`);
      return String(JSON.parse(line));
    },
  });
}
