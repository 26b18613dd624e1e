/**
 * Breakpoints of DR0–DR3: what an instruction fetch, a memory access or a port access meets.
 *
 * Nothing here is asked while `cpu.debug.armed` is 0. Pages with instruction breakpoints have no fetch window, so that
 * every fetch from them comes to {@link fetchStops}; pages with data breakpoints are TLB_WATCHED, so that every access
 * takes the slow path, which asks {@link checkDataBreakpoints}.
 *
 * Intel SDM vol. 3B, “Debug Exceptions”.
 */
import { SEG_CS } from '../decoder/insn.ts';
import { type Cpu, FAULT_EXCEPTION, FAULT_NONE, FAULT_TRAP, KVM_X86_SHADOW_INT_MOV_SS } from './cpu.ts';
import {
  ARMED_CODE,
  ARMED_DATA,
  ARMED_IO,
  BREAK_ACCESS,
  BREAK_EXECUTE,
  BREAK_IO,
  BREAK_WRITE,
  breakLength,
  breakType,
  isEnabled,
} from './debug-state.ts';
import { PAGE_SHIFT, PAGE_SIZE } from './memory.ts';
import { DB_VECTOR, X86_CR4_DE, X86_EFLAGS_RF } from './registers.ts';

/** Whether breakpoint `n`, LEN and address taken together, contains one of `size` units from `at`. */
function overlaps(dr7: number, address: number, n: number, at: number, size: number): boolean {
  const length = breakLength(dr7, n);
  const first = (address & -length) >>> 0;
  const start = at >>> 0;
  return start < first + length && first < start + size;
}

/**
 * B0–B3 of the enabled instruction breakpoints at a linear address (Linux: `kvm_vcpu_check_hw_bp`).
 *
 * @param db DR0–DR3, the guest's or those in force.
 */
export function matchCode(dr7: number, db: Int32Array, linear: number): number {
  let hits = 0;
  for (let i = 0; i < 4; i++) {
    // R/W and LEN both 0: KVM takes no other length, the manual leaves it undefined.
    if (isEnabled(dr7, i) && ((dr7 >> (16 + 4 * i)) & 15) === BREAK_EXECUTE && db[i] === linear)
      hits |= 1 << i;
  }
  return hits;
}

/** Notes what the instruction under way has met; the trap comes when it is complete. */
function meet(cpu: Cpu, hits: number): void {
  cpu.debug.hits |= hits;
  cpu.attention = 1;
  // A hot operation does not look at `attention`: with its page forgotten, the next fetch is a slow one and stops.
  if (cpu.window.len !== 0) cpu.cache.invalidate(cpu.window.page << PAGE_SHIFT, PAGE_SIZE);
}

/** A memory access of `size` bytes at a linear address. Called from the slow access path while anything is armed. */
export function checkDataBreakpoints(cpu: Cpu, linear: number, size: number, isWrite: boolean): void {
  const { debug } = cpu;
  if ((debug.armed & ARMED_DATA) === 0) return;
  let hits = 0;
  for (let i = 0; i < 4; i++) {
    if (!isEnabled(debug.dr7, i)) continue;
    const type = breakType(debug.dr7, i);
    const wanted = type === BREAK_ACCESS || (isWrite && type === BREAK_WRITE);
    if (wanted && overlaps(debug.dr7, debug.effDb[i], i, linear, size)) hits |= 1 << i;
  }
  if (hits !== 0) meet(cpu, hits);
}

/** B0–B3 of the I/O breakpoints that an access of `size` ports meets: CR4.DE = 1 and R/W = 10B. */
export function matchIo(cpu: Cpu, port: number, size: number): number {
  const { debug } = cpu;
  if ((debug.armed & ARMED_IO) === 0 || (cpu.cr4 & X86_CR4_DE) === 0) return 0;
  let hits = 0;
  for (let i = 0; i < 4; i++) {
    if (!isEnabled(debug.dr7, i) || breakType(debug.dr7, i) !== BREAK_IO) continue;
    if (overlaps(debug.dr7, debug.effDb[i], i, port, size)) hits |= 1 << i;
  }
  return hits;
}

/** A port access that the processor makes itself. */
export function checkIoBreakpoints(cpu: Cpu, port: number, size: number): void {
  const hits = matchIo(cpu, port, size);
  if (hits !== 0) meet(cpu, hits);
}

/**
 * Asked before an instruction is fetched outside the window.
 *
 * @returns whether it must not run: the instruction before it has met a breakpoint (FAULT_TRAP), or there is one here
 * (#DB, a fault, DR6 bits in `cpu.faultErrorCode`).
 */
export function fetchStops(cpu: Cpu, eip: number): boolean {
  const { debug } = cpu;
  if (debug.hits !== 0) {
    cpu.fault = FAULT_TRAP;
    return true;
  }
  if ((debug.armed & ARMED_CODE) === 0) return false;
  const linear = (cpu.segBase[SEG_CS] + eip) | 0;
  const hits = matchCode(debug.dr7, debug.effDb, linear);
  if (hits === 0) return false;
  if (debug.inhibited !== 0 && debug.inhibitedAt === linear) {
    debug.inhibited = 0;
    return false;
  }
  cpu.fault = FAULT_EXCEPTION | DB_VECTOR;
  cpu.faultErrorCode = hits;
  return true;
}

/** At an instruction boundary: what the last instruction has met becomes a pending trap. */
export function takeHits(cpu: Cpu): void {
  cpu.pendingDebugTrap |= cpu.debug.hits;
  cpu.debug.hits = 0;
  if (cpu.fault === FAULT_TRAP) cpu.fault = FAULT_NONE;
}

/** Behind the events of a boundary: RF, a load of SS and a REP under way let one instruction pass its breakpoint. */
export function beginInstruction(cpu: Cpu): void {
  const { debug } = cpu;
  const isInhibited =
    (cpu.sysFlags & X86_EFLAGS_RF) !== 0 ||
    (cpu.interruptShadow & KVM_X86_SHADOW_INT_MOV_SS) !== 0 ||
    cpu.repSuspended !== 0;
  debug.inhibited = isInhibited ? 1 : 0;
  debug.inhibitedAt = (cpu.segBase[SEG_CS] + cpu.eip) | 0;
  debug.isDelivery = debug.hits !== 0 ? 1 : 0;
}
