/**
 * Loads and stores as text: the bound check and the TLB look-up of cpu/access.ts inline, its functions for everything else.
 */

import { PAGE_MASK, PAGE_SIZE } from '../cpu/memory.ts';
import { TLB_DELTA, TLB_READ_MASK, TLB_VALID, TLB_WRITE_MASK } from '../cpu/tlb.ts';
import { type Insn, SEG_SS } from '../decoder/insn.ts';
import { type Emitter, FORGET_PAGES, NO_PAGE } from './emitter.ts';

const log2 = (size: number): number => (size === 4 ? 2 : size - 1);

/** The text that leaves the function from the middle of a block. */
export interface Leave {
  /** The instruction has faulted: `cpu.fault` is set. */
  readonly fault: string;
  /** Behind the instruction. */
  readonly after: string;
}

/** Where an access goes: offset `off` (text without effects) of a segment, unsigned never above `max`. */
export interface Operand {
  readonly seg: number;
  readonly off: string;
  readonly max: number;
}

/** The memory operand of an instruction. */
export function operandOf(e: Emitter, insn: Insn): Operand {
  return { seg: insn.seg, off: e.address(insn), max: insn.addrMask >>> 0 };
}

/** The top of the stack, at `off`. */
export function stackOperand(off: string, is32: boolean): Operand {
  return { seg: SEG_SS, off, max: is32 ? 0xffff_ffff : 0xffff };
}

/** Condition, with `&&` behind it, under which the offset is within the segment; nothing where that is known. */
function withinText(e: Emitter, { seg, max }: Operand, o: string, size: number, isWrite: boolean): string {
  const index = (seg << 3) | (isWrite ? 4 : 0) | log2(size);
  return e.isWithinBound(seg, index, size, max) ? '' : `(${o} ^ -2147483648) < ${e.bound(index)} && `;
}

/** Condition under which the TLB says that the access is plain; sets `l` (linear) and `t` (TLB entry). */
function tlbText(linear: string, size: number, isWrite: boolean, l: string, t: string): string {
  const mask = isWrite ? TLB_WRITE_MASK : TLB_READ_MASK;
  const crosses = size === 1 ? '' : ` && (${l} & ${PAGE_MASK}) <= ${PAGE_SIZE - size}`;
  return `((${t} = tlb[(${l} = ${linear}) >>> 12]) & ${mask}) === ${TLB_VALID}${crosses}`;
}

function loadText(size: number, at: string): string {
  if (size === 1) return `ram[${at}]`;
  return size === 2 ? `view.getUint16(${at}, true)` : `view.getInt32(${at}, true)`;
}

function storeText(size: number, at: string, value: string): string {
  if (size === 1) return `ram[${at}] = ${value};`;
  return size === 2 ? `view.setUint16(${at}, ${value}, true);` : `view.setInt32(${at}, ${value}, true);`;
}

/** Text of an access at a physical address. */
type Access = (at: string) => string;

/**
 * `if … else`: the access where it is plain, the text that follows where it is not.
 *
 * In a loop each access remembers its page, until somebody is called: nothing can change where that leads, and the TLB need not be
 * asked. Only pages whose linear address is their physical one are remembered. An access that is not aligned is not found there; an
 * aligned one does not cross a page.
 */
function accessText(
  e: Emitter,
  to: Operand,
  o: string,
  size: number,
  isWrite: boolean,
  access: Access,
): string {
  const l = e.name('l');
  const t = e.name('t');
  e.line(`let ${l} = 0, ${t} = 0;`);
  const base = e.segment(to.seg);
  const linear = base === '0' ? o : `${base} + ${o} | 0`;
  const within = withinText(e, to, o, size, isWrite);
  const check = within + tlbText(linear, size, isWrite, l, t);
  const throughTlb = access(`${l} + (${t} & ${TLB_DELTA}) >>> 0`);
  const page = e.pageMemo();
  if (page === null) return `if (${check}) { ${throughTlb} }`;
  const remember = `${page} = ${l} & ${-PAGE_SIZE} | ((${t} & ${TLB_DELTA}) === 0 ? 0 : ${NO_PAGE});`;
  const isThere = `((${l} = ${linear}) & ${-PAGE_SIZE | (size - 1)}) === ${page}`;
  return `if (${within}${isThere}) { ${access(`${l} >>> 0`)} } else if (${check}) { ${throughTlb} ${remember} }`;
}

/** Loads `size` bytes. @returns the name of the value: zero-extended, or int32. */
export function load(e: Emitter, from: Operand, size: number, leave: Leave): string {
  const v = e.name('v');
  const o = e.name('o_');
  e.line(`let ${v}; const ${o} = ${from.off};`);
  e.line(accessText(e, from, o, size, false, (at) => `${v} = ${loadText(size, at)};`));
  e.line(
    `else { ${v} = load${size * 8}(cpu, ${from.seg}, ${o}); ${FORGET_PAGES} if (cpu.fault !== 0) { ${leave.fault} } }`,
  );
  return v;
}

/** Stores `value`. */
export function store(e: Emitter, to: Operand, size: number, value: string, leave: Leave): void {
  const o = e.name('o_');
  e.line(`const ${o} = ${to.off};`);
  e.line(accessText(e, to, o, size, true, (at) => storeText(size, at, value)));
  e.line(
    `else { store${size * 8}(cpu, ${to.seg}, ${o}, ${value}); ${FORGET_PAGES} if (cpu.fault !== 0) { ${leave.fault} } if (code.isDead) { ${leave.after} } }`,
  );
}

/** A value that is loaded, changed by `change` (which writes flags) and stored; `slow` does all of it by call. */
export function update(
  e: Emitter,
  to: Operand,
  size: number,
  change: (value: string) => string,
  slow: (off: string) => string,
  leave: Leave,
): void {
  const o = e.name('o_');
  const at = e.name('at');
  const v = e.name('v');
  e.line(`let ${at} = -1; const ${o} = ${to.off};`);
  e.line(accessText(e, to, o, size, true, (text) => `${at} = ${text};`));
  e.line(`if (${at} >= 0) {`);
  e.line(`const ${v} = ${loadText(size, at)};`);
  const r = change(v);
  e.line(storeText(size, at, r));
  e.line(
    `} else { ${slow(o)} ${FORGET_PAGES} if (cpu.fault !== 0) { ${leave.fault} } if (code.isDead) { ${leave.after} } }`,
  );
}
