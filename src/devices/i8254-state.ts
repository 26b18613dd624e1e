/**
 * State of the 8254 programmable interval timer, and how its functions reach each other (Linux:
 * arch/x86/kvm/i8254.h, `struct kvm_kpit_state`, `struct kvm_pit`; Intel 8254 data sheet).
 *
 * Everything that a snapshot must hold is in {@link KvmKpitState}; the rest is wiring.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import type { IoSize, KvmPitChannelState } from '../uapi/kvm.ts';

/** The PIT's clock. KVM: 1193181 Hz; the crystal of a PC gives 1193181.67. */
export const KVM_PIT_FREQ = 1_193_181;

/** First port of the PIT; the fourth is the control word. */
export const KVM_PIT_BASE_ADDRESS = 0x40;
export const KVM_PIT_MEM_LENGTH = 4;
export const KVM_PIT_CHANNEL_MASK = 3;

/** The control port, as an index. */
export const PIT_CONTROL = 3;

/** First port of the speaker device; four are registered, the first is answered. */
export const KVM_SPEAKER_BASE_ADDRESS = 0x61;

/**
 * `rw_mode`, `read_state`, `write_state`, `count_latched`: which byte comes next. Any other value (1, or 0 before the
 * first control word) stands for the low byte alone.
 */
export const RW_STATE_MSB = 2;
/** Low byte, then high byte: the low one comes next. */
export const RW_STATE_WORD0 = 3;
/** The high one comes next. */
export const RW_STATE_WORD1 = 4;

/** `mode` before the first control word. */
export const PIT_MODE_NONE = 0xff;

/** The largest initial count, written as 0. */
export const PIT_MAX_COUNT = 0x10000;

/** Shortest period of a periodic timer, nanoseconds (KVM: module parameter `min_timer_period_us`, default 200). */
export const MIN_TIMER_PERIOD_NS = 200_000;

/** `struct kvm_kpit_state`, as plain data. */
export interface KvmKpitState {
  channels: [KvmPitChannelState, KvmPitChannelState, KvmPitChannelState];
  /** KVM_PIT_FLAGS_*. */
  flags: number;
  /** Channel 0's timer runs again and again. */
  is_periodic: number;
  /** Channel 0's period, nanoseconds; 0 before its first timer. */
  period: number;
  /** When channel 0's timer fires, or last fired, nanoseconds. */
  timer_expires: number;
  /** Channel 0's timer is set. */
  timer_active: number;
  /** Ticks that the guest could not take are given later. */
  reinject: number;
  /** Ticks not yet acknowledged (counted while `reinject`). */
  pending: number;
  /** The guest has acknowledged the last tick. */
  irq_ack: number;
}

/** `struct kvm_pit`: the state, and what it is wired to. */
export interface KvmPit {
  readonly pit_state: KvmKpitState;
  /** The mirrored functions, plain or traced. */
  fn: PitFunctions;
  readonly clock: Clock;
  /** Channel 0's timer. */
  readonly timer: Alarm;
  /** KVM runs no channel 0 timer without an in-kernel IOAPIC. */
  readonly hasIoapic: boolean;
  /** Told of each tick that the guest gets. */
  readonly onTick: () => void;
  /** Drives GSI 0. */
  readonly line: PitLine;
}

/** The wire of channel 0: GSI 0, under the PIT's own source id. */
export interface PitLine {
  setIrq(level: 0 | 1): void;
}

/** The mirrored functions of i8254.c that call each other. */
export interface PitFunctions {
  pitSetGate(pit: KvmPit, channel: number, val: number): void;
  pitGetGate(pit: KvmPit, channel: number): number;
  __kpitElapsed(pit: KvmPit): number;
  kpitElapsed(pit: KvmPit, c: KvmPitChannelState, channel: number): number;
  pitGetCount(pit: KvmPit, channel: number): number;
  pitGetOut(pit: KvmPit, channel: number): number;
  pitLatchCount(pit: KvmPit, channel: number): void;
  pitLatchStatus(pit: KvmPit, channel: number): void;
  kvmPitAckIrq(pit: KvmPit): void;
  destroyPitTimer(pit: KvmPit): void;
  pitDoWork(pit: KvmPit): void;
  pitTimerFn(pit: KvmPit): void;
  kvmPitResetReinject(pit: KvmPit): void;
  kvmPitSetReinject(pit: KvmPit, reinject: boolean): void;
  createPitTimer(pit: KvmPit, val: number, isPeriod: boolean): void;
  pitLoadCount(pit: KvmPit, channel: number, val: number): void;
  kvmPitLoadCount(pit: KvmPit, channel: number, val: number, hpetLegacyStart: boolean): void;
  pitIoportWrite(pit: KvmPit, addr: number, len: IoSize, data: number): boolean;
  pitIoportRead(pit: KvmPit, addr: number, len: IoSize): number;
  speakerIoportWrite(pit: KvmPit, addr: number, len: IoSize, data: number): boolean;
  speakerIoportRead(pit: KvmPit, addr: number, len: IoSize): number;
  kvmPitReset(pit: KvmPit): void;
  pitMaskNotifer(pit: KvmPit, mask: boolean): void;
}

/** A channel of zeros; {@link PitFunctions.kvmPitReset} gives it its initial state. */
export function zeroPitChannel(): KvmPitChannelState {
  return {
    count: 0,
    latched_count: 0,
    count_latched: 0,
    status_latched: 0,
    status: 0,
    read_state: 0,
    write_state: 0,
    write_latch: 0,
    rw_mode: 0,
    mode: 0,
    bcd: 0,
    gate: 0,
    count_load_time: 0,
  };
}

/** Copies `struct kvm_pit_channel_state`, each field cut to its width. */
export function copyPitChannel(to: KvmPitChannelState, from: Readonly<KvmPitChannelState>): void {
  to.count = from.count >>> 0;
  to.latched_count = from.latched_count & 0xffff;
  to.count_latched = from.count_latched & 0xff;
  to.status_latched = from.status_latched & 0xff;
  to.status = from.status & 0xff;
  to.read_state = from.read_state & 0xff;
  to.write_state = from.write_state & 0xff;
  to.write_latch = from.write_latch & 0xff;
  to.rw_mode = from.rw_mode & 0xff;
  to.mode = from.mode & 0xff;
  to.bcd = from.bcd & 0xff;
  to.gate = from.gate & 0xff;
  to.count_load_time = from.count_load_time;
}
