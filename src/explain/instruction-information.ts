/**
 * The VM-exit instruction information of INS and OUTS, field by field, in the words of the Intel SDM vol. 3C, “Format
 * of the VM-Exit Instruction-Information Field as Used for INS and OUTS”.
 */
import { SEG_NAMES } from '../cpu/registers.ts';
import type { Insn } from '../decoder/insn.ts';
import { INSTR_INFO_ADDR_SIZE_SHIFT, INSTR_INFO_SEGMENT_SHIFT } from '../uapi/vmx.ts';
import type { BitField } from './bit-field.ts';

/** Packs the information of a string instruction. The segment of INS is undefined: 0 here. */
export function instructionInformation(insn: Insn, isIn: boolean): number {
  const addressSize = insn.addrMask === -1 ? 1 : 0;
  return (addressSize << INSTR_INFO_ADDR_SIZE_SHIFT) | (isIn ? 0 : insn.seg << INSTR_INFO_SEGMENT_SHIFT);
}

/** Its fields. */
export function instructionInformationFields(insn: Insn, isIn: boolean): BitField[] {
  const addressSize = insn.addrMask === -1 ? 1 : 0;
  return [
    {
      bits: '9:7',
      field: 'Address size',
      value: addressSize,
      meaning: addressSize === 1 ? '32-bit' : '16-bit',
    },
    {
      bits: '17:15',
      field: 'Segment register',
      value: isIn ? 0 : insn.seg,
      meaning: isIn ? 'undefined for INS (always ES)' : (SEG_NAMES[insn.seg] ?? '').toUpperCase(),
    },
  ];
}
