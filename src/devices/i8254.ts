/**
 * The 8254 programmable interval timer and the speaker port, as KVM models them in the kernel (Linux:
 * arch/x86/kvm/i8254.c; Intel 8254 data sheet).
 *
 * This file is the outside: ports, interrupt line, notifiers, state. What a channel shows is in i8254-counter.ts,
 * channel 0's interrupts in i8254-timer.ts, what the ports mean in i8254-ports.ts and speaker.ts.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import type { IoDevice } from '../bus/io-device.ts';
import { KVM_PIT_FLAGS_HPET_LEGACY, type KvmPitState2 } from '../uapi/kvm.ts';
import * as counter from './i8254-counter.ts';
import * as ports from './i8254-ports.ts';
import {
  copyPitChannel,
  type KvmKpitState,
  type KvmPit,
  type PitFunctions,
  type PitLine,
  zeroPitChannel,
} from './i8254-state.ts';
import * as timer from './i8254-timer.ts';
import * as speaker from './speaker.ts';

/** The functions of i8254.c as they are, without probes. */
export const PIT_FUNCTIONS: Readonly<PitFunctions> = {
  pitSetGate: counter.pitSetGate,
  pitGetGate: counter.pitGetGate,
  __kpitElapsed: counter.__kpitElapsed,
  kpitElapsed: counter.kpitElapsed,
  pitGetCount: counter.pitGetCount,
  pitGetOut: counter.pitGetOut,
  pitLatchCount: counter.pitLatchCount,
  pitLatchStatus: counter.pitLatchStatus,
  kvmPitAckIrq: timer.kvmPitAckIrq,
  destroyPitTimer: timer.destroyPitTimer,
  pitDoWork: timer.pitDoWork,
  pitTimerFn: timer.pitTimerFn,
  kvmPitResetReinject: timer.kvmPitResetReinject,
  kvmPitSetReinject: timer.kvmPitSetReinject,
  createPitTimer: timer.createPitTimer,
  pitLoadCount: timer.pitLoadCount,
  kvmPitLoadCount: timer.kvmPitLoadCount,
  pitIoportWrite: ports.pitIoportWrite,
  pitIoportRead: ports.pitIoportRead,
  speakerIoportWrite: speaker.speakerIoportWrite,
  speakerIoportRead: speaker.speakerIoportRead,
  kvmPitReset: timer.kvmPitReset,
  pitMaskNotifer: timer.pitMaskNotifer,
};

/** How the PIT is created. */
export interface I8254Options {
  /** KVM_PIT_SPEAKER_DUMMY: port 0x61 is answered too. Default false. */
  speaker?: boolean;
  /** An in-kernel IOAPIC exists; without one KVM runs no channel 0 timer. Default true. */
  hasIoapic?: boolean;
  /** Told of each tick that the guest gets: the NMI watchdog. */
  onTick?: () => void;
}

/** The timer chip. */
export class I8254 implements KvmPit {
  readonly pit_state: KvmKpitState = {
    channels: [zeroPitChannel(), zeroPitChannel(), zeroPitChannel()],
    flags: 0,
    is_periodic: 0,
    period: 0,
    timer_expires: 0,
    timer_active: 0,
    reinject: 0,
    pending: 0,
    irq_ack: 0,
  };
  fn: PitFunctions = PIT_FUNCTIONS;
  readonly clock: Clock;
  readonly timer: Alarm;
  readonly line: PitLine;
  readonly hasIoapic: boolean;
  readonly onTick: () => void;
  /** Whether {@link speakerDev} is to be registered. */
  readonly hasSpeaker: boolean;
  /** Ports 0x40–0x43. */
  readonly pitDev: IoDevice;
  /** Ports 0x61–0x64, of which it takes the first. */
  readonly speakerDev: IoDevice;

  constructor(clock: Clock, line: PitLine, options: I8254Options = {}) {
    this.clock = clock;
    this.line = line;
    this.hasIoapic = options.hasIoapic ?? true;
    this.onTick = options.onTick ?? (() => {});
    this.hasSpeaker = options.speaker ?? false;
    this.timer = clock.createAlarm(() => this.fn.pitTimerFn(this));
    this.pitDev = {
      name: 'i8254',
      ops: 'pit_dev_ops',
      read: (addr, size) => this.fn.pitIoportRead(this, addr, size),
      write: (addr, size, value) => this.fn.pitIoportWrite(this, addr, size, value),
    };
    this.speakerDev = {
      name: 'speaker',
      ops: 'speaker_dev_ops',
      read: (addr, size) => this.fn.speakerIoportRead(this, addr, size),
      write: (addr, size, value) => this.fn.speakerIoportWrite(this, addr, size, value),
    };
    this.fn.kvmPitReset(this);
    this.fn.kvmPitSetReinject(this, true);
  }

  /** Whether ticks that the guest missed are given later (KVM_REINJECT_CONTROL). */
  get reinject(): boolean {
    return this.pit_state.reinject !== 0;
  }

  set reinject(reinject: boolean) {
    this.fn.kvmPitSetReinject(this, reinject);
  }

  /** An interrupt on GSI 0 has ended, in the PIC or the IOAPIC. */
  onIrqAck(): void {
    // KVM: the notifier is registered only while ticks are reinjected.
    if (this.pit_state.reinject !== 0) this.fn.kvmPitAckIrq(this);
  }

  /** GSI 0 was masked or unmasked, in the PIC or the IOAPIC. */
  onIrqMask(masked: boolean): void {
    // KVM: the notifier is registered only while ticks are reinjected.
    if (this.pit_state.reinject !== 0) this.fn.pitMaskNotifer(this, masked);
  }

  /** KVM_GET_PIT2. */
  getState(): KvmPitState2 {
    const { channels, flags } = this.pit_state;
    return { channels: [{ ...channels[0] }, { ...channels[1] }, { ...channels[2] }], flags };
  }

  /** KVM_SET_PIT2: stores channels and flags as they are, then loads each count anew, so counting restarts now. */
  setState(ps: Readonly<KvmPitState2>): void {
    const state = this.pit_state;
    const prevLegacy = state.flags & KVM_PIT_FLAGS_HPET_LEGACY;
    const curLegacy = ps.flags & KVM_PIT_FLAGS_HPET_LEGACY;
    const start = prevLegacy === 0 && curLegacy !== 0;
    for (let i = 0; i < 3; i++) copyPitChannel(state.channels[i], ps.channels[i]);
    state.flags = ps.flags >>> 0;
    for (let i = 0; i < 3; i++) {
      this.fn.kvmPitLoadCount(this, i, state.channels[i].count, start && i === 0);
    }
  }

  /** Plain-data copy of everything, for snapshots. Times are the clock's: restore that too. */
  saveState(): KvmKpitState {
    return { ...this.pit_state, channels: this.getState().channels };
  }

  /** Restores what {@link saveState} returned, and sets the timer's alarm as it was. */
  loadState(saved: Readonly<KvmKpitState>): void {
    const state = this.pit_state;
    for (let i = 0; i < 3; i++) copyPitChannel(state.channels[i], saved.channels[i]);
    state.flags = saved.flags;
    state.is_periodic = saved.is_periodic;
    state.period = saved.period;
    state.timer_expires = saved.timer_expires;
    state.timer_active = saved.timer_active;
    state.reinject = saved.reinject;
    state.pending = saved.pending;
    state.irq_ack = saved.irq_ack;
    if (saved.timer_active !== 0) this.timer.set(saved.timer_expires);
    else this.timer.cancel();
  }
}
