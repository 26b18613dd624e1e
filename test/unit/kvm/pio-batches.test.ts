import { describe, expect, it } from 'vitest';
import { kvmIoBusUnregisterDev } from '../../../src/bus/io-bus.ts';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import { KVM_PIO_BUS } from '../../../src/uapi/kvm.ts';
import { realMachine, TraceLog } from './real-machine.ts';
import { exitsOf } from './userspace-loop.ts';

const EXIT_IO = 'exit 30';

/** How many pio_writes there are between one VM exit and the next. */
function batches(lines: readonly string[]): number[] {
  const sizes: number[] = [];
  for (const line of lines) {
    if (line.startsWith(EXIT_IO)) sizes.push(0);
    else if (line.startsWith('pio_write')) sizes[sizes.length - 1]++;
  }
  return sizes;
}

describe('a batch of string I/O to an in-kernel device', () => {
  it.each([
    [2048, [1024, 1024, 0]],
    [1500, [476, 1024, 0]],
  ])('edge case 30: REP OUTSB of %i stops when the low ten bits of the count are 0', (ecx, sizes) => {
    const machine = realMachine('f3 6e', { ecx, esi: 0x1000, edx: 0x21 });
    const trace = new TraceLog();
    machine.vcpu.trace = trace;
    expect(exitsOf(machine)).toEqual([]);
    expect(batches(trace.lines)).toEqual(sizes);
    expect(machine.vcpu.cpu.gpr[6]).toBe(0x1000 + ecx);
  });

  it('edge case 31: REP INSB from the PIT is one traced batch of four bus reads, and no exit', () => {
    let reads = 0;
    const hooks = {
      enter: (name: string) => {
        if (name === 'kvmIoBusRead') reads++;
      },
      leave: () => {},
    };
    const machine = realMachine('f3 6c', { ecx: 4, edi: 0x1000, edx: 0x40 }, { hooks });
    const trace = new TraceLog();
    machine.vcpu.trace = trace;
    expect(exitsOf(machine)).toEqual([]);
    expect(reads).toBe(4);
    expect(trace.lines.filter((line) => line.startsWith('pio_'))).toEqual([
      expect.stringMatching(/^pio_read 40 1 4 [0-9a-f]+$/),
    ]);
  });

  it('edge case 77: a device that goes away in the middle of REP INSB leaves zeros, and no exit', () => {
    const machine = realMachine('f3 6c', { ecx: 5, edi: 0x1000, edx: 0x90 });
    const { vm } = machine;
    let reads = 0;
    const dev: IoDevice = {
      name: 'leaves after three',
      read: () => {
        if (++reads === 3) kvmIoBusUnregisterDev(vm.buses[KVM_PIO_BUS], dev);
        return 0x50 + reads;
      },
      write: () => true,
    };
    vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], 0x90, 1, dev);
    vm.memory.write(0x1000, new Uint8Array(6).fill(0xcc));
    expect(exitsOf(machine)).toEqual([]);
    expect([...vm.memory.read(0x1000, 6)]).toEqual([0x51, 0x52, 0x53, 0, 0, 0xcc]);
    expect([machine.vcpu.cpu.gpr[1], machine.vcpu.cpu.gpr[7]]).toEqual([0, 0x1005]);
    // A tick an element all the same, one for the pass that finds CX at 0, one for the HLT.
    expect(vm.clock.ticks).toBe(7);
  });

  it('edge case 78: an access that a device does not contain goes to userspace whole', () => {
    // in eax,0x20; out 0x43,ax
    const machine = realMachine('66 e5 20 e7 43');
    const before = machine.vm.pit?.getState();
    expect(exitsOf(machine)).toEqual(['in 20 4', 'out 43 2 0000']);
    expect(machine.vm.pit?.getState()).toEqual(before);
  });
});
