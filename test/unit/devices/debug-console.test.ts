import { expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { BOCHS_DEBUG_PORT, DebugConsole, SEABIOS_DEBUG_PORT } from '../../../src/devices/debug-console.ts';
import { TestSink } from './board-device-fakes.ts';

it('reads 0xe9 at either port, by which guests find it', () => {
  const device = new DebugConsole(new TestSink());
  expect(device.read(BOCHS_DEBUG_PORT, 1)).toBe(0xe9);
  expect(device.read(SEABIOS_DEBUG_PORT, 1)).toBe(0xe9);
});

it('passes bytes on in order and declines wide accesses without effect', () => {
  const sink = new TestSink();
  const device = new DebugConsole(sink);
  for (const byte of [0x4f, 0x6b, 0xff]) expect(device.write(BOCHS_DEBUG_PORT, 1, byte)).toBe(true);
  expect(device.write(BOCHS_DEBUG_PORT, 2, 0x4141)).toBe(false);
  expect(device.write(BOCHS_DEBUG_PORT, 4, 0x41414141)).toBe(false);
  expect(device.read(BOCHS_DEBUG_PORT, 2)).toBe(IO_NOT_HANDLED);
  expect(sink.bytes).toEqual([0x4f, 0x6b, 0xff]);
});
