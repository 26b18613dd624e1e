/**
 * Loads and stores as text: the bound check and the TLB look-up of cpu/access.ts inline, its functions for everything else.
 */

import { PAGE_MASK, PAGE_SIZE } from '../cpu/memory.ts';
import { TLB_DELTA, TLB_READ_MASK, TLB_VALID, TLB_WRITE_MASK } from '../cpu/tlb.ts';
import type { Insn } from '../decoder/insn.ts';
import { type Emitter, FORGET_PAGES, NO_PAGE } from './emitter.ts';

const log2 = (size: number): number => (size === 4 ? 2 : size - 1);

/** The text that leaves the function from the middle of a block. */
export interface Leave {
  /** The instruction has faulted: `cpu.fault` is set. */
  readonly fault: string;
  /** Behind the instruction. */
  readonly after: string;
}

/** `if` condition under which the access is plain; declares `<l>` (linear) and `<e>` (TLB entry). */
function plain(
  e: Emitter,
  seg: number,
  off: string,
  size: number,
  isWrite: boolean,
  l: string,
  t: string,
  max: number,
): string {
  const index = (seg << 3) | (isWrite ? 4 : 0) | log2(size);
  const within = e.isWithinBound(seg, index, size, max)
    ? ''
    : `(${off} ^ -2147483648) < ${e.bound(index)} && `;
  const mask = isWrite ? TLB_WRITE_MASK : TLB_READ_MASK;
  const crosses = size === 1 ? '' : ` && (${l} & ${PAGE_MASK}) <= ${PAGE_SIZE - size}`;
  e.usesMemory = true;
  return `${within}((${t} = tlb[(${l} = ${linear(e.segment(seg), off)}) >>> 12]) & ${mask}) === ${TLB_VALID}${crosses}`;
}

/** The linear address of an offset. */
function linear(base: string, off: string): string {
  return base === '0' ? off : `${base} + ${off} | 0`;
}

/** The largest offset, unsigned, that an address of this size can be. */
export function largestOffset(addrMask: number): number {
  return addrMask >>> 0;
}

function physical(l: string, t: string): string {
  return `${l} + (${t} & ${TLB_DELTA}) >>> 0`;
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
  seg: number,
  size: number,
  isWrite: boolean,
  max: number,
  o: string,
  access: Access,
): string {
  const l = e.name('l');
  const t = e.name('t');
  e.line(`let ${l} = 0, ${t} = 0;`);
  const check = plain(e, seg, o, size, isWrite, l, t, max);
  const throughTlb = access(physical(l, t));
  const page = e.pageMemo();
  if (page === null) return `if (${check}) { ${throughTlb} }`;
  const remember = `${page} = ${l} & ${-PAGE_SIZE} | ((${t} & ${TLB_DELTA}) === 0 ? 0 : ${NO_PAGE});`;
  const within = check.slice(0, check.indexOf('(('));
  const isThere = `((${l} = ${linear(e.segment(seg), o)}) & ${-PAGE_SIZE | (size - 1)}) === ${page}`;
  return `if (${within}${isThere}) { ${access(`${l} >>> 0`)} } else if (${check}) { ${throughTlb} ${remember} }`;
}

/** Loads `size` bytes at offset `off` (text without effects, at most `max`). @returns the name of the value: zero-extended, or int32. */
export function load(e: Emitter, seg: number, off: string, max: number, size: number, leave: Leave): string {
  const v = e.name('v');
  const o = e.name('o_');
  e.line(`let ${v}; const ${o} = ${off};`);
  e.line(accessText(e, seg, size, false, max, o, (at) => `${v} = ${loadText(size, at)};`));
  e.line(
    `else { ${v} = load${size * 8}(cpu, ${seg}, ${o}); ${FORGET_PAGES} if (cpu.fault !== 0) { ${leave.fault} } }`,
  );
  return v;
}

/** Stores `value`. */
export function store(
  e: Emitter,
  seg: number,
  off: string,
  max: number,
  size: number,
  value: string,
  leave: Leave,
): void {
  const o = e.name('o_');
  e.line(`const ${o} = ${off};`);
  e.line(accessText(e, seg, size, true, max, o, (at) => storeText(size, at, value)));
  e.line(
    `else { store${size * 8}(cpu, ${seg}, ${o}, ${value}); ${FORGET_PAGES} if (cpu.fault !== 0) { ${leave.fault} } if (code.isDead) { ${leave.after} } }`,
  );
}

/** A value that is loaded, changed by `change` (which writes flags) and stored; `slow` does all of it by call. */
export function update(
  e: Emitter,
  insn: Insn,
  size: number,
  change: (value: string) => string,
  slow: (off: string) => string,
  leave: Leave,
): void {
  const o = e.name('o_');
  const at = e.name('at');
  const v = e.name('v');
  e.line(`let ${at} = -1; const ${o} = ${e.address(insn)};`);
  e.line(accessText(e, insn.seg, size, true, largestOffset(insn.addrMask), o, (text) => `${at} = ${text};`));
  e.line(`if (${at} >= 0) {`);
  e.line(`const ${v} = ${loadText(size, at)};`);
  const r = change(v);
  e.line(storeText(size, at, r));
  e.line(
    `} else { ${slow(o)} ${FORGET_PAGES} if (cpu.fault !== 0) { ${leave.fault} } if (code.isDead) { ${leave.after} } }`,
  );
}
