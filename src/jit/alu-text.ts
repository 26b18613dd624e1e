/**
 * Arithmetic and logic as text: the result and the lazy flags (cpu/flags.ts), in the words of the hot switch of
 * cpu/interpreter.ts. V8 drops the flags that nobody reads.
 */
import {
  ALU_ADC,
  ALU_ADD,
  ALU_AND,
  ALU_CMP,
  ALU_OR,
  ALU_SBB,
  ALU_SUB,
  ALU_TEST,
  ALU_XOR,
} from '../decoder/op.ts';
import type { Emitter } from './emitter.ts';

const HIGH = String(0xc0000000 | 0);
const KEEP = String(0xc0000008 | 0);

/** `fr` from a result that may have bits above its size. */
export function signExtended(r: string, size: number): string {
  return size === 4 ? `${r}` : size === 2 ? `${r} << 16 >> 16` : `${r} << 24 >> 24`;
}

/** `fa` from a carry vector. */
function aux(c: string, size: number): string {
  if (size === 4) return `${c} & ${KEEP}`;
  return `${c} << ${32 - 8 * size} & ${HIGH} | ${c} & 8`;
}

/** `a` operation `b`; sets the flags. @returns the name of the result, whose bits above the size are not cleaned. */
export function aluText(e: Emitter, operation: number, left: string, right: string, size: number): string {
  const a = e.name('a');
  const b = e.name('b');
  const r = e.name('x');
  e.line(`const ${a} = ${left}, ${b} = ${right};`);
  switch (operation) {
    case ALU_ADD:
    case ALU_ADC:
      e.line(`const ${r} = ${a} + ${b}${operation === ALU_ADC ? ' + (fa >>> 31)' : ''} | 0;`);
      e.line(`const c${r} = ${a} & ${b} | (${a} | ${b}) & ~${r};`);
      e.line(`fr = ${signExtended(r, size)}; fa = ${aux(`c${r}`, size)};`);
      e.flags = { kind: operation === ALU_ADC ? 'other' : 'add', a, b, size };
      return r;
    case ALU_SUB:
    case ALU_SBB:
    case ALU_CMP:
      e.line(`const ${r} = ${a} - ${b}${operation === ALU_SBB ? ' - (fa >>> 31)' : ''} | 0;`);
      e.line(`const c${r} = ~${a} & ${b} | (~${a} | ${b}) & ${r};`);
      e.line(`fr = ${signExtended(r, size)}; fa = ${aux(`c${r}`, size)};`);
      e.flags = { kind: operation === ALU_SBB ? 'other' : 'sub', a, b, size };
      return r;
    case ALU_OR:
      e.line(`const ${r} = ${a} | ${b};`);
      break;
    case ALU_XOR:
      e.line(`const ${r} = ${a} ^ ${b};`);
      break;
    case ALU_AND:
    case ALU_TEST:
      e.line(`const ${r} = ${a} & ${b};`);
      break;
  }
  e.line(`fr = ${signExtended(r, size)}; fa = 0;`);
  e.flags = { kind: 'logic', a: r, b: r, size };
  return r;
}

/**
 * INC (`step` 1) or DEC (−1): CF stays. @returns the name of the sign-extended result.
 *
 * Without a branch, so that V8 can leave it to the way out of a loop on which somebody reads the flags.
 */
export function incDecText(e: Emitter, value: string, step: number, size: number): string {
  const a = e.name('a');
  const r = e.name('x');
  const shift = 32 - 8 * size;
  const sum = `${a} ${step > 0 ? '+' : '-'} 1`;
  e.line(`const ${a} = ${value}, ${r} = ${shift === 0 ? `${sum} | 0` : `(${sum}) << ${shift} >> ${shift}`};`);
  e.line(`const c${r} = ${step > 0 ? `${a} & 1 | (${a} | 1) & ~${r}` : `~${a} & 1 | (~${a} | 1) & ${r}`};`);
  const top = shift === 0 ? `c${r}` : `c${r} << ${shift}`;
  // The carry into the sign is CF exclusive-or OF.
  const into = `(fa ^ ${top} ^ c${r} << ${shift + 1}) >>> 1 & 1073741824`;
  e.line(`fr = ${r}; fa = fa & -2147483648 | ${into} | c${r} & 8;`);
  e.flags = { kind: 'other', a: r, b: r, size };
  return r;
}
