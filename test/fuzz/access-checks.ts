/**
 * The processor's checks of descriptors as plain predicates, written from the manual and sharing nothing with src/cpu: what
 * protection.test.ts holds the CPU to.
 *
 * Intel SDM vol. 3A, “Protection” (Limit Checking, Type Checking, Privilege Level Checking …); vol. 2, pseudo-code of MOV, LAR,
 * LSL, VERR, RET, IRET and INT n.
 */

/** A descriptor as its fields. */
export interface Fields {
  /** S and type, 0–31. */
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
  readonly base: number;
  /** The 20-bit field. */
  readonly limit: number;
  readonly granular: boolean;
  /** D/B */
  readonly big: boolean;
}

/** What a selector leads to: null, nothing (beyond its table), or a descriptor. */
export type Found = 'null' | 'beyond' | Fields;

/** An exception. */
export interface Refusal {
  readonly vector: number;
  readonly error: number;
}

const TS = 10;
const NP = 11;
const SS = 12;
const GP = 13;

const isSegment = (d: Fields): boolean => d.type >= 16;
const isCode = (d: Fields): boolean => d.type >= 24;
const isConforming = (d: Fields): boolean => isCode(d) && (d.type & 4) !== 0;
const isReadable = (d: Fields): boolean => isSegment(d) && (!isCode(d) || (d.type & 2) !== 0);
const isWritable = (d: Fields): boolean => isSegment(d) && !isCode(d) && (d.type & 2) !== 0;

/** Greatest offset, or with expand-down the greatest that is not allowed. */
export const limitInBytes = (d: Fields): number => (d.granular ? d.limit * 4096 + 4095 : d.limit);
const refusal = (vector: number, selector: number): Refusal => ({ vector, error: selector & 0xfffc });

/** The eight bytes, “Segment Descriptors”. */
export function bytesOf(d: Fields): number[] {
  const access = d.type | (d.dpl << 5) | (d.present ? 0x80 : 0);
  const high = (d.limit >>> 16) | (d.big ? 0x40 : 0) | (d.granular ? 0x80 : 0);
  return [
    d.limit & 0xff,
    (d.limit >>> 8) & 0xff,
    d.base & 0xff,
    (d.base >>> 8) & 0xff,
    (d.base >>> 16) & 0xff,
    access,
    high,
    (d.base >>> 24) & 0xff,
  ];
}

/** “Privilege Level Checking When Loading the SS Register”; `vector` is #TS where a TSS names the stack. */
export function checkStack(found: Found, selector: number, level: number, vector = GP): Refusal | null {
  if (found === 'null') return refusal(vector, 0);
  if (found === 'beyond') return refusal(vector, selector);
  if ((selector & 3) !== level || found.dpl !== level || !isWritable(found)) return refusal(vector, selector);
  return found.present ? null : refusal(SS, selector);
}

/** “Privilege Level Checking When Accessing Data Segments”. A null selector may be loaded. */
export function checkData(found: Found, selector: number, level: number): Refusal | null {
  if (found === 'null') return null;
  if (found === 'beyond' || !isReadable(found)) return refusal(GP, selector);
  const tooPrivileged = found.dpl < level || found.dpl < (selector & 3);
  if (!isConforming(found) && tooPrivileged) return refusal(GP, selector);
  return found.present ? null : refusal(NP, selector);
}

/** Whether LAR, LSL, VERR or VERW set ZF. */
export function isAnswered(
  what: 'lar' | 'lsl' | 'verr' | 'verw',
  found: Found,
  selector: number,
  level: number,
): boolean {
  if (found === 'null' || found === 'beyond') return false;
  if (!isConforming(found) && (level > found.dpl || (selector & 3) > found.dpl)) return false;
  if (what === 'verr') return isReadable(found);
  if (what === 'verw') return isWritable(found);
  // “Segment and Gate Types” of LAR; LSL knows those with a limit.
  const system = what === 'lar' ? [1, 2, 3, 4, 5, 9, 11, 12] : [1, 2, 3, 9, 11];
  return isSegment(found) || system.includes(found.type);
}

/** What a far RET or IRET pops. */
export interface ReturnTo {
  readonly cs: Found;
  readonly csSelector: number;
  readonly offset: number;
  readonly ss: Found;
  readonly ssSelector: number;
}

/** Pseudo-code of RET and IRET, protected mode, to the same or an outer level. */
export function checkReturn(to: ReturnTo, level: number): Refusal | null {
  const { cs, csSelector } = to;
  const rpl = csSelector & 3;
  if (cs === 'null') return refusal(GP, 0);
  if (cs === 'beyond' || !isCode(cs) || rpl < level) return refusal(GP, csSelector);
  if (isConforming(cs) ? cs.dpl > rpl : cs.dpl !== rpl) return refusal(GP, csSelector);
  if (!cs.present) return refusal(NP, csSelector);
  const stack = rpl > level ? checkStack(to.ss, to.ssSelector, rpl) : null;
  return stack ?? (to.offset > limitInBytes(cs) ? refusal(GP, 0) : null);
}

/** A data segment register that a return to an outer level makes null. */
export const isDropped = (d: Fields, level: number): boolean => !isConforming(d) && d.dpl < level;

/** The pushes that a gate makes on an inner stack. */
export interface Pushes {
  readonly esp: number;
  readonly count: number;
  readonly width: number;
}

/** “IF new stack does not have room … THEN #SS(SS)”: each slot within the stack segment. */
function checkRoom(stack: Found, selector: number, { esp, count, width }: Pushes): Refusal | null {
  if (typeof stack === 'string') return null;
  for (let i = 1; i <= count; i++) {
    const down = esp - i * width;
    const offset = stack.big ? down >>> 0 : down & 0xffff;
    if (!isAccessAllowed(stack, offset, width, true)) return refusal(SS, selector);
  }
  return null;
}

/** A gate of the IDT and what it names. */
export interface GateTo {
  readonly vector: number;
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
  readonly code: Found;
  readonly codeSelector: number;
  readonly offset: number;
  /** The inner stack that the TSS names for the level of `code`. */
  readonly stack: Found;
  readonly stackSelector: number;
  /** What goes onto it. */
  readonly pushes: Pushes;
}

/** The level that an interrupt through this gate runs at. */
export function levelBehind(code: Fields, level: number): number {
  return isConforming(code) ? level : code.dpl;
}

/** Pseudo-code of INT n, protected mode, interrupt and trap gates. */
export function checkInterrupt(gate: GateTo, level: number): Refusal | null {
  const idt = { vector: GP, error: gate.vector * 8 + 2 };
  if (![6, 7, 14, 15].includes(gate.type) || gate.dpl < level) return idt;
  if (!gate.present) return { ...idt, vector: NP };
  const { code, codeSelector } = gate;
  if (code === 'null') return refusal(GP, 0);
  if (code === 'beyond' || !isCode(code) || code.dpl > level) return refusal(GP, codeSelector);
  if (!code.present) return refusal(NP, codeSelector);
  const inner = levelBehind(code, level);
  const stack = inner < level ? checkStack(gate.stack, gate.stackSelector, inner, TS) : null;
  if (stack !== null) return stack;
  const room = inner < level ? checkRoom(gate.stack, gate.stackSelector, gate.pushes) : null;
  if (room !== null) return room;
  const offset = gate.type < 8 ? gate.offset & 0xffff : gate.offset;
  return offset > limitInBytes(code) ? refusal(GP, 0) : null;
}

/** “Limit Checking” and “Type Checking” of one access through a loaded segment register. */
export function isAccessAllowed(d: Fields, offset: number, size: number, isWrite: boolean): boolean {
  if (isWrite ? !isWritable(d) : !isReadable(d)) return false;
  const last = offset + size - 1;
  const limit = limitInBytes(d);
  // A limit of 4 GiB: an access that wraps “may or may not cause the indicated exceptions”; here, as on current processors, none.
  if (isCode(d) || (d.type & 4) === 0) return last <= limit || limit === 0xffff_ffff;
  return offset > limit && last <= (d.big ? 0xffff_ffff : 0xffff);
}

/** A far JMP or CALL to a code segment or through a call gate. */
export interface FarTo {
  readonly isCall: boolean;
  /** What the instruction names. */
  readonly named: Found;
  readonly selector: number;
  readonly offset: number;
  /** What a call gate names. */
  readonly target: Found;
  readonly targetSelector: number;
  /** The inner stack that the TSS names for the level of `target`. */
  readonly stack: Found;
  readonly stackSelector: number;
  /** What goes onto it. */
  readonly pushes: Pushes;
}

const isCallGate = (d: Fields): boolean => d.type === 4 || d.type === 12;

/** Pseudo-code of JMP and CALL, protected mode, without tasks. */
export function checkFar(to: FarTo, level: number): Refusal | null {
  const { named, selector } = to;
  if (named === 'null') return refusal(GP, 0);
  if (named === 'beyond') return refusal(GP, selector);
  if (isCode(named)) {
    const fits = isConforming(named) ? named.dpl <= level : named.dpl === level && (selector & 3) <= level;
    if (!fits) return refusal(GP, selector);
    if (!named.present) return refusal(NP, selector);
    return to.offset > limitInBytes(named) ? refusal(GP, 0) : null;
  }
  if (!isCallGate(named) || named.dpl < level || named.dpl < (selector & 3)) return refusal(GP, selector);
  if (!named.present) return refusal(NP, selector);
  const { target, targetSelector } = to;
  if (target === 'null') return refusal(GP, 0);
  if (target === 'beyond' || !isCode(target) || target.dpl > level) return refusal(GP, targetSelector);
  if (!to.isCall && !isConforming(target) && target.dpl !== level) return refusal(GP, targetSelector);
  if (!target.present) return refusal(NP, targetSelector);
  const inner = levelBehind(target, level);
  const stack = inner < level ? checkStack(to.stack, to.stackSelector, inner, TS) : null;
  if (stack !== null) return stack;
  const room = inner < level ? checkRoom(to.stack, to.stackSelector, to.pushes) : null;
  if (room !== null) return room;
  return to.offset > limitInBytes(target) ? refusal(GP, 0) : null;
}
