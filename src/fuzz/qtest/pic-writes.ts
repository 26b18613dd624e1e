/**
 * Commands to an 8259A that QEMU takes otherwise than KVM: which rule they meet, and the byte that QEMU gets.
 */
import type { KvmPicState } from '../../uapi/kvm.ts';
import type { QtestRule } from './rules.ts';

const ICW1 = 0x10;
const OCW3 = 0x08;
const SINGLE = 0x02;
const IC4 = 0x01;
const SPECIAL_MASK = 0x60;

/** Whether a byte for the command port begins an initialization. */
export function isIcw1(value: number): boolean {
  return (value & ICW1) !== 0;
}

/** @returns the rule that ends the case before the chip `s` gets a command, null for none. */
export function ruleOfCommand(s: KvmPicState, value: number): QtestRule | null {
  if (!isIcw1(value)) return null;
  const keepsMode = (value & IC4) !== 0 && (s.auto_eoi !== 0 || s.special_fully_nested_mode !== 0);
  if (s.isr !== 0 || s.rotate_on_auto_eoi !== 0 || s.poll !== 0 || keepsMode) return 'state kept';
  return (s.irr & s.elcr) !== 0 ? 'level request' : null;
}

/** @returns what QEMU gets in place of a command, and the rule for it. */
export function qemusCommand(value: number): { readonly value: number; readonly rule: QtestRule | null } {
  if (isIcw1(value)) return { value: value & ~SINGLE, rule: (value & SINGLE) !== 0 ? 'single mode' : null };
  if ((value & OCW3) === 0 || (value & SPECIAL_MASK) !== SPECIAL_MASK) return { value, rule: null };
  return { value: value & ~SPECIAL_MASK, rule: 'special mask' };
}
