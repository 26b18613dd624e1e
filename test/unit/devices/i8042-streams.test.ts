import { expect, it } from 'vitest';
import { I8042 } from '../../../src/devices/i8042.ts';
import { I8042_COMMAND_PORT, I8042_DATA_PORT } from '../../../src/devices/i8042-reg.ts';
import { KEYBOARD_BUFFER_LEN } from '../../../src/devices/ps2-keyboard.ts';
import { TestClock, TestLine } from './board-device-fakes.ts';
import {
  type Bench,
  continuesAfterLoad,
  declinesWithoutEffect,
  keepsItsRanges,
  steps,
} from './device-streams.ts';

const STREAM = steps(
  [I8042_DATA_PORT, I8042_COMMAND_PORT],
  [0x20, 0x60, 0x41, 0x01, 0xaa, 0xab, 0xad, 0xae, 0xd0, 0xd1, 0xd2, 0xed, 0xf0, 0xf2, 0xf4, 0xf5, 0xff],
);

function build(): Bench & { device: I8042 } {
  const irq = new TestLine();
  const device = new I8042({ irq, setA20() {}, onReset() {} });
  return { device, clock: new TestClock(), irq, input: (byte) => void device.receiveScancode(byte) };
}

it('keeps its state in range under any stream', () => {
  keepsItsRanges(build, STREAM, (bench) => {
    const { state: s, keyboard } = bench.device as I8042;
    const k = keyboard.state;
    expect([s.ctr & ~0xff, s.sys & ~4, s.cmddat & ~8, s.outputPort & ~0xcf, s.output & ~0xff]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    expect(s.pendingReply >= -1 && s.pendingReply <= 0xff).toBe(true);
    expect(
      k.codesCount >= 0 && k.codesCount <= KEYBOARD_BUFFER_LEN && k.codesHead < KEYBOARD_BUFFER_LEN,
    ).toBe(true);
    expect(k.replyCount >= 0 && k.replyHead + k.replyCount <= 3).toBe(true);
    expect([1, 2, 3]).toContain(k.scanSet);
    expect([k.leds & ~7, k.typematic & ~0x7f]).toEqual([0, 0]);
    expect(bench.irq.level).toBe(s.isOutputFull && (s.ctr & 1) !== 0 ? 1 : 0);
    expect(bench.device.read(I8042_COMMAND_PORT, 1) & ~0x1d).toBe(0);
  });
});

it('declines wide accesses without effect', () => declinesWithoutEffect(build, STREAM));

it('goes on after save and load as if nothing had happened', () => continuesAfterLoad(build, STREAM));
