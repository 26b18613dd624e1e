/**
 * The register page of the local APIC (Linux: arch/x86/kvm/lapic.c; Intel SDM vol. 3A, “Local APIC Register Address
 * Map”).
 *
 * Access sizes: a read takes 1, 2 or 4 bytes within a register; one that leaves it, or of a reserved or write-only
 * register, stores nothing. A write takes 4 bytes at a register's start; others vanish, and so does one to a register
 * that is read-only or not there. KVM: no access sets a bit of the error status register.
 *
 * The page is on no bus: its processor looks there first.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoSize } from '../bus/io-device.ts';
import { kvmApicSwEnabled } from './lapic-delivery.ts';
import { apicSetTpr } from './lapic-priority.ts';
import {
  APIC_ARBPRI,
  APIC_DFR,
  APIC_DM_NMI,
  APIC_EOI,
  APIC_ESR,
  APIC_ICR,
  APIC_ICR_BUSY,
  APIC_ICR2,
  APIC_ID,
  APIC_LDR,
  APIC_LDR_MASK,
  APIC_LVT_MASKED,
  APIC_LVT_TIMER_MODE_MASK,
  APIC_LVT_WRITABLE,
  APIC_LVT0,
  APIC_LVT1,
  APIC_LVTERR,
  APIC_LVTPC,
  APIC_LVTT,
  APIC_LVTTHMR,
  APIC_MODE_MASK,
  APIC_PROCPRI,
  APIC_REG_READABLE,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_SPIV_WRITABLE,
  APIC_TASKPRI,
  APIC_TDCR,
  APIC_TDCR_WRITABLE,
  APIC_TMCCT,
  APIC_TMICT,
  KVM_NR_LVT_ENTRIES,
  LAPIC_MMIO_LENGTH,
} from './lapic-reg.ts';
import {
  KVM_X86_QUIRK_LAPIC_MMIO_HOLE,
  type KvmLapic,
  kvmApicHwEnabled,
  kvmLapicGetReg,
  kvmLapicSetReg,
} from './lapic-state.ts';
import { apicLvttTscdeadline, cancelApicTimer, writeTdcr } from './lapic-timer.ts';

/** Offset of the `i`th entry of the local vector table. */
export function apicLvtx(i: number): number {
  return APIC_LVTT + 16 * i;
}

/** A register as a read shows it. @kvm __apic_read(apic, offset) arch/x86/kvm/lapic.c */
export function __apicRead(apic: KvmLapic, offset: number): number {
  switch (offset) {
    case APIC_ARBPRI:
      return 0;
    case APIC_TMCCT:
      return apicLvttTscdeadline(apic) ? 0 : apic.kvm.fn.apicGetTmcct(apic);
    case APIC_PROCPRI:
      apic.kvm.fn.apicUpdatePpr(apic);
      break;
  }
  return kvmLapicGetReg(apic, offset);
}

/**
 * @param offset of the first byte.
 * @returns `len` bytes, {@link IO_NOTHING_STORED} for an access that no register takes.
 * @kvm kvm_lapic_reg_read(apic, offset, len, data) arch/x86/kvm/lapic.c (as: value returned)
 */
export function kvmLapicRegRead(apic: KvmLapic, offset: number, len: IoSize | 8): number {
  const alignment = offset & 0xf;
  if (alignment + len > 4 || offset > 0x3f0 || APIC_REG_READABLE[offset >> 4] === 0) return IO_NOTHING_STORED;
  const result = __apicRead(apic, offset & ~0xf);
  if (apic.kvm.trace !== null) apic.kvm.trace.apic(false, offset, result);
  if (len === 4) return result;
  if (len === 2) return (result >>> (8 * alignment)) & 0xffff;
  // KVM: three bytes are taken and not stored.
  return len === 1 ? (result >>> (8 * alignment)) & 0xff : IO_NOTHING_STORED;
}

/** LVT0 open and in NMI mode makes the PIT's ticks NMIs. @kvm apic_manage_nmi_watchdog(apic, lvt0_val) arch/x86/kvm/lapic.c */
export function apicManageNmiWatchdog(apic: KvmLapic, lvt0Val: number): void {
  apic.state.lvt0_in_nmi_mode = (lvt0Val & (APIC_MODE_MASK | APIC_LVT_MASKED)) === APIC_DM_NMI;
}

/**
 * What hangs on who is addressed how: KVM's map is made anew, and the IOAPIC asked again whose ends it waits for.
 *
 * @kvm kvm_recalculate_apic_map(kvm) arch/x86/kvm/lapic.c
 */
export function kvmRecalculateApicMap(apic: KvmLapic): void {
  apic.kvm.fn.vcpuScanIoapic(apic);
}

function writeSpiv(apic: KvmLapic, val: number): void {
  const wasEnabled = kvmApicSwEnabled(apic);
  kvmLapicSetReg(apic, APIC_SPIV, val & APIC_SPIV_WRITABLE);
  const isEnabled = (val & APIC_SPIV_APIC_ENABLED) !== 0;
  if (!isEnabled) {
    for (let i = 0; i < KVM_NR_LVT_ENTRIES; i++) {
      kvmLapicSetReg(apic, apicLvtx(i), kvmLapicGetReg(apic, apicLvtx(i)) | APIC_LVT_MASKED);
    }
    apic.kvm.fn.apicUpdateLvtt(apic);
    apic.state.timer_pending = 0;
  }
  // KVM: masked like this, LVT0 still counts as in NMI mode until it is written.
  if (wasEnabled !== isEnabled) kvmRecalculateApicMap(apic);
}

function writeLvt(apic: KvmLapic, reg: number, val: number): void {
  const masked = kvmApicSwEnabled(apic) ? 0 : APIC_LVT_MASKED;
  kvmLapicSetReg(apic, reg, (val | masked) & APIC_LVT_WRITABLE[(reg - APIC_LVTT) >> 4]);
}

/**
 * @param reg offset, a multiple of 16.
 * @param val 32 bits, unsigned.
 * @returns 0, or 1 for a register that is not there.
 * @kvm kvm_lapic_reg_write(apic, reg, val) arch/x86/kvm/lapic.c
 */
export function kvmLapicRegWrite(apic: KvmLapic, reg: number, val: number): number {
  const { fn, trace } = apic.kvm;
  if (trace !== null) trace.apic(true, reg, val);
  switch (reg) {
    case APIC_ID:
      kvmLapicSetReg(apic, APIC_ID, val & 0xff00_0000);
      kvmRecalculateApicMap(apic);
      break;
    case APIC_TASKPRI:
      apicSetTpr(apic, val & 0xff);
      break;
    case APIC_EOI:
      fn.apicSetEoi(apic);
      break;
    case APIC_LDR:
      kvmLapicSetReg(apic, APIC_LDR, val & APIC_LDR_MASK);
      kvmRecalculateApicMap(apic);
      break;
    case APIC_DFR:
      kvmLapicSetReg(apic, APIC_DFR, val | 0x0fff_ffff);
      kvmRecalculateApicMap(apic);
      break;
    case APIC_SPIV:
      writeSpiv(apic, val);
      break;
    case APIC_ICR: {
      // Sent at once: the busy bit is never seen.
      const icr = (val & ~APIC_ICR_BUSY) >>> 0;
      fn.kvmApicSendIpi(apic, icr, kvmLapicGetReg(apic, APIC_ICR2));
      kvmLapicSetReg(apic, APIC_ICR, icr);
      break;
    }
    case APIC_ICR2:
      kvmLapicSetReg(apic, APIC_ICR2, val & 0xff00_0000);
      break;
    case APIC_LVT0:
      // KVM: the value as written, also while software-disabled, which masks it.
      apicManageNmiWatchdog(apic, val);
      writeLvt(apic, reg, val);
      break;
    case APIC_LVTTHMR:
    case APIC_LVTPC:
    case APIC_LVT1:
    case APIC_LVTERR:
      writeLvt(apic, reg, val);
      break;
    case APIC_LVTT:
      writeLvt(apic, reg, val & ~(APIC_LVT_TIMER_MODE_MASK & ~apic.state.timer_mode_mask));
      fn.apicUpdateLvtt(apic);
      break;
    case APIC_TMICT:
      if (apicLvttTscdeadline(apic)) break;
      cancelApicTimer(apic);
      kvmLapicSetReg(apic, APIC_TMICT, val);
      fn.__startApicTimer(apic, APIC_TMICT);
      break;
    case APIC_TDCR:
      writeTdcr(apic, val & APIC_TDCR_WRITABLE);
      break;
    case APIC_ESR:
      break;
    default:
      return 1;
  }
  return 0;
}

/** Where the page stands. */
function baseAddress(apic: KvmLapic): number {
  const base = apic.state.apic_base;
  return base - (base % LAPIC_MMIO_LENGTH);
}

/** @kvm apic_mmio_in_range(apic, addr) arch/x86/kvm/lapic.c */
export function apicMmioInRange(apic: KvmLapic, addr: number): boolean {
  const base = baseAddress(apic);
  return addr >= base && addr < base + LAPIC_MMIO_LENGTH;
}

function isHole(apic: KvmLapic): boolean {
  return (apic.vcpu.quirks & KVM_X86_QUIRK_LAPIC_MMIO_HOLE) !== 0;
}

/**
 * @returns the value, {@link IO_NOTHING_STORED}, or {@link IO_NOT_HANDLED} outside of the page.
 * @kvm apic_mmio_read(vcpu, this, address, len, data) arch/x86/kvm/lapic.c (as: value returned)
 */
export function apicMmioRead(apic: KvmLapic, address: number, len: IoSize | 8): number {
  if (!apicMmioInRange(apic, address)) return IO_NOT_HANDLED;
  if (!kvmApicHwEnabled(apic)) return isHole(apic) ? 2 ** (8 * len) - 1 : IO_NOT_HANDLED;
  return apic.kvm.fn.kvmLapicRegRead(apic, address - baseAddress(apic), len);
}

/**
 * @param val `len` bytes, unsigned.
 * @returns whether the page took it.
 * @kvm apic_mmio_write(vcpu, this, address, len, data) arch/x86/kvm/lapic.c
 */
export function apicMmioWrite(apic: KvmLapic, address: number, len: IoSize | 8, val: number): boolean {
  if (!apicMmioInRange(apic, address)) return false;
  if (!kvmApicHwEnabled(apic)) return isHole(apic);
  const offset = address - baseAddress(apic);
  if (len === 4 && (offset & 0xf) === 0) apic.kvm.fn.kvmLapicRegWrite(apic, offset & 0xff0, val >>> 0);
  return true;
}
