/**
 * The registers of the IOAPIC on the MMIO bus: an index at offset 0x00, the register it selects at 0x10 (Linux:
 * arch/x86/kvm/ioapic.c; Intel 82093AA data sheet, “Register Description”).
 *
 * | index     | register                                             |
 * | --------- | ---------------------------------------------------- |
 * | 0x00      | identification, bits 27:24                           |
 * | 0x01      | version: 24 entries, version 0x11                    |
 * | 0x02      | arbitration, shows the identification                |
 * | 0x10–0x3f | redirection entries: low halves even, high halves odd |
 *
 * Other indices read all ones. Access sizes: 1, 2, 4 and 8; a write replaces the whole register with the
 * zero-extended value, a read is cut or zero-extended. Other offsets read 0; there is no EOI register.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import type { IoSize } from '../uapi/kvm.ts';
import {
  IOAPIC_DELIVERY_STATUS,
  IOAPIC_LEVEL_TRIG,
  IOAPIC_MASKED,
  IOAPIC_MEM_LENGTH,
  IOAPIC_NUM_PINS,
  IOAPIC_REMOTE_IRR,
  type KvmIoapic,
} from './ioapic-state.ts';

/** Offsets of the two registers that a guest sees. */
const IOAPIC_REG_SELECT = 0x00;
const IOAPIC_REG_WINDOW = 0x10;

/** Indices. */
const IOAPIC_REG_APIC_ID = 0x00;
const IOAPIC_REG_VERSION = 0x01;
const IOAPIC_REG_ARB_ID = 0x02;
const IOAPIC_REG_REDIRECTION = 0x10;

const IOAPIC_VERSION_ID = 0x11;
const IOAPIC_VERSION = ((IOAPIC_NUM_PINS - 1) << 16) | IOAPIC_VERSION_ID;

const ALL_ONES = 0xffff_ffff;

/** Pin of the entry that `ioregsel` selects; out of 0–23 when it selects none. */
function selectedPin(ioregsel: number): number {
  return (ioregsel - IOAPIC_REG_REDIRECTION) >> 1;
}

/**
 * The register that IOREGSEL selects.
 *
 * @kvm ioapic_read_indirect(ioapic) arch/x86/kvm/ioapic.c
 */
export function ioapicReadIndirect(ioapic: KvmIoapic): number {
  const s = ioapic.state;
  switch (s.ioregsel) {
    case IOAPIC_REG_VERSION:
      return IOAPIC_VERSION;
    case IOAPIC_REG_APIC_ID:
    case IOAPIC_REG_ARB_ID:
      return (s.id & 0xf) << 24;
    default: {
      const pin = selectedPin(s.ioregsel);
      if (pin < 0 || pin >= IOAPIC_NUM_PINS) return ALL_ONES;
      const entry = s.redirtbl[pin];
      return (s.ioregsel & 1) !== 0 ? entry.high : entry.low;
    }
  }
}

/**
 * Writes the register that IOREGSEL selects. Delivery status and remote IRR keep their values, but an entry that is
 * edge-triggered has no remote IRR; a level pin that is up is sent when the entry now allows.
 *
 * @kvm ioapic_write_indirect(ioapic, val) arch/x86/kvm/ioapic.c
 */
export function ioapicWriteIndirect(ioapic: KvmIoapic, val: number): void {
  const s = ioapic.state;
  switch (s.ioregsel) {
    case IOAPIC_REG_APIC_ID:
      s.id = (val >>> 24) & 0xf;
      return;
    case IOAPIC_REG_VERSION:
    case IOAPIC_REG_ARB_ID:
      return;
  }
  const pin = selectedPin(s.ioregsel);
  if (pin < 0 || pin >= IOAPIC_NUM_PINS) return;
  const entry = s.redirtbl[pin];
  const before = entry.low;
  if ((s.ioregsel & 1) !== 0) {
    entry.high = val >>> 0;
  } else {
    const readOnly = IOAPIC_REMOTE_IRR | IOAPIC_DELIVERY_STATUS;
    entry.low = ((val & ~readOnly) | (before & readOnly)) >>> 0;
  }
  if ((entry.low & IOAPIC_LEVEL_TRIG) === 0) entry.low = (entry.low & ~IOAPIC_REMOTE_IRR) >>> 0;

  const isMasked = (entry.low & IOAPIC_MASKED) !== 0;
  if (((before ^ entry.low) & IOAPIC_MASKED) !== 0) ioapic.fireMaskNotifiers(pin, isMasked);
  const isWaiting = (s.irr & (1 << pin)) !== 0 && (entry.low & IOAPIC_REMOTE_IRR) === 0;
  if ((entry.low & IOAPIC_LEVEL_TRIG) !== 0 && isWaiting && !isMasked) {
    // The device may have lowered its line while the pin was masked: a resampler asks it, and may raise it anew.
    s.irr &= ~(1 << pin);
    if (ioapic.notifyIrqfdResampler(pin)) return;
    s.irr |= 1 << pin;
    ioapic.fn.ioapicService(ioapic, pin, false);
  }
}

function isInRange(ioapic: KvmIoapic, addr: number): boolean {
  const base = ioapic.state.base_address;
  return addr >= base && addr < base + IOAPIC_MEM_LENGTH;
}

/** 1, 2, 4 or 8: pieces of an access that crosses a page can have others. */
function isRegisterWidth(len: number): boolean {
  return len === 1 || len === 2 || len === 4 || len === 8;
}

/**
 * Reads a register.
 *
 * @returns the value, cut to `len` bytes (8: the upper half is 0).
 * @kvm ioapic_mmio_read(vcpu, this, addr, len, val) arch/x86/kvm/ioapic.c (as: value returned)
 */
export function ioapicMmioRead(ioapic: KvmIoapic, addr: number, len: IoSize | 8): number {
  if (!isInRange(ioapic, addr)) return IO_NOT_HANDLED;
  // KVM: a width that no register has is taken, and nothing is stored.
  if (!isRegisterWidth(len)) return IO_NOTHING_STORED;
  let result: number;
  switch (addr & 0xff) {
    case IOAPIC_REG_SELECT:
      result = ioapic.state.ioregsel;
      break;
    case IOAPIC_REG_WINDOW:
      result = ioapic.fn.ioapicReadIndirect(ioapic);
      break;
    default:
      return 0;
  }
  if (len === 1) return result & 0xff;
  return len === 2 ? result & 0xffff : result >>> 0;
}

/**
 * Writes a register.
 *
 * @param val `len` bytes, unsigned (8: the lower half).
 * @returns whether the IOAPIC took it.
 * @kvm ioapic_mmio_write(vcpu, this, addr, len, val) arch/x86/kvm/ioapic.c
 */
export function ioapicMmioWrite(ioapic: KvmIoapic, addr: number, len: IoSize | 8, val: number): boolean {
  if (!isInRange(ioapic, addr)) return false;
  if (!isRegisterWidth(len)) return true;
  switch (addr & 0xff) {
    case IOAPIC_REG_SELECT:
      ioapic.state.ioregsel = val & 0xff;
      break;
    case IOAPIC_REG_WINDOW:
      ioapic.fn.ioapicWriteIndirect(ioapic, val);
      ioapic.makeScanRequest();
      break;
  }
  return true;
}
