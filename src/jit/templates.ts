/**
 * One template an operation of the hot switch: the same pseudo-code as in cpu/interpreter.ts, with operands that are known put in.
 * What is not here is called (handling.ts).
 */
import { AR_DB, EAX, ECX, EDX, ESP } from '../cpu/registers.ts';
import { type Insn, REG8_ZERO, SEG_CS } from '../decoder/insn.ts';
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
  Op,
} from '../decoder/op.ts';
import { IO_QUAL_IMM, ioQualIsIn, ioQualPort, ioQualSize } from '../uapi/vmx.ts';
import { aluText, incDecText } from './alu-text.ts';
import { type Emitter, FORGET_PAGES } from './emitter.ts';
import { load, operandOf, stackOperand, store, update } from './memory-access.ts';

/** Where an instruction stands and how the function is left there. */
export interface Place {
  /** EIP of the instruction and behind it. */
  readonly eip: number;
  readonly next: number;
  /** Instructions of the block from this one on. */
  readonly rest: number;
  /** Text: as if the instruction had not been reached; `cpu.fault` is set there; behind it. */
  readonly undone: string;
  readonly fault: string;
  readonly after: string;
}

/** Order of the groups of three at the start of the operations. */
const ALU_ORDER = [ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST];
const SIZES = [1, 2, 4];

function alu(e: Emitter, insn: Insn): void {
  const operation = ALU_ORDER[Math.floor(insn.op / 3)];
  const size = SIZES[insn.op % 3];
  // XOR and SUB of a register with itself need no old value.
  const r = aluText(e, operation, e.read(insn.dst, size), e.source(insn, size), size);
  if (operation !== ALU_CMP && operation !== ALU_TEST) e.write(insn.dst, size, r);
}

/** Operations that leave the destination as it is when the source is 0. */
const NEUTRAL_AT_0: readonly number[] = [ALU_ADD, ALU_OR, ALU_SUB, ALU_XOR];

/**
 * Writes an operation on registers so that the destination stays as it is where `mask` is 0; it is −1 elsewhere. The flags are
 * those of the operation all the same.
 *
 * @returns false when that cannot be said in one operation: nothing is written.
 */
export function aluUnderMask(e: Emitter, insn: Insn, mask: string): boolean {
  if (insn.op > Op.Test32) return false;
  const operation = ALU_ORDER[Math.floor(insn.op / 3)];
  if (!NEUTRAL_AT_0.includes(operation)) return false;
  const size = SIZES[insn.op % 3];
  const source = `(${e.source(insn, size)} & ${mask})`;
  e.write(insn.dst, size, aluText(e, operation, e.read(insn.dst, size), source, size));
  return true;
}

function aluLoad(e: Emitter, insn: Insn, place: Place): void {
  const size = SIZES[insn.op - Op.AluLoad8];
  const v = load(e, operandOf(e, insn), size, place);
  const r = aluText(e, insn.sub, e.read(insn.dst, size), v, size);
  if (insn.sub < ALU_CMP) e.write(insn.dst, size, r);
}

function aluStore(e: Emitter, insn: Insn, place: Place): void {
  const size = SIZES[insn.op - Op.AluStore8];
  if (insn.sub >= ALU_CMP) {
    const v = load(e, operandOf(e, insn), size, place);
    aluText(e, insn.sub, v, e.source(insn, size), size);
    return;
  }
  const b = e.name('b');
  e.line(`const ${b} = ${e.source(insn, size)};`);
  const object = e.object(insn);
  update(
    e,
    operandOf(e, insn),
    size,
    (v) => aluText(e, insn.sub, v, b, size),
    (off) =>
      `lazy[0] = fr; lazy[1] = fa; aluStore(cpu, ${object}, ${off}, ${size}, ${b}); fr = lazy[0]; fa = lazy[1];`,
    place,
  );
  e.flags = { kind: 'other', a: '0', b: '0', size };
}

/** The text of a shift by `count` (a name, or a number from 1 to 31). */
function shiftBy(e: Emitter, insn: Insn, count: string): void {
  const a = e.name('a');
  const r = e.name('x');
  const cf = e.name('c');
  e.line(`const ${a} = ${e.reg(insn.dst)};`);
  if (insn.op === Op.Shl32) {
    e.line(`const ${r} = ${a} << ${count}, ${cf} = ${a} >>> 32 - ${count} & 1;`);
    e.line(`fa = ${cf} << 31 | ${r} >>> 1 & 1073741824;`);
  } else if (insn.op === Op.Shr32) {
    e.line(`const ${r} = ${a} >>> ${count} | 0, ${cf} = ${a} >>> ${count} - 1 & 1;`);
    e.line(`fa = ${cf} << 31 | (${cf} ^ (${r} ^ ${r} << 1) >>> 31) << 30;`);
  } else {
    e.line(`const ${r} = ${a} >> ${count}, ${cf} = ${a} >> ${count} - 1 & 1;`);
    e.line(`fa = ${cf} << 31 | ${cf} << 30;`);
  }
  e.line(`fr = ${r};`);
  e.write(insn.dst, 4, r);
  e.flags = { kind: 'shift', a: cf, b: cf, size: 4 };
}

function shift32(e: Emitter, insn: Insn): void {
  if (insn.src === REG8_ZERO) {
    if ((insn.imm & 31) !== 0) shiftBy(e, insn, String(insn.imm & 31));
    return;
  }
  const count = e.name('n');
  e.line(`const ${count} = ${e.source(insn, 1)} & 31;`);
  e.line(`if (${count} !== 0) {`);
  shiftBy(e, insn, count);
  e.line('}');
  e.flags = null;
}

/** `esp` with its low part replaced as the stack's address size says. */
function stackPointer(e: Emitter, sp: string, is32: boolean): string {
  return is32 ? `${e.reg(ESP)} = ${sp};` : e.setWord(ESP, sp);
}

/** Pushes; `behind` is done before the function is left because the store has hit its own code. */
export function pushText(
  e: Emitter,
  size: number,
  value: string,
  is32: boolean,
  place: Place,
  behind = place.after,
): void {
  const sp = e.name('sp');
  const v = e.name('v');
  const top = is32 ? `${e.reg(ESP)} - ${size} | 0` : `${e.word(ESP)} - ${size} & 65535`;
  e.line(`const ${v} = ${value}, ${sp} = ${top};`);
  const move = stackPointer(e, sp, is32);
  store(e, stackOperand(sp, is32), size, v, {
    fault: place.fault,
    after: `${move} ${behind}`,
  });
  e.line(move);
}

function popText(e: Emitter, size: number, is32: boolean, place: Place): { value: string; move: string } {
  const sp = e.name('sp');
  e.line(`const ${sp} = ${is32 ? `${e.reg(ESP)} | 0` : e.word(ESP)};`);
  const value = load(e, stackOperand(sp, is32), size, place);
  return { value, move: stackPointer(e, is32 ? `${sp} + ${size} | 0` : `${sp} + ${size} & 65535`, is32) };
}

function portIo(e: Emitter, insn: Insn, place: Place): void {
  const size = ioQualSize(insn.ioQual);
  const isIn = ioQualIsIn(insn.ioQual);
  const isImmediate = (insn.ioQual & IO_QUAL_IMM) !== 0;
  const port = isImmediate ? String(ioQualPort(insn.ioQual)) : e.word(EDX);
  const remaining = `left + ${place.rest} | 0`;
  const value = isIn ? '' : size === 4 ? `${e.reg(EAX)} >>> 0` : e.read(EAX, size);
  const done = e.name('done');
  const { io } = e.ports;
  const likely = isImmediate ? ioQualPort(insn.ioQual) : e.ports.dx;
  const site = io?.site(likely, size) ?? null;
  if (isIn && size === 4) e.reg(EAX);
  const anyPort = isIn
    ? `${e.save(EAX)} ${done} = io.input(${port}, ${size}, ${remaining}); ${e.load(EAX)}`
    : `${done} = io.output(${port}, ${size}, ${value}, ${remaining});`;
  e.line(`let ${done} = 0; cpu.eip = ${place.eip};`);
  if (io === null || site === null) e.line(anyPort);
  else {
    // The device that is asked first, as a constant: V8 can then see through to what it does.
    const device = e.object(site.device);
    const isLikely = isImmediate ? '' : `${port} === ${likely} && `;
    const user = site.isUserspace ? 'cpu.inlineUserspaceExits = cpu.inlineUserspaceExits + 1 | 0; ' : '';
    const count = `cpu.inlineExits = cpu.inlineExits + 1 | 0; ${user}${done} = cpu.attention !== 0 ? 2 : 1;`;
    e.line(`if (${isLikely}${e.object(io.sites)}.generation === ${io.sites.generation}) {`);
    e.line(`clock.ticks = ends - (${remaining});`);
    if (isIn) {
      const v = e.name('v');
      e.line(`const ${v} = ${device}.read(${likely}, ${size});`);
      e.line(`if (${v} >= 0) {`);
      e.write(EAX, size, size === 4 ? `${v} | 0` : v);
      e.line(`${count} }`);
      e.line(`else { ${e.save(EAX)} ${done} = io.inputDone(${likely}, ${size}, ${v}); ${e.load(EAX)} }`);
    } else {
      e.line(`if (${device}.write(${likely}, ${size}, ${value})) { ${count} }`);
      e.line(`else { ${done} = io.outputDeclined(${likely}, ${size}, ${value}); }`);
    }
    e.line(`} else { ${anyPort} }`);
  }
  e.line(FORGET_PAGES);
  e.line(
    `if (${done} !== 1) { if (${done} === 0) { ${place.undone} } cpu.generatedYield = 1; ${place.after} }`,
  );
}

/** Ends the function with the jump of CALL or RET. @returns nothing: the text ends with a jump. */
export function callText(
  e: Emitter,
  insn: Insn,
  place: Place,
  target: number,
  is32: boolean,
  leaveTo: (eip: string) => string,
): void {
  const size = insn.opSize;
  const value = size === 4 ? String(place.next | 0) : String(place.next & 0xffff);
  pushText(e, size, value, is32, place, leaveTo(String(target)));
  e.line(leaveTo(String(target)));
}

/** See {@link callText}. */
export function retText(
  e: Emitter,
  insn: Insn,
  place: Place,
  is32: boolean,
  leaveTo: (eip: string) => string,
): void {
  const { value, move } = popText(e, insn.opSize, is32, place);
  e.line(`if ((${value} ^ -2147483648) >= ${e.bound((SEG_CS << 3) | 3)}) { ${place.undone} }`);
  e.line(move);
  e.line(leaveTo(value));
}

/** LOOP: counts; @returns the condition under which it jumps. */
export function loopText(e: Emitter, insn: Insn): string {
  const n = e.name('n');
  const is32 = insn.addrMask === -1;
  const from = is32 ? e.reg(ECX) : e.word(ECX);
  e.line(`const ${n} = ${from} - 1 & ${insn.addrMask};`);
  e.line(is32 ? `${from} = ${n};` : e.setWord(ECX, n));
  return `${n} !== 0`;
}

/**
 * What an instruction does to the flags: `kills` sets all of them without having read one and can neither fault nor leave; `keeps`
 * leaves them alone, and nothing can happen either; `may-leave` does not read them, but the function may be left at it (of these
 * {@link setsAllFlags} says whether it sets all of them in the end).
 */
export function flagEffect(insn: Insn): 'kills' | 'keeps' | 'may-leave' | 'other' {
  const { op } = insn;
  if (op <= Op.Test32) {
    const operation = ALU_ORDER[Math.floor(op / 3)];
    return operation === ALU_ADC || operation === ALU_SBB ? 'other' : 'kills';
  }
  if (op <= Op.Mov32 || op === Op.Lea16 || op === Op.Lea32 || op === Op.Nop || op === Op.MovzxReg8)
    return 'keeps';
  if (op >= Op.Shl32 && op <= Op.Sar32) {
    return insn.src === REG8_ZERO && (insn.imm & 31) !== 0 ? 'kills' : 'other';
  }
  if (op >= Op.AluLoad8 && op <= Op.AluStore32)
    return insn.sub === ALU_ADC || insn.sub === ALU_SBB ? 'other' : 'may-leave';
  const isAccess = op >= Op.Load8 && op <= Op.Store32;
  const isStack = op >= Op.Push16 && op <= Op.Pop32;
  return isAccess || isStack || op === Op.MovzxLoad8 || op === Op.PortIo ? 'may-leave' : 'other';
}

/** Whether an instruction that may leave sets all flags when it does not. */
export function setsAllFlags(insn: Insn): boolean {
  return insn.op >= Op.AluLoad8 && insn.op <= Op.AluStore32;
}

/** Writes the text of an instruction that is no jump. */
export function template(e: Emitter, insn: Insn, place: Place, stackAttr: number): void {
  const { op } = insn;
  const is32 = (stackAttr & AR_DB) !== 0;
  if (op <= Op.Test32) alu(e, insn);
  else if (op <= Op.Mov32) e.write(insn.dst, SIZES[op - Op.Mov8], e.source(insn, SIZES[op - Op.Mov8]));
  else if (op <= Op.Inc32) {
    const size = SIZES[op - Op.Inc8];
    e.write(insn.dst, size, incDecText(e, e.read(insn.dst, size), 1, size));
  } else if (op <= Op.Dec32) {
    const size = SIZES[op - Op.Dec8];
    e.write(insn.dst, size, incDecText(e, e.read(insn.dst, size), -1, size));
  } else if (op <= Op.Load32) {
    const size = SIZES[op - Op.Load8];
    e.write(insn.dst, size, load(e, operandOf(e, insn), size, place));
  } else if (op <= Op.Store32) {
    const size = SIZES[op - Op.Store8];
    const v = e.name('v');
    e.line(`const ${v} = ${e.source(insn, size)};`);
    store(e, operandOf(e, insn), size, v, place);
  } else if (op <= Op.AluLoad32) aluLoad(e, insn, place);
  else if (op <= Op.AluStore32) aluStore(e, insn, place);
  else if (op === Op.Lea16) e.write(insn.dst, 2, e.address(insn));
  else if (op === Op.Lea32) e.write(insn.dst, 4, e.address(insn));
  else if (op === Op.Push16) pushText(e, 2, e.read(insn.dst, 2), is32, place);
  else if (op === Op.Push32) pushText(e, 4, e.read(insn.dst, 4), is32, place);
  else if (op === Op.Pop16 || op === Op.Pop32) {
    const size = op === Op.Pop16 ? 2 : 4;
    const { value, move } = popText(e, size, is32, place);
    e.line(move);
    e.write(insn.dst, size, value);
  } else if (op >= Op.Shl32 && op <= Op.Sar32) shift32(e, insn);
  else if (op === Op.MovzxLoad8) {
    e.write(insn.dst, insn.size, load(e, operandOf(e, insn), 1, place));
  } else if (op === Op.MovzxReg8) e.write(insn.dst, insn.size, e.read(insn.src, 1));
  else if (op === Op.PortIo) portIo(e, insn, place);
}
