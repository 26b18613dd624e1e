import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../../../src/bus/io-device.ts';
import { CaseSource } from '../../../src/fuzz/generate-case.ts';
import { PortWorld } from '../../../src/fuzz/port-world.ts';
import type { CaseUserspace, DeviceBehaviour } from '../../../src/fuzz/string-io-case.ts';

function world(behaviour: DeviceBehaviour, userspace: CaseUserspace = 'exit'): PortWorld {
  const ports = new PortWorld();
  ports.begin({ ...new CaseSource(1).at(1), userspace, devices: [{ base: 0x40, len: 4, behaviour }] });
  return ports;
}

describe('PortWorld', () => {
  it('answers only accesses that a device contains whole', () => {
    const ports = world('answer');
    expect(ports.kernelRead(0x42, 2)).toBeGreaterThanOrEqual(0);
    expect(ports.kernelRead(0x43, 2)).toBe(IO_NOT_HANDLED);
    expect(ports.kernelRead(0x3f, 1)).toBe(IO_NOT_HANDLED);
    expect(ports.kernelWrite(0x40, 4, 7)).toBe(true);
    expect(ports.log.lines()).toEqual([
      expect.stringMatching(/^kernel in port 0x42 size 2 count 1 data \w+$/),
      'kernel out port 0x40 size 4 count 1 data 00000007',
    ]);
  });

  it('has silent devices, devices that decline, and devices that come and go', () => {
    expect(world('silent').kernelRead(0x40, 1)).toBe(IO_NOTHING_STORED);
    expect(world('decline').kernelRead(0x40, 1)).toBe(IO_NOT_HANDLED);
    const flaky = world('flaky');
    const taken = Array.from({ length: 6 }, () => flaky.kernelWrite(0x40, 1, 1));
    expect(taken).toEqual([true, true, false, true, true, false]);
  });

  it('logs a batch as one exit, or element by element when userspace is a bus', () => {
    const exit = world('answer');
    const bus = world('answer', 'bus');
    const [one, other] = [new Uint8Array(6), new Uint8Array(6)];
    exit.userRead(0x80, 2, 3, one);
    bus.userRead(0x80, 2, 3, other);
    expect(other).toEqual(one);
    expect(exit.log.lines()).toHaveLength(1);
    expect(bus.log.lines()).toHaveLength(3);
    expect([bus.kernel, bus.userspace]).toEqual([0, 3]);
  });

  it('is the same bus to the emulator as to the model', () => {
    const [model, emulator] = [world('answer', 'bus'), world('answer', 'bus')];
    const data = new Uint8Array(4);
    model.userRead(0x99, 4, 1, data);
    expect(emulator.read(0x99, 4)).toBe(new DataView(data.buffer).getUint32(0, true));
    const [{ device }] = emulator.ioDevices();
    expect(device.read(0x41, 1)).toBe(model.kernelRead(0x41, 1));
    expect(device.write(0x41, 1, 5)).toBe(model.kernelWrite(0x41, 1, 5));
    emulator.write(0x99, 2, 0x1234);
    model.userWrite(0x99, 2, 1, Uint8Array.of(0x34, 0x12));
    expect(emulator.log.equals(model.log)).toBe(true);
    expect(emulator.log.lines()).toHaveLength(4);
  });
});
