/**
 * Bit and byte operations: BT BTS BTR BTC BSF BSR POPCNT LZCNT TZCNT CRC32 SETcc.
 *
 * Intel SDM vol. 1, “Bit and Byte Instructions”.
 */
import { FORM_REG, type Insn } from '../decoder/insn.ts';
import { effectiveAddress, loadForUpdate, loadSized, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { getStatusFlags, setCf, setStatusFlags, setZf, signExtend, testCondition } from './flags.ts';
import { readReg, readSrc, writeDst, writeReg } from './operand.ts';
import { X86_EFLAGS_CF, X86_EFLAGS_ZF } from './registers.ts';
import { COLD_NEXT } from './status.ts';

/** `sub`: 0 BT, 1 BTS, 2 BTR, 3 BTC. */
function changeBit(sub: number, value: number, mask: number): number {
  return sub === 1 ? value | mask : sub === 2 ? value & ~mask : value ^ mask;
}

function bitOperation(cpu: Cpu, insn: Insn, ea: number, bit: number): number {
  const size = insn.size;
  let value: number;
  if (insn.form === FORM_REG) value = readReg(cpu, insn.dst, size);
  else if (insn.sub === 0) value = loadSized(cpu, insn.seg, ea, size);
  else value = loadForUpdate(cpu, insn.seg, ea, size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (insn.sub !== 0) {
    const changed = changeBit(insn.sub, value, 1 << bit);
    if (insn.form === FORM_REG) writeReg(cpu, insn.dst, size, changed);
    else storeSized(cpu, insn.seg, ea, size, changed);
    if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  }
  setCf(cpu.lazy, (value >>> bit) & 1);
  return COLD_NEXT;
}

/** Bit offset from the immediate, modulo the operand size. CF ← Bit(BitBase, BitOffset) */
export function btImm(cpu: Cpu, insn: Insn): number {
  return bitOperation(cpu, insn, effectiveAddress(cpu.gpr, insn), insn.imm & (insn.size * 8 - 1));
}

/** Bit offset from a register: with a memory operand the whole signed offset counts. */
export function btReg(cpu: Cpu, insn: Insn): number {
  const offset = signExtend(readReg(cpu, insn.src, insn.size), insn.size);
  const bits = insn.size * 8;
  const bit = offset & (bits - 1);
  const step = (offset >> (insn.size === 4 ? 5 : 4)) * insn.size;
  return bitOperation(cpu, insn, (effectiveAddress(cpu.gpr, insn) + step) & insn.addrMask, bit);
}

/** Zero-extends a value of `size` bytes. */
function zeroExtend(value: number, size: number): number {
  return size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
}

/** Number of trailing zeros of a non-zero value. */
function trailingZeros(value: number): number {
  return 31 - Math.clz32(value & -value);
}

/** IF SRC = 0 THEN ZF ← 1; DEST undefined (unchanged here, as processors do) ELSE ZF ← 0; DEST ← lowest set bit */
export function bsf(cpu: Cpu, insn: Insn): number {
  const src = zeroExtend(readSrc(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (src !== 0) writeReg(cpu, insn.dst, insn.size, trailingZeros(src));
  setZf(cpu.lazy, src === 0 ? 1 : 0);
  return COLD_NEXT;
}

/** As BSF, with the highest set bit. */
export function bsr(cpu: Cpu, insn: Insn): number {
  const src = zeroExtend(readSrc(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (src !== 0) writeReg(cpu, insn.dst, insn.size, 31 - Math.clz32(src));
  setZf(cpu.lazy, src === 0 ? 1 : 0);
  return COLD_NEXT;
}

/** DEST ← number of ones; ZF ← (SRC = 0); OF SF AF CF PF ← 0 */
export function popcnt(cpu: Cpu, insn: Insn): number {
  let src = zeroExtend(readSrc(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const zf = src === 0 ? X86_EFLAGS_ZF : 0;
  let ones = 0;
  for (; src !== 0; src &= src - 1) ones++;
  writeReg(cpu, insn.dst, insn.size, ones);
  setStatusFlags(cpu.lazy, zf);
  return COLD_NEXT;
}

/** CF ← (SRC = 0); ZF ← (DEST = 0); the other flags are undefined: left alone. */
function countFlags(cpu: Cpu, src: number, count: number): void {
  const flags = getStatusFlags(cpu.lazy) & ~(X86_EFLAGS_CF | X86_EFLAGS_ZF);
  setStatusFlags(cpu.lazy, flags | (src === 0 ? X86_EFLAGS_CF : 0) | (count === 0 ? X86_EFLAGS_ZF : 0));
}

/** DEST ← number of leading zeros. */
export function lzcnt(cpu: Cpu, insn: Insn): number {
  const src = zeroExtend(readSrc(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const count = Math.clz32(src) - (32 - insn.size * 8);
  writeReg(cpu, insn.dst, insn.size, count);
  countFlags(cpu, src, count);
  return COLD_NEXT;
}

/** DEST ← number of trailing zeros. */
export function tzcnt(cpu: Cpu, insn: Insn): number {
  const src = zeroExtend(readSrc(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const count = src === 0 ? insn.size * 8 : trailingZeros(src);
  writeReg(cpu, insn.dst, insn.size, count);
  countFlags(cpu, src, count);
  return COLD_NEXT;
}

/** CRC-32C polynomial 11EDC6F41H, bit-reversed. */
const CRC32C = 0x82f63b78 | 0;

/** DEST ← CRC-32C of DEST and SRC; no flags. */
export function crc32(cpu: Cpu, insn: Insn): number {
  const src = readSrc(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  let crc = cpu.gpr[insn.dst];
  for (let byte = 0; byte < insn.size; byte++) {
    crc ^= (src >>> (8 * byte)) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (CRC32C & -(crc & 1));
  }
  cpu.gpr[insn.dst] = crc;
  return COLD_NEXT;
}

/** IF condition THEN DEST ← 1 ELSE DEST ← 0 */
export function setcc(cpu: Cpu, insn: Insn): number {
  writeDst(cpu, insn, 1, testCondition(cpu.lazy, insn.sub) ? 1 : 0);
  return COLD_NEXT;
}
