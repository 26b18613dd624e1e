/** Operands of cold operations: register or memory, any size. */
import { FORM_REG, type Insn } from '../decoder/insn.ts';
import { effectiveAddress, loadForUpdate, loadSized, storeSized } from './access.ts';
import type { Cpu } from './cpu.ts';

/** Reads a register by its index for `size`; 32-bit values as int32. */
export function readReg(cpu: Cpu, reg: number, size: number): number {
  return size === 4 ? cpu.gpr[reg] : size === 2 ? cpu.r16[reg] : cpu.r8[reg];
}

/** Writes a register by its index for `size`; leaves the rest of it alone. */
export function writeReg(cpu: Cpu, reg: number, size: number, value: number): void {
  if (size === 4) cpu.gpr[reg] = value;
  else if (size === 2) cpu.r16[reg] = value;
  else cpu.r8[reg] = value;
}

/** Reads the first operand (register or memory). 0 with `cpu.fault` set on a fault. */
export function readDst(cpu: Cpu, insn: Insn, size: number): number {
  if (insn.form === FORM_REG) return readReg(cpu, insn.dst, size);
  return loadSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), size);
}

/** Reads the first operand of an instruction that is going to write it. */
export function readDstForUpdate(cpu: Cpu, insn: Insn, size: number): number {
  if (insn.form === FORM_REG) return readReg(cpu, insn.dst, size);
  return loadForUpdate(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), size);
}

/** Writes the first operand. */
export function writeDst(cpu: Cpu, insn: Insn, size: number, value: number): void {
  if (insn.form === FORM_REG) writeReg(cpu, insn.dst, size, value);
  else storeSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), size, value);
}

/** Reads the second operand (register or memory). */
export function readSrc(cpu: Cpu, insn: Insn, size: number): number {
  if (insn.form === FORM_REG) return readReg(cpu, insn.src, size);
  return loadSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), size);
}
