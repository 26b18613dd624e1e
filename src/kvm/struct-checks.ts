/**
 * Whether what userspace handed in is the structure that an ioctl takes: every field there, and a value of its C type.
 * A kernel cannot be given anything else; here the answer to it is −EINVAL (−EFAULT for no structure at all).
 */
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import type { KvmSegment } from '../uapi/kvm.ts';
import { isStruct } from './ioctl-args.ts';

/** Names of one field each, for {@link hasIntegers}. */
export type FieldNames = readonly string[];

function isInteger(value: unknown, min: number, end: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value < end;
}

/** Whether every field named is an integer, min ≤ value < end. */
export function hasIntegers(struct: object, names: FieldNames, min: number, end: number): boolean {
  const fields = struct as Readonly<Record<string, unknown>>;
  for (const name of names) if (!isInteger(fields[name], min, end)) return false;
  return true;
}

/** Registers are 32 bits: unsigned, or int32 as the CPU keeps them. */
const REGISTER_MIN = -0x8000_0000;
const REGISTER_END = 0x1_0000_0000;
const U8_END = 0x100;
const U16_END = 0x1_0000;
const U32_END = 0x1_0000_0000;

const REGS: FieldNames = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'esp', 'ebp', 'eip', 'eflags'];
const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const;
const SEGMENT_REGISTERS: FieldNames = ['base', 'limit'];
const SEGMENT_BYTES: FieldNames = ['type', 'present', 'dpl', 'db', 's', 'l', 'g', 'avl', 'unusable'];
const TABLES = ['gdt', 'idt'] as const;
const CONTROL: FieldNames = ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apic_base'];
const PIC: FieldNames = [
  'last_irr',
  'irr',
  'imr',
  'isr',
  'priority_add',
  'irq_base',
  'read_reg_select',
  'poll',
  'special_mask',
  'init_state',
  'auto_eoi',
  'rotate_on_auto_eoi',
  'special_fully_nested_mode',
  'init4',
  'elcr',
  'elcr_mask',
];
const PIT_CHANNEL_BYTES: FieldNames = [
  'count_latched',
  'status_latched',
  'status',
  'read_state',
  'write_state',
  'write_latch',
  'rw_mode',
  'mode',
  'bcd',
  'gate',
];
const IOAPIC: FieldNames = ['base_address', 'ioregsel', 'id', 'irr'];

/** `struct kvm_regs`. @returns 0, −EFAULT or −EINVAL. */
export function checkRegs(regs: unknown): number {
  if (!isStruct(regs)) return -EFAULT;
  return hasIntegers(regs as object, REGS, REGISTER_MIN, REGISTER_END) ? 0 : -EINVAL;
}

function isSegment(segment: unknown): segment is KvmSegment {
  if (!isStruct(segment)) return false;
  const fields = segment as object;
  return (
    hasIntegers(fields, SEGMENT_REGISTERS, REGISTER_MIN, REGISTER_END) &&
    hasIntegers(fields, ['selector'], 0, U16_END) &&
    hasIntegers(fields, SEGMENT_BYTES, 0, U8_END)
  );
}

/** `struct kvm_sregs`. @returns 0, −EFAULT or −EINVAL. */
export function checkSregs(sregs: unknown): number {
  if (!isStruct(sregs)) return -EFAULT;
  const fields = sregs as Readonly<Record<string, unknown>>;
  for (const name of SEGMENTS) if (!isSegment(fields[name])) return -EINVAL;
  for (const name of TABLES) {
    const table = fields[name];
    if (!isStruct(table)) return -EINVAL;
    if (!hasIntegers(table as object, ['base'], REGISTER_MIN, REGISTER_END)) return -EINVAL;
    if (!hasIntegers(table as object, ['limit'], 0, U16_END)) return -EINVAL;
  }
  if (!hasIntegers(fields, CONTROL, REGISTER_MIN, REGISTER_END)) return -EINVAL;
  const bitmap = fields.interrupt_bitmap;
  if (!Array.isArray(bitmap) || bitmap.length !== 8) return -EINVAL;
  return bitmap.every((word) => isInteger(word, REGISTER_MIN, REGISTER_END)) ? 0 : -EINVAL;
}

/** `struct kvm_pic_state`. */
export function isPicState(state: object): boolean {
  return hasIntegers(state, PIC, 0, U8_END);
}

/** `struct kvm_ioapic_state`. */
export function isIoapicState(state: object, pins: number): boolean {
  if (!hasIntegers(state, IOAPIC, 0, U32_END)) return false;
  const { redirtbl } = state as { redirtbl?: unknown };
  if (!Array.isArray(redirtbl) || redirtbl.length !== pins) return false;
  return redirtbl.every((entry) => isStruct(entry) && hasIntegers(entry, ['low', 'high'], 0, U32_END));
}

function isPitChannel(channel: unknown): boolean {
  if (!isStruct(channel)) return false;
  const fields = channel as object;
  return (
    hasIntegers(fields, ['count'], 0, U32_END) &&
    hasIntegers(fields, ['latched_count'], 0, U16_END) &&
    hasIntegers(fields, PIT_CHANNEL_BYTES, 0, U8_END) &&
    hasIntegers(fields, ['count_load_time'], Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  );
}

/** `struct kvm_pit_state2`. */
export function isPitState(state: object): boolean {
  const { channels } = state as { channels?: unknown };
  if (!hasIntegers(state, ['flags'], 0, U32_END)) return false;
  return Array.isArray(channels) && channels.length === 3 && channels.every(isPitChannel);
}
