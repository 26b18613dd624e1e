/**
 * Port 0x61 as KVM's “speaker dummy” answers it: gate and OUT of PIT channel 2, the speaker bit, and a refresh
 * toggle (Linux: arch/x86/kvm/i8254.c; IBM PC AT Technical Reference, “System Board I/O: port 61h”).
 *
 * | bit | read               | write          |
 * | --- | ------------------ | -------------- |
 * | 0   | channel 2 gate     | channel 2 gate |
 * | 1   | speaker data       | speaker data   |
 * | 4   | refresh toggle     | ignored        |
 * | 5   | channel 2 OUT      | ignored        |
 *
 * The other bits read 0. Access sizes: 1, 2, 4; a write takes its low byte, a read is zero-extended. The device is
 * registered four ports wide, but declines 0x62–0x64 (where a keyboard controller may sit).
 */
import { IO_NOT_HANDLED } from '../bus/io-device.ts';
import { type IoSize, KVM_PIT_FLAGS_SPEAKER_DATA_ON } from '../uapi/kvm.ts';
import { KVM_SPEAKER_BASE_ADDRESS, type KvmPit } from './i8254-state.ts';

const SPEAKER_GATE = 1 << 0;
const SPEAKER_DATA = 1 << 1;
const SPEAKER_REFRESH_SHIFT = 4;
const SPEAKER_OUT_SHIFT = 5;

/** The refresh bit flips every 2^14 ns: KVM's stand-in for the 15 µs of a PC. */
const REFRESH_NS_SHIFT = 14;

/** The channel that drives the speaker. */
const SPEAKER_CHANNEL = 2;

/**
 * Writes port 0x61.
 *
 * @returns whether the device took it.
 * @kvm speaker_ioport_write(vcpu, this, addr, len, data) arch/x86/kvm/i8254.c
 */
export function speakerIoportWrite(pit: KvmPit, addr: number, _len: IoSize, data: number): boolean {
  if (addr !== KVM_SPEAKER_BASE_ADDRESS) return false;
  const ps = pit.pit_state;
  if ((data & SPEAKER_DATA) !== 0) ps.flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
  else ps.flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
  pit.fn.pitSetGate(pit, SPEAKER_CHANNEL, data & SPEAKER_GATE);
  return true;
}

/**
 * Reads port 0x61.
 *
 * @kvm speaker_ioport_read(vcpu, this, addr, len, data) arch/x86/kvm/i8254.c (as: value returned)
 */
export function speakerIoportRead(pit: KvmPit, addr: number, _len: IoSize): number {
  if (addr !== KVM_SPEAKER_BASE_ADDRESS) return IO_NOT_HANDLED;
  // `>>>` takes the time modulo 2^32, as the kernel's cast to unsigned int does.
  const refreshClock = (pit.clock.nowNs >>> REFRESH_NS_SHIFT) & 1;
  return (
    ((pit.pit_state.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON) !== 0 ? SPEAKER_DATA : 0) |
    pit.fn.pitGetGate(pit, SPEAKER_CHANNEL) |
    (pit.fn.pitGetOut(pit, SPEAKER_CHANNEL) << SPEAKER_OUT_SHIFT) |
    (refreshClock << SPEAKER_REFRESH_SHIFT)
  );
}
