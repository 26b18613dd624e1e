/**
 * The ports of the 8254: counters at 0x40–0x42, control word at 0x43 (Linux: arch/x86/kvm/i8254.c; Intel 8254 data
 * sheet, “Programming the 8254”, “Read Operations”).
 *
 * Access sizes: any that lies within the four ports. A write takes its low byte, a read is zero-extended; the next
 * port is never touched.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import type { IoSize, KvmPitChannelState } from '../uapi/kvm.ts';
import {
  KVM_PIT_BASE_ADDRESS,
  KVM_PIT_CHANNEL_MASK,
  KVM_PIT_MEM_LENGTH,
  type KvmPit,
  PIT_CONTROL,
  RW_STATE_MSB,
  RW_STATE_WORD0,
  RW_STATE_WORD1,
} from './i8254-state.ts';

/** Control word, bits 7:6: this instead of a channel. */
const CONTROL_READ_BACK = 3;
/** Read-back command: bits that ask for nothing. */
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;
/** Control word, bits 5:4: latch the count instead of setting an access mode. */
const ACCESS_LATCH = 0;

function isInRange(addr: number): boolean {
  return addr >= KVM_PIT_BASE_ADDRESS && addr < KVM_PIT_BASE_ADDRESS + KVM_PIT_MEM_LENGTH;
}

function readBack(pit: KvmPit, val: number): void {
  for (let channel = 0; channel < 3; channel++) {
    if ((val & (2 << channel)) === 0) continue;
    if ((val & READ_BACK_NO_COUNT) === 0) pit.fn.pitLatchCount(pit, channel);
    if ((val & READ_BACK_NO_STATUS) === 0) pit.fn.pitLatchStatus(pit, channel);
  }
}

function writeControl(pit: KvmPit, val: number): void {
  const channel = val >> 6;
  if (channel === CONTROL_READ_BACK) {
    readBack(pit, val);
    return;
  }
  const access = (val >> 4) & 3;
  if (access === ACCESS_LATCH) {
    pit.fn.pitLatchCount(pit, channel);
    return;
  }
  const c = pit.pit_state.channels[channel];
  c.rw_mode = access;
  c.read_state = access;
  c.write_state = access;
  c.mode = (val >> 1) & 7;
  // Bit 3 of the control word is “don't care” in modes 2 and 3.
  if (c.mode > 5) c.mode -= 4;
  c.bcd = val & 1;
}

function writeCount(pit: KvmPit, channel: number, val: number): void {
  const c = pit.pit_state.channels[channel];
  switch (c.write_state) {
    case RW_STATE_MSB:
      pit.fn.pitLoadCount(pit, channel, val << 8);
      break;
    case RW_STATE_WORD0:
      c.write_latch = val;
      c.write_state = RW_STATE_WORD1;
      break;
    case RW_STATE_WORD1:
      pit.fn.pitLoadCount(pit, channel, c.write_latch | (val << 8));
      c.write_state = RW_STATE_WORD0;
      break;
    default:
      // Low byte only; KVM: also before the first control word.
      pit.fn.pitLoadCount(pit, channel, val);
  }
}

/**
 * Writes a counter or the control word.
 *
 * @param data its low byte counts.
 * @returns whether the PIT took it.
 * @kvm pit_ioport_write(vcpu, this, addr, len, data) arch/x86/kvm/i8254.c
 */
export function pitIoportWrite(pit: KvmPit, addr: number, _len: IoSize, data: number): boolean {
  if (!isInRange(addr)) return false;
  const val = data & 0xff;
  const channel = addr & KVM_PIT_CHANNEL_MASK;
  if (channel === PIT_CONTROL) writeControl(pit, val);
  else writeCount(pit, channel, val);
  return true;
}

function readLatchedCount(c: KvmPitChannelState): number {
  switch (c.count_latched) {
    case RW_STATE_MSB:
      c.count_latched = 0;
      return c.latched_count >> 8;
    case RW_STATE_WORD0:
      c.count_latched = RW_STATE_MSB;
      return c.latched_count & 0xff;
    default:
      c.count_latched = 0;
      return c.latched_count & 0xff;
  }
}

/** Each byte is of the count as it is now: low and high byte of one read may not belong together. */
function readLiveCount(pit: KvmPit, channel: number): number {
  const c = pit.pit_state.channels[channel];
  const count = pit.fn.pitGetCount(pit, channel);
  const state = c.read_state;
  if (state === RW_STATE_WORD0) c.read_state = RW_STATE_WORD1;
  if (state === RW_STATE_WORD1) c.read_state = RW_STATE_WORD0;
  return (state === RW_STATE_MSB || state === RW_STATE_WORD1 ? count >> 8 : count) & 0xff;
}

/**
 * Reads a counter: a latched status comes first, then a latched count, then the count as it is.
 *
 * @returns the byte; {@link IO_NOTHING_STORED} for the control word, which KVM handles without an answer.
 * @kvm pit_ioport_read(vcpu, this, addr, len, data) arch/x86/kvm/i8254.c (as: value returned)
 */
export function pitIoportRead(pit: KvmPit, addr: number, _len: IoSize): number {
  if (!isInRange(addr)) return IO_NOT_HANDLED;
  const channel = addr & KVM_PIT_CHANNEL_MASK;
  if (channel === PIT_CONTROL) return IO_NOTHING_STORED;
  const c = pit.pit_state.channels[channel];
  if (c.status_latched !== 0) {
    c.status_latched = 0;
    return c.status;
  }
  return c.count_latched !== 0 ? readLatchedCount(c) : readLiveCount(pit, channel);
}
