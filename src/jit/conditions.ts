/** Conditions of Jcc as text: from what is known of the flags, else from their lazy form (cpu/flags.ts). */
import type { KnownFlags } from './emitter.ts';

const SIGN_IS_SET = '(fr ^ fa << 31) < 0';
const OVERFLOW = '(fa ^ fa << 1) < 0';
const LESS = '(fr ^ fa << 31 ^ fa ^ fa << 1) < 0';

/** O, B, E, BE, S, P, L, LE in encoding order. */
const GENERAL = [
  OVERFLOW,
  'fa < 0',
  'fr === 0',
  'fa < 0 || fr === 0',
  SIGN_IS_SET,
  'parity[(fr ^ fa >> 8) & 255] !== 0',
  LESS,
  `fr === 0 || ${LESS}`,
];

/** Behind an operation whose result is in `fr`. */
const AFTER_RESULT: readonly (string | null)[] = [
  null,
  null,
  null,
  null,
  'fr < 0',
  'parity[fr & 255] !== 0',
  null,
  null,
];

/** CF = OF = 0. */
const AFTER_LOGIC: readonly (string | null)[] = [
  'false',
  'false',
  null,
  'fr === 0',
  null,
  null,
  'fr < 0',
  'fr <= 0',
];

function afterSub({ a, b, size }: KnownFlags): readonly (string | null)[] {
  const shift = 32 - 8 * size;
  const signed = (x: string): string => (shift === 0 ? x : `${x} << ${shift}`);
  const unsigned = (x: string): string => (size === 4 ? `${x} >>> 0` : x);
  return [
    null,
    `(${unsigned(a)}) < (${unsigned(b)})`,
    null,
    `(${unsigned(a)}) <= (${unsigned(b)})`,
    null,
    null,
    `(${signed(a)}) < (${signed(b)})`,
    `(${signed(a)}) <= (${signed(b)})`,
  ];
}

/** CF behind an addition. */
function carryOfAdd({ a, b, size }: KnownFlags): string {
  if (size === 4) return `(${a} + ${b} >>> 0) < (${a} >>> 0)`;
  const mask = size === 1 ? 255 : 65535;
  return `${a} + ${b} > ${mask}`;
}

/** 1 or 0 without a branch, from `fr` and `fa`: O, B, E, BE, S, P, L, LE. */
const BITS = [
  '(fa ^ fa << 1) >>> 31',
  'fa >>> 31',
  '((fr | -fr) >>> 31 ^ 1)',
  '(fa >>> 31 | (fr | -fr) >>> 31 ^ 1)',
  '(fr ^ fa << 31) >>> 31',
  'parity[(fr ^ fa >> 8) & 255]',
  '(fr ^ fa << 31 ^ fa ^ fa << 1) >>> 31',
  '((fr ^ fa << 31 ^ fa ^ fa << 1) >>> 31 | (fr | -fr) >>> 31 ^ 1)',
];

/** Condition `cc` as a number, 1 or 0, worked out without a branch. */
export function conditionBit(cc: number, known: KnownFlags | null): string {
  const text = known?.kind === 'shift' && cc >> 1 === 1 ? known.a : BITS[cc >> 1];
  return (cc & 1) === 0 ? `(${text})` : `(${text} ^ 1)`;
}

/** Whether condition `cc` (encoding order, odd ones are the opposites) holds. */
export function condition(cc: number, known: KnownFlags | null): string {
  const pair = cc >> 1;
  let text: string | null = null;
  if (known !== null) {
    if (known.kind === 'sub') text = afterSub(known)[pair];
    else if (known.kind === 'add' && pair === 1) text = carryOfAdd(known);
    else if (known.kind === 'logic') text = AFTER_LOGIC[pair];
    else if (known.kind === 'shift' && pair === 1) text = `${known.a} !== 0`;
    text ??= AFTER_RESULT[pair];
  }
  text ??= GENERAL[pair];
  return (cc & 1) === 0 ? text : `!(${text})`;
}
