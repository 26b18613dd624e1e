/**
 * Loads and stores as text: the bound check and the TLB look-up of cpu/access.ts inline, its functions for everything else.
 */

import { PAGE_MASK, PAGE_SIZE } from '../cpu/memory.ts';
import { TLB_DELTA, TLB_READ_MASK, TLB_VALID, TLB_WRITE_MASK } from '../cpu/tlb.ts';
import type { Insn } from '../decoder/insn.ts';
import type { Emitter } from './emitter.ts';

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

/** Loads `size` bytes at offset `off` (text without effects, at most `max`). @returns the name of the value: zero-extended, or int32. */
export function load(e: Emitter, seg: number, off: string, max: number, size: number, leave: Leave): string {
  const v = e.name('v');
  const o = e.name('o_');
  const l = e.name('l');
  const t = e.name('t');
  e.line(`let ${v}, ${l} = 0, ${t} = 0; const ${o} = ${off};`);
  e.line(`if (${plain(e, seg, o, size, false, l, t, max)}) ${v} = ${loadText(size, physical(l, t))};`);
  e.line(`else { ${v} = load${size * 8}(cpu, ${seg}, ${o}); if (cpu.fault !== 0) { ${leave.fault} } }`);
  return v;
}

/** Stores; `before` is what must be done between the check and the store, and undone by nobody. */
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
  const l = e.name('l');
  const t = e.name('t');
  e.line(`let ${l} = 0, ${t} = 0; const ${o} = ${off};`);
  e.line(`if (${plain(e, seg, o, size, true, l, t, max)}) ${storeText(size, physical(l, t), value)}`);
  e.line(
    `else { store${size * 8}(cpu, ${seg}, ${o}, ${value}); if (cpu.fault !== 0) { ${leave.fault} } if (code.isDead) { ${leave.after} } }`,
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
  const l = e.name('l');
  const t = e.name('t');
  const v = e.name('v');
  e.line(`let ${l} = 0, ${t} = 0; const ${o} = ${e.address(insn)};`);
  e.line(`if (${plain(e, insn.seg, o, size, true, l, t, largestOffset(insn.addrMask))}) {`);
  e.line(`const ${v} = ${loadText(size, physical(l, t))};`);
  const r = change(v);
  e.line(storeText(size, physical(l, t), r));
  e.line(`} else { ${slow(o)} if (cpu.fault !== 0) { ${leave.fault} } if (code.isDead) { ${leave.after} } }`);
}
