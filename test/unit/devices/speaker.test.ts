import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/bus/clock.ts';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { I8254 } from '../../../src/devices/i8254.ts';
import { KVM_PIT_FLAGS_SPEAKER_DATA_ON } from '../../../src/uapi/kvm.ts';

const OUT2 = 0x20;
const REFRESH = 0x10;

function speaker() {
  const clock = new VirtualClock(1_000_000_000);
  const pit = new I8254(clock, { setIrq() {} }, { speaker: true });
  return { clock, pit, dev: pit.speakerDev, read: () => pit.speakerDev.read(0x61, 1) };
}

/** Channel 2, mode 3, count 1000. */
function squareWave(pit: I8254): void {
  pit.pitDev.write(0x43, 1, 0xb6);
  pit.pitDev.write(0x42, 1, 0xe8);
  pit.pitDev.write(0x42, 1, 0x03);
}

describe('port 0x61', () => {
  it.each([1, 2, 4] as const)('edge case 60: answers 0x61 at size %i, and no other port', (size) => {
    const { dev } = speaker();
    expect(dev.write(0x61, size, 0x03)).toBe(true);
    expect(dev.read(0x61, size)).toBe(0x03);
    for (const port of [0x62, 0x63, 0x64]) {
      expect(dev.read(port, 1)).toBe(IO_NOT_HANDLED);
      expect(dev.write(port, 1, 0)).toBe(false);
    }
  });

  it('edge case 61: keeps bits 0 and 1 of what is written', () => {
    const { dev, pit, read } = speaker();
    dev.write(0x61, 1, 0xff);
    expect(read()).toBe(0x03);
    expect(pit.getState().flags).toBe(KVM_PIT_FLAGS_SPEAKER_DATA_ON);
    dev.write(0x61, 1, 0xfc);
    expect(read()).toBe(0);
    expect(pit.getState().flags).toBe(0);
  });

  it('edge case 61: bit 4 flips every 16384 ns, also past 2^32 ns', () => {
    const { clock, read } = speaker();
    const seen: number[] = [];
    for (let i = 0; i < 4; i++, clock.advance(16_384)) seen.push(read() & REFRESH);
    expect(seen).toEqual([0, REFRESH, 0, REFRESH]);
    clock.ticks = 2 ** 33 + 16_383;
    expect(read() & REFRESH).toBe(0);
    clock.advance(1);
    expect(read() & REFRESH).toBe(REFRESH);
  });

  it('shows OUT2 rise 54.9 ms after creation', () => {
    const { clock, read } = speaker();
    clock.advance(54_925_447);
    expect(read() & OUT2).toBe(0);
    clock.advance(1);
    expect(read() & OUT2).toBe(OUT2);
  });

  it('edge case 62: a rising gate restarts the phase, a falling one stops nothing', () => {
    const { clock, dev, pit, read } = speaker();
    squareWave(pit);
    clock.advance(600_000); // in the low half of 838 µs
    expect(read() & OUT2).toBe(0);
    dev.write(0x61, 1, 1);
    expect(read() & OUT2).toBe(OUT2);
    dev.write(0x61, 1, 0);
    clock.advance(600_000);
    expect(read() & OUT2).toBe(0);
    clock.advance(300_000);
    expect(read() & OUT2).toBe(OUT2);
  });

  it('does not restart the phase when the gate is high already, nor in modes 0 and 4', () => {
    const { clock, dev, pit } = speaker();
    for (const control of [0xb0, 0xb8]) {
      pit.pitDev.write(0x43, 1, control);
      dev.write(0x61, 1, 0);
      const { count_load_time } = pit.getState().channels[2];
      clock.advance(1000);
      dev.write(0x61, 1, 1);
      expect(pit.getState().channels[2].count_load_time).toBe(count_load_time);
    }
    squareWave(pit);
    const { count_load_time } = pit.getState().channels[2];
    clock.advance(1000);
    dev.write(0x61, 1, 1);
    expect(pit.getState().channels[2].count_load_time).toBe(count_load_time);
  });
});
