/**
 * The debug registers in force, and what they have found: DR0–DR7 as the breakpoint hardware compares them. They are the
 * guest's own (`Cpu.dr`) unless a debugger outside has lent its (KVM_GUESTDBG_USE_HW_BP).
 *
 * {@link DebugState.armed} is 0 while DR7 enables nothing; then nobody looks at anything else here.
 *
 * Intel SDM vol. 3B, “Debug Registers”; Linux: arch/x86/kvm/x86.c, `eff_db`, `kvm_update_dr7`.
 */
import type { Cpu } from './cpu.ts';
import { PAGE_SHIFT } from './memory.ts';

/** DR6: which breakpoints were met. */
export const DR_TRAP_BITS = 0xf;
/** DR6: access to a debug register under DR7.GD. */
export const DR6_BD = 1 << 13;
/** DR6: single step. */
export const DR6_BS = 1 << 14;
/** DR6 bits that read as 1. */
export const DR6_ACTIVE_LOW = 0xffff0ff0 | 0;

/** DR7: L0 … G3. */
export const DR7_BP_EN_MASK = 0xff;
/** DR7: an access to a debug register is #DB. */
export const DR7_GD = 1 << 13;
/** DR7: bit 10 is 1; bits 12, 14 and 15 are 0. */
export const DR7_FIXED_1 = 0x400;
export const DR7_ZERO = 0xd000;

/** DR7.R/Wn. */
export const BREAK_EXECUTE = 0;
export const BREAK_WRITE = 1;
/** Only with CR4.DE; without it the encoding means nothing. */
export const BREAK_IO = 2;
export const BREAK_ACCESS = 3;

/** {@link DebugState.armed} bits. */
export const ARMED_CODE = 1;
export const ARMED_DATA = 2;
export const ARMED_IO = 4;

/** Breakpoint registers of one processor. */
export class DebugState {
  /** DR0–DR3 and DR7 in force. */
  readonly effDb = new Int32Array(4);
  dr7 = DR7_FIXED_1;
  /** 1: they are a debugger's, and the guest's DR0–DR3 and DR7 are only stored. */
  isHost = 0;
  /** ARMED_*: the kinds of breakpoint that are enabled. */
  armed = 0;
  /** B0–B3 of the data and I/O breakpoints that the instruction under way has met. */
  hits = 0;
  /** 1: {@link hits} come from the delivery of an event, not from an instruction that has had its tick. */
  isDelivery = 0;
  /** 1: an instruction breakpoint at {@link inhibitedAt} does not count once (RF, MOV SS, a REP that goes on). */
  inhibited = 0;
  /** Linear address, int32. */
  inhibitedAt = 0;
  /** 1: neither interrupts nor NMIs are delivered (KVM_GUESTDBG_BLOCKIRQ). */
  blockIrq = 0;
  /** Addresses of the data breakpoints that are enabled, and how many there are. */
  readonly #watched = new Int32Array(4);
  #watchedCount = 0;

  /** Puts the guest's registers in force, unless a debugger's are. Call it after either has changed. */
  update(cpu: Cpu): void {
    const before = this.armed;
    if (this.isHost === 0) {
      for (let i = 0; i < 4; i++) this.effDb[i] = cpu.dr[i];
      this.dr7 = (cpu.dr[7] & ~DR7_ZERO) | DR7_FIXED_1;
    }
    this.armed = 0;
    for (let i = 0; i < 4; i++)
      if (isEnabled(this.dr7, i)) this.armed |= ARMED_BY_TYPE[breakType(this.dr7, i)];
    if ((before | this.armed) === 0) return;
    this.#watch(cpu);
    cpu.window.close();
    cpu.attention = 1;
  }

  /** The TLB enters pages of data breakpoints so that every access to them is slow, once it has forgotten them. */
  #watch(cpu: Cpu): void {
    for (let i = 0; i < this.#watchedCount; i++) cpu.tlbs.forgetLinear(this.#watched[i]);
    this.#watchedCount = 0;
    for (let i = 0; i < 4; i++) {
      if (!isEnabled(this.dr7, i) || (breakType(this.dr7, i) & BREAK_WRITE) === 0) continue;
      this.#watched[this.#watchedCount++] = this.effDb[i];
      cpu.tlbs.forgetLinear(this.effDb[i]);
    }
  }

  /** Whether an enabled data breakpoint lies in linear page `page`. */
  hasDataBreakpoint(page: number): boolean {
    for (let i = 0; i < this.#watchedCount; i++) if (this.#watched[i] >>> PAGE_SHIFT === page) return true;
    return false;
  }

  /** Whether an enabled instruction breakpoint lies in the page of linear address `linear`. */
  hasCodeBreakpoint(linear: number): boolean {
    if ((this.armed & ARMED_CODE) === 0) return false;
    for (let i = 0; i < 4; i++) {
      const isCode = isEnabled(this.dr7, i) && breakType(this.dr7, i) === BREAK_EXECUTE;
      if (isCode && this.effDb[i] >>> PAGE_SHIFT === linear >>> PAGE_SHIFT) return true;
    }
    return false;
  }
}

const ARMED_BY_TYPE = [ARMED_CODE, ARMED_DATA, ARMED_IO, ARMED_DATA];

/** L`n` or G`n`: nothing distinguishes them, as hardware tasks clear the L bits themselves. */
export function isEnabled(dr7: number, n: number): boolean {
  return (dr7 & (3 << (2 * n))) !== 0;
}

/** R/W`n`: BREAK_*. */
export function breakType(dr7: number, n: number): number {
  return (dr7 >> (16 + 4 * n)) & 3;
}

/** LEN`n` in bytes: 1, 2, 8 or 4. */
export function breakLength(dr7: number, n: number): number {
  return BREAK_LENGTHS[(dr7 >> (18 + 4 * n)) & 3];
}
const BREAK_LENGTHS = [1, 2, 8, 4];
