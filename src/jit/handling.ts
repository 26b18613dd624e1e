/**
 * What generated code does with an operation: a template of its own, a call of the interpreter's own function for it, or nothing
 * (the function ends before it and the interpreter executes it).
 *
 * Only operations that leave segments, mode, privilege and interrupt flag alone are called: a function is generated for one state
 * of these.
 */
import { type Insn, REP_NONE } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { IO_QUAL_STRING } from '../uapi/vmx.ts';

/** The interpreter executes it. */
export const NOT_GENERATED = 0;
/** A template (templates.ts). */
export const TEMPLATE = 1;
/** The function of the cold table is called. */
export const CALL_COLD = 2;
/** As TEMPLATE or CALL_COLD, and the block ends with it. */
export const END_OF_BLOCK = 3;

// biome-ignore format: one family a line.
const CALLED: ReadonlySet<number> = new Set<number>([
  Op.IncMem8, Op.IncMem16, Op.IncMem32, Op.DecMem8, Op.DecMem16, Op.DecMem32,
  Op.Neg, Op.Not, Op.Mul, Op.Imul, Op.Imul2, Op.Div, Op.Idiv, Op.Adcx, Op.Adox,
  Op.Shift, Op.Shld, Op.Shrd,
  Op.Bt, Op.BtReg, Op.Bsf, Op.Bsr, Op.Popcnt, Op.Lzcnt, Op.Tzcnt, Op.Crc32, Op.Setcc,
  Op.Daa, Op.Das, Op.Aaa, Op.Aas, Op.Aam, Op.Aad,
  Op.MovFromSreg, Op.Xchg, Op.Movzx, Op.Movsx, Op.Cmov, Op.Bswap, Op.Xadd, Op.Cmpxchg, Op.Cmpxchg8b, Op.Movbe,
  Op.Cbw, Op.Cwde, Op.Cwd, Op.Cdq, Op.Xlat,
  Op.PushImm, Op.PushMem, Op.PopMem, Op.PushSreg, Op.Pusha, Op.Popa, Op.Enter, Op.Leave,
  Op.Clc, Op.Stc, Op.Cmc, Op.Cld, Op.Std, Op.Lahf, Op.Sahf, Op.Salc,
]);

/** Jumps whose target is known at run time, and jumps that are called: the function ends with them. */
const CALLED_JUMPS: ReadonlySet<number> = new Set<number>([
  Op.JmpIndirect,
  Op.CallIndirect,
  Op.RetImm,
  Op.Loope,
  Op.Loopne,
  Op.Jcxz,
]);

/** Whether the function of the cold table transfers control. */
export function isCalledJump(insn: Insn): boolean {
  return CALLED_JUMPS.has(insn.op);
}

function isString(insn: Insn): boolean {
  return insn.op >= Op.Movs && insn.op <= Op.Scas;
}

/** IN or OUT, which a template does where it needs no exit. */
export function isSinglePortIo(insn: Insn): boolean {
  return insn.op === Op.PortIo && (insn.ioQual & IO_QUAL_STRING) === 0;
}

/** NOT_GENERATED, TEMPLATE, CALL_COLD or END_OF_BLOCK. */
export function handling(insn: Insn): number {
  const { op } = insn;
  if (op === Op.PortIo) return isSinglePortIo(insn) ? TEMPLATE : NOT_GENERATED;
  if (op === Op.Call || op === Op.Ret || op === Op.Jmp || op === Op.Loop) return END_OF_BLOCK;
  if (op >= Op.Jo && op <= Op.Jg) return END_OF_BLOCK;
  if (op < Op.Generated) return TEMPLATE;
  if (CALLED_JUMPS.has(op)) return END_OF_BLOCK;
  if (isString(insn)) return insn.rep === REP_NONE ? CALL_COLD : END_OF_BLOCK;
  return CALLED.has(op) ? CALL_COLD : NOT_GENERATED;
}
