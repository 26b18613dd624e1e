/**
 * x87 escapes and WAIT on a machine without an FPU. This folder is the room of the x87: its registers, its instructions (a
 * family a file, as in the folder above) and its exceptions belong here when they come.
 *
 * Intel SDM vol. 3A, “Device Not Available Exception (#NM)”, “Control Registers” (EM, MP, TS). Without #NM nothing happens
 * but the check of the memory operand's address.
 */
import { FORM_REG, type Insn } from '../../decoder/insn.ts';
import { checkSegment, effectiveAddress, raise } from '../access.ts';
import type { Cpu } from '../cpu.ts';
import { NM_VECTOR, X86_CR0_EM, X86_CR0_MP, X86_CR0_TS } from '../registers.ts';
import { COLD_NEXT } from '../status.ts';

/** IF CR0.EM = 1 or CR0.TS = 1 THEN #NM */
export function esc(cpu: Cpu, insn: Insn): number {
  if ((cpu.cr0 & (X86_CR0_EM | X86_CR0_TS)) !== 0) {
    raise(cpu, NM_VECTOR, 0);
    return COLD_NEXT;
  }
  if (insn.form !== FORM_REG) checkSegment(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), insn.size, false);
  return COLD_NEXT;
}

/** IF CR0.MP = 1 and CR0.TS = 1 THEN #NM */
export function wait(cpu: Cpu, _insn: Insn): number {
  const both = X86_CR0_MP | X86_CR0_TS;
  if ((cpu.cr0 & both) === both) raise(cpu, NM_VECTOR, 0);
  return COLD_NEXT;
}
