/**
 * Questions about selectors, without loading them: LAR LSL VERR VERW ARPL. Protected mode only.
 *
 * Intel SDM vol. 3A, “Pointer Validation”; vol. 2 for the pseudo-code.
 */
import { FORM_REG, type Insn } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { effectiveAddress, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  Descriptor,
  dplOf,
  isConforming,
  isNull,
  isReadable,
  isWritableData,
  readDescriptor,
  rplOf,
  systemType,
} from './descriptor.ts';
import { setZf } from './flags.ts';
import { readDst, readSrc, writeReg } from './operand.ts';
import { cpl } from './privilege.ts';
import { COLD_NEXT } from './status.ts';

const d = new Descriptor();

/** System types with a limit: TSSs and LDT, by bit. */
const LSL_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 11);
/** LAR knows call and task gates besides. */
const LAR_TYPES = LSL_TYPES | (1 << 4) | (1 << 5) | (1 << 12);
/** What LAR shows of the high doubleword. */
const LAR_MASK = 0x00ffff00;

/** Whether level and RPL may see the descriptor. */
function isVisible(cpu: Cpu, selector: number): boolean {
  const dpl = dplOf(d.attr);
  return isConforming(d.attr) || (cpl(cpu) <= dpl && rplOf(selector) <= dpl);
}

/** Reads the descriptor of `selector` into {@link d}. @returns false where there is none to see; or on a fault. */
function look(cpu: Cpu, selector: number): boolean {
  return !isNull(selector) && readDescriptor(cpu, selector, d) && isVisible(cpu, selector);
}

/**
 *     IF selector is null, beyond its table, of a type that the instruction does not know,
 *       or (not conforming code and (CPL > DPL or RPL > DPL)) THEN ZF ← 0
 *     ELSE ZF ← 1; LAR: DEST ← access rights; LSL: DEST ← limit in bytes
 */
export function larLsl(cpu: Cpu, insn: Insn): number {
  const isLar = insn.op === Op.Lar;
  const selector = readSrc(cpu, insn, 2);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const seen = look(cpu, selector);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const type = systemType(d.attr);
  const known = type >= 16 || ((isLar ? LAR_TYPES : LSL_TYPES) & (1 << type)) !== 0;
  const good = seen && known;
  setZf(cpu.lazy, good ? 1 : 0);
  if (good) writeReg(cpu, insn.dst, insn.size, isLar ? d.high & LAR_MASK : d.limit | 0);
  return COLD_NEXT;
}

/** ZF ← the segment can be read (VERR) or written (VERW) at this level. */
export function verrVerw(cpu: Cpu, insn: Insn): number {
  const selector = readDst(cpu, insn, 2);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const seen = look(cpu, selector);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const allowed = seen && (insn.op === Op.Verr ? isReadable(d.attr) : isWritableData(d.attr));
  setZf(cpu.lazy, allowed ? 1 : 0);
  return COLD_NEXT;
}

/** IF DEST[RPL] < SRC[RPL] THEN ZF ← 1; DEST[RPL] ← SRC[RPL] ELSE ZF ← 0 */
export function arpl(cpu: Cpu, insn: Insn): number {
  const dest = readDst(cpu, insn, 2);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const rpl = cpu.r16[insn.src] & 3;
  const lower = rplOf(dest) < rpl;
  if (lower) {
    const adjusted = (dest & ~3) | rpl;
    if (insn.form === FORM_REG) cpu.r16[insn.dst] = adjusted;
    else storeSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), 2, adjusted);
    if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  }
  setZf(cpu.lazy, lower ? 1 : 0);
  return COLD_NEXT;
}
