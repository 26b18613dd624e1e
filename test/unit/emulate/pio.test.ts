/** The core of port I/O by itself: elements in memory, time inside an exit, and what becomes of a batch. */
import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice } from '../../../src/bus/io-device.ts';
import {
  kernelPio,
  loadElement,
  PIO_BY_BOARD,
  PIO_EXIT,
  PIO_IN_KERNEL,
  passTicks,
  storeElement,
  userspacePio,
} from '../../../src/emulate/pio.ts';
import { EOPNOTSUPP } from '../../../src/uapi/errno.ts';
import { type IoSize, KVM_EXIT_IO, KVM_PIO_BUS } from '../../../src/uapi/kvm.ts';
import { LogBus, type Machine, realMachine, TraceLog } from '../kvm/real-machine.ts';

const PORT = 0x300;
const ABSENT = 0x400;

/** A machine with a device at PORT whose reads come from `answers`, and which takes as many writes as there are. */
function machineWith(answers: readonly number[]): Machine & { log: string[] } {
  const machine = realMachine('', {}, { devices: false });
  const { clock } = machine.vm;
  const log: string[] = [];
  let at = 0;
  const device: IoDevice = {
    name: 'answers',
    read: (port, size) => {
      log.push(`in ${port.toString(16)} ${size} @${clock.ticks}`);
      return answers[at++] ?? IO_NOT_HANDLED;
    },
    write: (port, size, value) => {
      log.push(`out ${port.toString(16)} ${size} ${value.toString(16)} @${clock.ticks}`);
      return at++ < answers.length;
    },
  };
  machine.vm.fn.kvmIoBusRegisterDev(machine.vm.buses[KVM_PIO_BUS], PORT, 8, device);
  return { ...machine, log };
}

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => 0xa0 + i);
}

describe('an element', () => {
  it.each([
    [1, 0xa1],
    [2, 0xa2a1],
    [4, 0xa4a3_a2a1],
  ] as const)('of %i bytes is little-endian and unsigned, and touches no byte beside it', (size, value) => {
    expect(loadElement(bytes(8), 1, size)).toBe(value);
    const data = new Uint8Array(8).fill(0xee);
    storeElement(data, 1, size, value);
    expect([...data]).toEqual([0xee, ...bytes(8).subarray(1, 1 + size), ...Array(7 - size).fill(0xee)]);
  });
});

describe('time inside an exit', () => {
  it('runs an alarm at its very tick, not before', () => {
    const { vm, vcpu } = realMachine('', {}, { devices: false });
    const seen: number[] = [];
    vm.clock.createAlarm(() => seen.push(vm.clock.ticks)).set(vm.clock.nowNs + 30);
    passTicks(vcpu, 2);
    expect([vm.clock.ticks, seen]).toEqual([2, []]);
    passTicks(vcpu, 1);
    expect(seen).toEqual([3]);
  });
});

describe('a batch on the kernel’s bus', () => {
  it('reads element by element, one tick apart', () => {
    const { vcpu, log } = machineWith([0x1111, 0x2222, 0x3333]);
    const data = bytes(8);
    expect(kernelPio(vcpu, 2, PORT, data, 3, true)).toBe(0);
    expect([...data]).toEqual([0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0xa6, 0xa7]);
    expect(log).toEqual(['in 300 2 @0', 'in 300 2 @1', 'in 300 2 @2']);
  });

  it('writes element by element, one tick apart', () => {
    const { vcpu, log } = machineWith([1, 1, 1]);
    expect(kernelPio(vcpu, 2, PORT, bytes(6), 3, false)).toBe(0);
    expect(log).toEqual(['out 300 2 a1a0 @0', 'out 300 2 a3a2 @1', 'out 300 2 a5a4 @2']);
  });

  it('is nobody’s when the first element is refused', () => {
    const { vcpu, vm } = machineWith([]);
    for (const isIn of [true, false]) {
      const data = bytes(4);
      expect(kernelPio(vcpu, 1, PORT, data, 4, isIn)).toBe(-EOPNOTSUPP);
      expect([...data]).toEqual([...bytes(4)]);
    }
    expect(vm.clock.ticks).toBe(0);
  });

  it('reads zeros from the element on that is refused, and takes the ticks of all', () => {
    const { vcpu, vm, log } = machineWith([0x11, 0x22]);
    const data = bytes(8);
    expect(kernelPio(vcpu, 1, PORT, data, 6, true)).toBe(0);
    expect([...data]).toEqual([0x11, 0x22, 0, 0, 0, 0, 0xa6, 0xa7]);
    expect([log.length, vm.clock.ticks]).toEqual([3, 5]);
  });

  it('reads zeros of the size of its elements', () => {
    const { vcpu } = machineWith([0x1111]);
    const data = bytes(8);
    expect(kernelPio(vcpu, 2, PORT, data, 3, true)).toBe(0);
    expect([...data]).toEqual([0x11, 0x11, 0, 0, 0, 0, 0xa6, 0xa7]);
  });

  it('drops the writes from the element on that is refused', () => {
    const { vcpu, log } = machineWith([1, 1]);
    expect(kernelPio(vcpu, 1, PORT, bytes(5), 5, false)).toBe(0);
    expect(log).toHaveLength(3);
  });

  it('keeps the bytes of elements that a device takes without storing', () => {
    const { vcpu } = machineWith([0x11, IO_NOTHING_STORED, 0]);
    const data = bytes(4);
    expect(kernelPio(vcpu, 1, PORT, data, 3, true)).toBe(0);
    expect([...data]).toEqual([0x11, 0xa1, 0, 0xa3]);
  });
});

describe('a batch on the board’s bus', () => {
  it.each([1, 2, 4] as const)('of %i-byte elements is made at one instant', (size: IoSize) => {
    const { vm } = realMachine('', {}, { devices: false });
    const bus = new LogBus(vm, [1, 2]);
    const data = bytes(3 * size);
    userspacePio(bus, size, PORT, data, 2, true);
    userspacePio(bus, size, PORT, data, 2, false);
    expect(bus.log).toEqual(
      ['in 300 S 1', 'in 300 S 2', 'out 300 S 1', 'out 300 S 2'].map(
        (line) => `${line.replace('S', `${size}`)} @0`,
      ),
    );
    expect([...data.subarray(2 * size)]).toEqual([...bytes(3 * size).subarray(2 * size)]);
  });
});

describe('an access', () => {
  it('is the kernel’s, the board’s, or an exit', () => {
    const { vm, vcpu } = machineWith([0x11]);
    const { fn } = vm;
    const data = bytes(1);
    expect(fn.emulatorPioInOut(vcpu, 1, PORT, data, 1, true)).toBe(PIO_IN_KERNEL);
    expect([vcpu.stat.userspace_io_exits, vcpu.run.exit_reason]).toEqual([0, 0]);
    vcpu.userspace = new LogBus(vm, [0x22]);
    expect(fn.emulatorPioInOut(vcpu, 1, ABSENT, data, 1, true)).toBe(PIO_BY_BOARD);
    expect([data[0], vcpu.stat.userspace_io_exits, vcpu.pio.count]).toEqual([0x22, 1, 0]);
    vcpu.observed = 1;
    expect(fn.emulatorPioInOut(vcpu, 1, ABSENT, data, 1, true)).toBe(PIO_EXIT);
    expect([vcpu.stat.userspace_io_exits, vcpu.run.exit_reason, vcpu.pio.count]).toEqual([2, KVM_EXIT_IO, 1]);
  });

  it('that becomes an exit shows zeros for reads, the data of writes, and no more than its own bytes', () => {
    const { vm, vcpu } = machineWith([]);
    vcpu.run.pioData.fill(0x77);
    vm.fn.emulatorPioInOut(vcpu, 2, ABSENT, bytes(8), 3, true);
    expect([...vcpu.run.pioData.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0x77, 0x77]);
    expect(vcpu.pio).toMatchObject({ port: ABSENT, size: 2, count: 3, in: 1 });
    vm.fn.emulatorPioInOut(vcpu, 2, ABSENT, bytes(8), 2, false);
    expect([...vcpu.run.pioData.subarray(0, 6)]).toEqual([0xa0, 0xa1, 0xa2, 0xa3, 0, 0]);
    expect(vcpu.pio).toMatchObject({ port: ABSENT, size: 2, count: 2, in: 0 });
  });

  it('is traced: a write before anybody takes it, a read when its data is there', () => {
    const { vm, vcpu } = machineWith([0x1234]);
    const { fn } = vm;
    const trace = new TraceLog();
    vcpu.trace = trace;
    fn.emulatorPioIn(vcpu, 2, PORT, bytes(2), 1);
    expect(trace.lines).toEqual(['pio_read 300 2 1 1234']);
    fn.emulatorPioIn(vcpu, 2, ABSENT, bytes(4), 2);
    expect(trace.lines).toHaveLength(1);
    vcpu.run.pioData.set([1, 2, 3, 4]);
    const data = bytes(6);
    fn.completeEmulatorPioIn(vcpu, data);
    expect([...data]).toEqual([1, 2, 3, 4, 0xa4, 0xa5]);
    fn.emulatorPioOut(vcpu, 2, ABSENT, bytes(2), 1);
    expect(trace.lines.slice(1)).toEqual(['pio_read 400 2 2 201', 'pio_write 400 2 1 a1a0']);
  });

  it('of the emulator is the completion of the one that waits, whatever its count', () => {
    const { vm, vcpu, log } = machineWith([0x11]);
    const { fn } = vm;
    const data = bytes(4);
    expect(fn.emulatorPioInEmulated(vcpu, 1, ABSENT, data, 3)).toBe(PIO_EXIT);
    vcpu.run.pioData.set([9, 8, 7]);
    expect(fn.emulatorPioInEmulated(vcpu, 1, PORT, data, 1)).toBe(PIO_IN_KERNEL);
    expect([...data]).toEqual([9, 8, 7, 0xa3]);
    expect([log, vcpu.pio.count, vcpu.ctxt.ticksAhead]).toEqual([[], 0, 0]);
  });
});
