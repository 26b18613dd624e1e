/**
 * Data transfer: segment registers, XCHG, MOVZX, MOVSX, CMOVcc, BSWAP, XADD, CMPXCHG, CMPXCHG8B, MOVBE, conversions, XLAT,
 * LDS…LGS. (Stack forms are in stack-transfer.ts.)
 *
 * Intel SDM vol. 1, “Data Transfer Instructions”.
 */
import { FORM_MEM_DST, FORM_REG, type Insn, SEG_SS } from '../decoder/insn.ts';
import {
  effectiveAddress,
  load8,
  load16,
  loadForUpdate,
  loadSized,
  probeStore,
  store32,
  storeSized,
} from './access.ts';
import { type Cpu, FAULT_NONE, KVM_X86_SHADOW_INT_MOV_SS } from './cpu.ts';
import { setFlagsAdd, setFlagsSub, setZf, signExtend, testCondition } from './flags.ts';
import { readDstForUpdate, readReg, readSrc, writeDst, writeReg } from './operand.ts';
import { AL, AX, DX, EAX, EBX, ECX, EDX } from './registers.ts';
import { loadSegment } from './segments.ts';
import { COLD_NEXT } from './status.ts';

/**
 * MOV and POP to a segment register: to SS they hold interrupts and traps back for one instruction (LSS does not).
 *
 * @returns false with a fault raised and nothing loaded.
 */
export function loadSegmentShadowed(cpu: Cpu, seg: number, selector: number): boolean {
  if (!loadSegment(cpu, seg, selector)) return false;
  if (seg === SEG_SS) {
    cpu.interruptShadow = KVM_X86_SHADOW_INT_MOV_SS;
    cpu.attention = 1;
  }
  return true;
}

/** A memory destination is always 16 bits; a 32-bit register gets zeros above. */
export function movFromSreg(cpu: Cpu, insn: Insn): number {
  const selector = cpu.segSelector[insn.src];
  if (insn.form === FORM_REG) writeReg(cpu, insn.dst, insn.size, selector);
  else storeSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), 2, selector);
  return COLD_NEXT;
}

/** Sreg ← SRC[15:0] */
export function movToSreg(cpu: Cpu, insn: Insn): number {
  const selector =
    insn.form === FORM_REG ? cpu.r16[insn.src] : load16(cpu, insn.seg, effectiveAddress(cpu.gpr, insn));
  if (cpu.fault === FAULT_NONE) loadSegmentShadowed(cpu, insn.dst, selector);
  return COLD_NEXT;
}

/** TEMP ← DEST; DEST ← SRC; SRC ← TEMP */
export function xchg(cpu: Cpu, insn: Insn): number {
  const a = readDstForUpdate(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  writeDst(cpu, insn, insn.size, readReg(cpu, insn.src, insn.size));
  if (cpu.fault === FAULT_NONE) writeReg(cpu, insn.src, insn.size, a);
  return COLD_NEXT;
}

/** `imm2`: size of the source. */
export function movzx(cpu: Cpu, insn: Insn): number {
  const v = readSrc(cpu, insn, insn.imm2);
  if (cpu.fault === FAULT_NONE) writeReg(cpu, insn.dst, insn.size, v);
  return COLD_NEXT;
}

/** DEST ← SignExtend(SRC); `imm2`: size of the source. */
export function movsx(cpu: Cpu, insn: Insn): number {
  const v = readSrc(cpu, insn, insn.imm2);
  if (cpu.fault === FAULT_NONE) writeReg(cpu, insn.dst, insn.size, signExtend(v, insn.imm2));
  return COLD_NEXT;
}

/** TEMP ← SRC (read whatever the condition); IF condition THEN DEST ← TEMP */
export function cmov(cpu: Cpu, insn: Insn): number {
  const v = readSrc(cpu, insn, insn.size);
  if (cpu.fault === FAULT_NONE && testCondition(cpu.lazy, insn.sub)) writeReg(cpu, insn.dst, insn.size, v);
  return COLD_NEXT;
}

function swapBytes(v: number): number {
  return ((v & 0xff) << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);
}

/** With a 16-bit operand the result is undefined: 0, as Intel processors do. */
export function bswap(cpu: Cpu, insn: Insn): number {
  if (insn.size === 2) cpu.r16[insn.dst] = 0;
  else cpu.gpr[insn.dst] = swapBytes(cpu.gpr[insn.dst]);
  return COLD_NEXT;
}

/** TEMP ← SRC + DEST; SRC ← DEST; DEST ← TEMP */
export function xadd(cpu: Cpu, insn: Insn): number {
  const a = readDstForUpdate(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const b = readReg(cpu, insn.src, insn.size);
  const r = (a + b) | 0;
  if (insn.form === FORM_REG) writeReg(cpu, insn.src, insn.size, a);
  writeDst(cpu, insn, insn.size, r);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (insn.form !== FORM_REG) writeReg(cpu, insn.src, insn.size, a);
  setFlagsAdd(cpu.lazy, a, b, r, insn.size);
  return COLD_NEXT;
}

/** IF accumulator = DEST THEN ZF ← 1; DEST ← SRC ELSE ZF ← 0; accumulator ← DEST (DEST is written in both cases) */
export function cmpxchg(cpu: Cpu, insn: Insn): number {
  const size = insn.size;
  const dest = readDstForUpdate(cpu, insn, size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const acc = readReg(cpu, EAX, size);
  const equal = dest === acc;
  writeDst(cpu, insn, size, equal ? readReg(cpu, insn.src, size) : dest);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (!equal) writeReg(cpu, EAX, size, dest);
  setFlagsSub(cpu.lazy, acc, dest, (acc - dest) | 0, size);
  return COLD_NEXT;
}

/** IF EDX:EAX = DEST THEN ZF ← 1; DEST ← ECX:EBX ELSE ZF ← 0; EDX:EAX ← DEST */
export function cmpxchg8b(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const ea4 = (ea + 4) & insn.addrMask;
  const low = loadForUpdate(cpu, insn.seg, ea, 4);
  const high = loadForUpdate(cpu, insn.seg, ea4, 4);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (!probeStore(cpu, insn.seg, ea, 4) || !probeStore(cpu, insn.seg, ea4, 4)) return COLD_NEXT;
  const gpr = cpu.gpr;
  const equal = low === gpr[EAX] && high === gpr[EDX];
  store32(cpu, insn.seg, ea, equal ? gpr[EBX] : low);
  store32(cpu, insn.seg, ea4, equal ? gpr[ECX] : high);
  if (!equal) {
    gpr[EAX] = low;
    gpr[EDX] = high;
  }
  setZf(cpu.lazy, equal ? 1 : 0);
  return COLD_NEXT;
}

/** Move with the bytes in the other order; one operand is always memory. */
export function movbe(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const store = insn.form === FORM_MEM_DST;
  const v = store ? readReg(cpu, insn.src, insn.size) : loadSized(cpu, insn.seg, ea, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const swapped = insn.size === 4 ? swapBytes(v) : swapBytes(v) >>> 16;
  if (store) storeSized(cpu, insn.seg, ea, insn.size, swapped);
  else writeReg(cpu, insn.dst, insn.size, swapped);
  return COLD_NEXT;
}

/** AX ← SignExtend(AL) */
export function cbw(cpu: Cpu, _insn: Insn): number {
  cpu.r16[AX] = signExtend(cpu.r8[AL], 1);
  return COLD_NEXT;
}

/** EAX ← SignExtend(AX) */
export function cwde(cpu: Cpu, _insn: Insn): number {
  cpu.gpr[EAX] = signExtend(cpu.r16[AX], 2);
  return COLD_NEXT;
}

/** DX ← sign of AX */
export function cwd(cpu: Cpu, _insn: Insn): number {
  cpu.r16[DX] = signExtend(cpu.r16[AX], 2) >> 16;
  return COLD_NEXT;
}

/** EDX ← sign of EAX */
export function cdq(cpu: Cpu, _insn: Insn): number {
  cpu.gpr[EDX] = cpu.gpr[EAX] >> 31;
  return COLD_NEXT;
}

/** AL ← (DS:(E)BX + ZeroExtend(AL)) */
export function xlat(cpu: Cpu, insn: Insn): number {
  const v = load8(cpu, insn.seg, (cpu.gpr[EBX] + cpu.r8[AL]) & insn.addrMask);
  if (cpu.fault === FAULT_NONE) cpu.r8[AL] = v;
  return COLD_NEXT;
}

/** LDS LES LFS LGS LSS: `sub` is the segment register. Offset first, then the selector behind it. */
export function loadFarPointer(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const offset = loadSized(cpu, insn.seg, ea, insn.opSize);
  const selector = load16(cpu, insn.seg, (ea + insn.opSize) & insn.addrMask);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (loadSegment(cpu, insn.sub, selector)) writeReg(cpu, insn.dst, insn.opSize, offset);
  return COLD_NEXT;
}
