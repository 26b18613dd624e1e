/**
 * Integer arithmetic and logic with flags: the forms that have no case of their own in the hot switch.
 *
 * Intel SDM vol. 1, “Binary Arithmetic Instructions”, “Logical Instructions”.
 */
import type { Insn } from '../decoder/insn.ts';
import { ALU_ADC, ALU_ADD, ALU_AND, ALU_CMP, ALU_OR, ALU_SBB, ALU_TEST, ALU_XOR } from '../decoder/op.ts';
import { loadForUpdate, loadSized, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { getCf, LAZY_AUX, LAZY_RESULT, setFlagsAdd, setFlagsLogic, setFlagsSub } from './flags.ts';

/** a `operation` b, sets the status flags. @returns the result; bits above `size` are not cleaned. */
export function alu(lazy: Int32Array, operation: number, a: number, b: number, size: number): number {
  let r: number;
  switch (operation) {
    case ALU_ADD:
      r = (a + b) | 0;
      setFlagsAdd(lazy, a, b, r, size);
      return r;
    case ALU_ADC:
      r = (a + b + getCf(lazy)) | 0;
      setFlagsAdd(lazy, a, b, r, size);
      return r;
    case ALU_SBB:
      r = (a - b - getCf(lazy)) | 0;
      setFlagsSub(lazy, a, b, r, size);
      return r;
    case ALU_OR:
      r = a | b;
      setFlagsLogic(lazy, r, size);
      return r;
    case ALU_AND:
    case ALU_TEST:
      r = a & b;
      setFlagsLogic(lazy, r, size);
      return r;
    case ALU_XOR:
      r = a ^ b;
      setFlagsLogic(lazy, r, size);
      return r;
    default:
      // SUB and CMP
      r = (a - b) | 0;
      setFlagsSub(lazy, a, b, r, size);
      return r;
  }
}

/** Memory-destination form: loads, computes, stores. On a fault neither memory nor flags have changed. */
export function aluStore(cpu: Cpu, insn: Insn, ea: number, size: number, b: number): void {
  const isCompare = insn.sub >= ALU_CMP;
  const a = isCompare ? loadSized(cpu, insn.seg, ea, size) : loadForUpdate(cpu, insn.seg, ea, size);
  if (cpu.fault !== FAULT_NONE) return;
  const lazy = cpu.lazy;
  const result = lazy[LAZY_RESULT];
  const aux = lazy[LAZY_AUX];
  const r = alu(lazy, insn.sub, a, b, size);
  if (isCompare) return;
  storeSized(cpu, insn.seg, ea, size, r);
  if (cpu.fault !== FAULT_NONE) {
    lazy[LAZY_RESULT] = result;
    lazy[LAZY_AUX] = aux;
  }
}
