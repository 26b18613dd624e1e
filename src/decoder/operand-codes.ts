/**
 * The operand codes of the opcode map, such as `Ev` or `Gb`: a capital for the addressing method, a small letter for the type.
 * Intel SDM vol. 2D, appendix A.2, “Key to Abbreviations”.
 */

/** Addressing methods. */
export const METHOD_NONE = 0;
/** E: ModRM.rm, a register or memory. */
export const METHOD_E = 1;
/** M: ModRM, memory only. */
export const METHOD_M = 2;
/** `Rv/Mw`: a register of the operand size or a word in memory. */
export const METHOD_R_MW = 3;
/** R: ModRM.rm as a register, whatever ModRM.mod is. */
export const METHOD_R = 4;
/** G: ModRM.reg, a general register. */
export const METHOD_G = 5;
/** S: ModRM.reg, a segment register. */
export const METHOD_S = 6;
/** C: ModRM.reg, a control register. */
export const METHOD_C = 7;
/** D: ModRM.reg, a debug register. */
export const METHOD_D = 8;
/** B: VEX.vvvv, a general register. */
export const METHOD_B = 9;
/** Z: the low three bits of the opcode, a general register. */
export const METHOD_Z = 10;
/** I: immediate. */
export const METHOD_I = 11;
/** sI: an immediate byte, sign-extended to the operand size. */
export const METHOD_SI = 12;
/** `1`: the constant of the short shifts. */
export const METHOD_ONE = 13;
/** J: relative to the end of the instruction. */
export const METHOD_J = 14;
/** A: far pointer. */
export const METHOD_A = 15;
/** O: memory at an offset that follows the opcode. */
export const METHOD_O = 16;
/** X: memory at DS:(E)SI. */
export const METHOD_X = 17;
/** Y: memory at ES:(E)DI. */
export const METHOD_Y = 18;
/** A general register that the opcode names. */
export const METHOD_REGISTER = 19;
/** A segment register that the opcode names. */
export const METHOD_SEGMENT = 20;
/** `BX+AL`: memory of XLAT. */
export const METHOD_XLAT = 21;

const METHODS: Record<string, number> = {
  E: METHOD_E,
  M: METHOD_M,
  R: METHOD_R,
  G: METHOD_G,
  S: METHOD_S,
  C: METHOD_C,
  D: METHOD_D,
  B: METHOD_B,
  Z: METHOD_Z,
  I: METHOD_I,
  sI: METHOD_SI,
  J: METHOD_J,
  A: METHOD_A,
  O: METHOD_O,
  X: METHOD_X,
  Y: METHOD_Y,
};

/** Operand types: bytes with the operand-size attribute 16 and 32. */
const TYPES: Record<string, readonly [number, number]> = {
  '': [0, 0],
  b: [1, 1],
  w: [2, 2],
  d: [4, 4],
  q: [8, 8],
  v: [2, 4],
  z: [2, 4],
  /** Two of the operand size: BOUND. */
  a: [4, 8],
  /** Far pointer. */
  p: [4, 6],
  /** Pseudo-descriptor. */
  s: [6, 6],
  /** x87: 80 bits. */
  t: [10, 10],
  /** x87: environment. */
  e: [14, 28],
  /** x87: all of its state. */
  f: [94, 108],
};

const NUMBER_SHIFT = 8;
const SIZE_SHIFT = 16;
const SIZE_32_SHIFT = 24;

/** Operand codes that are names: method, number, type. */
const NAMED: Record<string, readonly [number, number, string]> = {
  AL: [METHOD_REGISTER, 0, 'b'],
  CL: [METHOD_REGISTER, 1, 'b'],
  DX: [METHOD_REGISTER, 2, 'w'],
  rAX: [METHOD_REGISTER, 0, 'v'],
  ES: [METHOD_SEGMENT, 0, 'w'],
  CS: [METHOD_SEGMENT, 1, 'w'],
  SS: [METHOD_SEGMENT, 2, 'w'],
  DS: [METHOD_SEGMENT, 3, 'w'],
  FS: [METHOD_SEGMENT, 4, 'w'],
  GS: [METHOD_SEGMENT, 5, 'w'],
  'Rv/Mw': [METHOD_R_MW, 0, 'w'],
  'BX+AL': [METHOD_XLAT, 3, 'b'],
  '1': [METHOD_ONE, 0, 'b'],
};

function packed(method: number, number: number, type: string): number {
  const sizes = TYPES[type];
  if (sizes === undefined) throw new Error(`opcode map: no operand type ${type}`);
  return method | (number << NUMBER_SHIFT) | (sizes[0] << SIZE_SHIFT) | (sizes[1] << SIZE_32_SHIFT);
}

function parse(text: string): number {
  const named = NAMED[text];
  if (named !== undefined) return packed(...named);
  const at = text.startsWith('sI') ? 2 : 1;
  const method = METHODS[text.slice(0, at)];
  if (method === undefined) throw new Error(`opcode map: no operand code ${text}`);
  return packed(method, 0, text.slice(at));
}

/** Largest number of operands of an encoding. */
export const MAX_OPERANDS = 3;

const lists = new Map<string, readonly number[]>();

/** {@link MAX_OPERANDS} numbers for operand codes with blanks between them, for the functions below; METHOD_NONE behind the last. */
export function operandList(text: string): readonly number[] {
  let found = lists.get(text);
  if (found === undefined) {
    const list = text === '' ? [] : text.split(' ').map(parse);
    while (list.length < MAX_OPERANDS) list.push(METHOD_NONE);
    found = list;
    lists.set(text, found);
  }
  return found;
}

/** METHOD_* of an operand. */
export function methodOf(operand: number): number {
  return operand & 0xff;
}

/** Register number that the code itself names. */
export function numberOf(operand: number): number {
  return (operand >> NUMBER_SHIFT) & 0xff;
}

/** Bytes of an operand. @param opSize 2 or 4, the operand-size attribute. */
export function sizeOf(operand: number, opSize: number): number {
  return (operand >> (opSize === 4 ? SIZE_32_SHIFT : SIZE_SHIFT)) & 0xff;
}

/** Whether the operand may be memory that ModRM names. */
export function mayBeMemory(operand: number): boolean {
  const method = methodOf(operand);
  return method === METHOD_E || method === METHOD_M || method === METHOD_R_MW;
}

/** Whether the operand is found through ModRM. */
export function usesModrm(operand: number): boolean {
  const method = methodOf(operand);
  return method >= METHOD_E && method <= METHOD_D;
}
