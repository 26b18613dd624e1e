/**
 * Segment descriptors in the GDT and LDT.
 *
 * Intel SDM vol. 3A, “Segment Descriptors”, “Segment Selectors”.
 */
import { SEG_LDTR } from '../decoder/insn.ts';
import { readSystem } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { AR_G, AR_P, AR_UNUSABLE } from './registers.ts';

/** Selector bits: table indicator, and the mask of index and indicator. */
const SELECTOR_TI = 4;
export const SELECTOR_MASK = 0xfffc;
const SELECTOR_INDEX = 0xfff8;

/** The last descriptor that {@link readDescriptor} found. */
export const descriptor = { base: 0, limit: 0, attr: 0 };

/** Reads the descriptor of `selector` into {@link descriptor}. @returns false when it lies beyond its table or faults. */
export function readDescriptor(cpu: Cpu, selector: number): boolean {
  const isLocal = (selector & SELECTOR_TI) !== 0;
  if (isLocal && (cpu.segAttr[SEG_LDTR] & (AR_P | AR_UNUSABLE)) !== AR_P) return false;
  const offset = selector & SELECTOR_INDEX;
  if (offset + 7 > (isLocal ? cpu.segLimit[SEG_LDTR] : cpu.gdtLimit)) return false;
  const at = ((isLocal ? cpu.segBase[SEG_LDTR] : cpu.gdtBase) + offset) | 0;
  const low = readSystem(cpu, at, 4);
  const high = readSystem(cpu, (at + 4) | 0, 4);
  if (cpu.fault !== FAULT_NONE) return false;
  descriptor.base = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000) | 0;
  descriptor.attr = (high >>> 8) & 0xf0ff;
  const limit = (low & 0xffff) | (high & 0xf0000);
  descriptor.limit = (descriptor.attr & AR_G) !== 0 ? limit * 0x1000 + 0xfff : limit;
  return true;
}
