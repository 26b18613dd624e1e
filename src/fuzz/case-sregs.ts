/**
 * Segments, tables and control registers of a string-io case, as KVM_SET_SREGS takes them: the same for pio86 and for a host's
 * KVM (Linux: Documentation/virt/kvm/api.rst, KVM_SET_SREGS).
 */

import type { KvmSegment, KvmSregs } from '../uapi/kvm.ts';
import { GDT_BASE, GDT_LIMIT, IDT_BASE, IDT_LIMIT, TSS_BASE } from './case-layout.ts';
import { pagingRegisters } from './case-paging.ts';
import { CASE_SEGMENTS, type CaseSegment, isProtected, type StringIoCase } from './string-io-case.ts';

const AR_READ_ONLY = 1;
const AR_DATA = 3;
const AR_CODE = 11;
const AR_TSS32_BUSY = 11;
const CR0_ET = 0x10;
const CR0_PE = 1;
const CR0_WP = 0x1_0000;
const CR0_PG = 0x8000_0000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const REAL_IDT_LIMIT = 0x3ff;
const TSS_SELECTOR = 0x18;
/** Above this limit it counts pages. */
const MAX_BYTE_LIMIT = 0xf_ffff;

/** Puts a case into the registers of a processor after power-on. */
export function setCaseSregs(sregs: KvmSregs, test: StringIoCase): void {
  for (const name of CASE_SEGMENTS) sregs[name] = segmentState(test, name, test.segments[name]);
  sregs.cr2 = 0;
  sregs.cr3 = 0;
  sregs.cr4 = 0;
  if (test.mode === 'real') {
    sregs.cr0 = CR0_ET;
    sregs.idt = { base: 0, limit: REAL_IDT_LIMIT };
    return;
  }
  sregs.cr0 = CR0_ET | CR0_PE;
  if (test.paging !== null) {
    const { isWriteProtected, isPae, hasPse, root } = pagingRegisters(test.paging);
    sregs.cr0 += CR0_PG + (isWriteProtected ? CR0_WP : 0);
    sregs.cr3 = root;
    sregs.cr4 = (isPae ? CR4_PAE : 0) | (hasPse ? CR4_PSE : 0);
  }
  sregs.idt = { base: IDT_BASE, limit: IDT_LIMIT };
  sregs.gdt = { base: GDT_BASE, limit: GDT_LIMIT };
  const { limit } = test.tss;
  sregs.tr = { ...sregs.tr, selector: TSS_SELECTOR, base: TSS_BASE, limit, type: AR_TSS32_BUSY, present: 1 };
}

function segmentState(test: StringIoCase, name: string, segment: CaseSegment): KvmSegment {
  const { selector, limit, access } = segment;
  const isCode = name === 'cs';
  const is32 = test.mode === 'prot32' && (isCode || name === 'ss');
  const type = isCode && test.mode !== 'v86' ? AR_CODE : access === 'ro' ? AR_READ_ONLY : AR_DATA;
  return {
    selector,
    base: selector * 16,
    limit,
    type,
    present: 1,
    dpl: isProtected(test.mode) || test.mode === 'v86' ? test.cpl : 0,
    db: is32 ? 1 : 0,
    s: 1,
    l: 0,
    g: limit > MAX_BYTE_LIMIT ? 1 : 0,
    avl: 0,
    unusable: access === 'null' ? 1 : 0,
  };
}
