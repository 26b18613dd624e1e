import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Kvm } from '../../../src/kvm/kvm.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { EFAULT, EINVAL, ENOSPC } from '../../../src/uapi/errno.ts';
import {
  KVM_COALESCED_MMIO_PAGE_OFFSET,
  KVM_MMIO_BUS,
  KVM_PIO_BUS,
  type KvmCoalescedMmioZone,
  NR_IOBUS_DEVS,
} from '../../../src/uapi/kvm.ts';
import { drainCoalescedRing, KVM_COALESCED_MMIO_MAX } from '../../../src/uapi/kvm-coalesced-ring.ts';
import { realMachine } from './real-machine.ts';
import { exitsOf } from './userspace-loop.ts';

/** mov cx,N; 1: out 0x80,al; inc al; loop 1b */
const outs = (n: number): string =>
  `b9 ${(n & 0xff).toString(16).padStart(2, '0')} 0${n >> 8} e6 80 fe c0 e2 fa`;

describe('a coalesced zone of ports', () => {
  it('edge case 57: gathers 169 OUTs silently; the 170th leaves to userspace', () => {
    const machine = realMachine(outs(170));
    expect(machine.vm.registerCoalescedMmio({ addr: 0x80, size: 1, pio: 1 })).toBe(0);
    expect(exitsOf(machine)).toEqual(['out 80 1 a9']);
    const ring = machine.vcpu.run.coalesced;
    expect([KVM_COALESCED_MMIO_MAX, ring.first, ring.last]).toEqual([170, 0, 169]);
    const values: number[] = [];
    expect(drainCoalescedRing(ring, ({ data }) => values.push(data[0]))).toBe(169);
    expect(values).toEqual(Array.from({ length: 169 }, (_, i) => i));
    expect(drainCoalescedRing(ring, () => {})).toBe(0);
  });

  it('goes on round the ring once userspace has taken some', () => {
    const machine = realMachine(outs(300));
    machine.vm.registerCoalescedMmio({ addr: 0x80, size: 1, pio: 1 });
    const { run } = machine.vcpu;
    const seen: number[] = [];
    machine.vcpu.kvmRun();
    drainCoalescedRing(run.coalesced, ({ data }) => seen.push(data[0]));
    seen.push(run.pioData[0]);
    expect(exitsOf(machine)).toEqual([]);
    drainCoalescedRing(run.coalesced, ({ data }) => seen.push(data[0]));
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i & 0xff));
  });

  it('lays an entry out as the kernel does, and leaves the rest of its data alone', () => {
    // mov eax,0x44332211; out 0x80,eax
    const machine = realMachine('66 b8 11 22 33 44 66 e7 80');
    machine.vm.registerCoalescedMmio({ addr: 0x80, size: 4, pio: 1 });
    const page = new Uint8Array(machine.vcpu.run.buffer, KVM_COALESCED_MMIO_PAGE_OFFSET * 4096, 64).fill(
      0xee,
      8,
    );
    exitsOf(machine);
    const hex = Buffer.from(page.slice(0, 36)).toString('hex');
    expect(hex).toBe(
      ['00000000 01000000', '80000000 00000000 04000000 01000000', '11223344 eeeeeeee', 'eeeeeeee']
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('takes no read, and no write that is not all inside', () => {
    // in al,0x80; out 0x81,ax; out 0x80,ax
    const machine = realMachine('e4 80 e7 81 e7 80');
    machine.vm.registerCoalescedMmio({ addr: 0x80, size: 2, pio: 1 });
    expect(exitsOf(machine)).toEqual(['in 80 1', 'out 81 2 0000']);
    expect(machine.vcpu.run.coalesced.last).toBe(1);
  });

  it('leaves to userspace when that has set `last` to what is no entry', () => {
    const machine = realMachine(outs(2));
    machine.vm.registerCoalescedMmio({ addr: 0x80, size: 1, pio: 1 });
    machine.vcpu.run.coalesced.last = KVM_COALESCED_MMIO_MAX;
    expect(exitsOf(machine)).toEqual(['out 80 1 00', 'out 80 1 01']);
    expect(drainCoalescedRing(machine.vcpu.run.coalesced, () => {})).toBe(KVM_COALESCED_MMIO_MAX);
  });

  it('is asked in the order of the bus: a device with the same start and length that came first wins', () => {
    const machine = realMachine('e6 40');
    machine.vm.registerCoalescedMmio({ addr: 0x40, size: 4, pio: 1 });
    expect(exitsOf(machine)).toEqual([]);
    expect(machine.vcpu.run.coalesced.last).toBe(0);
  });
});

describe('a coalesced zone of addresses', () => {
  it('takes a store of the guest', () => {
    // mov byte ds:[0x10],0x5a, DS behind the memory
    const machine = realMachine('c6 06 10 00 5a', {}, { devices: false });
    const sregs = machine.vcpu.getSregs();
    if (typeof sregs === 'number') throw new Error('KVM_GET_SREGS');
    sregs.ds.base = 0x20_0000;
    machine.vcpu.setSregs(sregs);
    machine.vm.registerCoalescedMmio({ addr: 0x20_0000, size: 0x1000, pio: 0 });
    exitsOf(machine);
    const seen: unknown[] = [];
    drainCoalescedRing(machine.vcpu.run.coalesced, (write) => seen.push(write));
    expect(seen).toEqual([{ phys_addr: 0x20_0010, len: 1, pio: 0, data: Uint8Array.of(0x5a) }]);
  });

  it('takes 8 bytes at an address beyond 4 GiB', () => {
    const { vm, vcpu } = realMachine('90');
    vm.registerCoalescedMmio({ addr: 0x12_3456_7890, size: 8, pio: 0 });
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    expect(vm.buses[KVM_MMIO_BUS].range.dev.at(-1)?.write64?.(0x12_3456_7890, data)).toBe(true);
    expect(vcpu.run.coalesced.entry(0)).toEqual({ phys_addr: 0x12_3456_7890, len: 8, pio: 0, data });
  });
});

describe('KVM_REGISTER_COALESCED_MMIO and its opposite', () => {
  const vmOf = (): Vm => new Kvm().createVm();

  it.each([
    ['pio 2', { addr: 0x80, size: 1, pio: 2 }, -EINVAL],
    ['pio −1', { addr: 0x80, size: 1, pio: -1 }, -EINVAL],
    ['a negative address', { addr: -1, size: 1, pio: 1 }, -EINVAL],
    ['a size of 2^32', { addr: 0x80, size: 2 ** 32, pio: 1 }, -EINVAL],
    ['a size that is not whole', { addr: 0x80, size: 1.5, pio: 1 }, -EINVAL],
    ['size 0', { addr: 0x80, size: 0, pio: 1 }, 0],
    ['a zone that wraps', { addr: 0xffff_ffff_ffff_ffffn, size: 0xffff_ffff, pio: 0 }, 0],
    ['no structure', null, -EFAULT],
  ])('%s', (_name, zone, result) => {
    const vm = vmOf();
    expect(vm.registerCoalescedMmio(zone as KvmCoalescedMmioZone)).toBe(result);
    expect(vm.unregisterCoalescedMmio(zone as KvmCoalescedMmioZone)).toBe(result);
  });

  it('is refused by a full bus', () => {
    const vm = vmOf();
    for (let i = 0; i < NR_IOBUS_DEVS; i++) {
      expect(vm.registerCoalescedMmio({ addr: i, size: 1, pio: 1 })).toBe(0);
    }
    expect(vm.registerCoalescedMmio({ addr: 0x8000, size: 1, pio: 1 })).toBe(-ENOSPC);
    expect(vm.registerCoalescedMmio({ addr: 0x8000, size: 1, pio: 0 })).toBe(0);
  });

  it('removes every zone of the kind that contains the range, and no other', () => {
    const vm = vmOf();
    const zones = [
      { addr: 0x80, size: 4, pio: 1 },
      { addr: 0x80, size: 8, pio: 1 },
      { addr: 0x82, size: 1, pio: 1 },
      { addr: 0x80, size: 8, pio: 0 },
    ];
    for (const zone of zones) vm.registerCoalescedMmio(zone);
    expect(vm.unregisterCoalescedMmio({ addr: 0x81, size: 3, pio: 1 })).toBe(0);
    expect([vm.buses[KVM_PIO_BUS].dev_count, vm.buses[KVM_MMIO_BUS].dev_count]).toEqual([1, 1]);
    expect(vm.events.coalescedZones.map(({ addr, pio }) => [addr, pio])).toEqual([
      [0x82, 1],
      [0x80, 0],
    ]);
  });
});

describe('the ring', () => {
  it('never overwrites: userspace takes what was accepted, in order, whatever it does meanwhile', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ writes: fc.integer({ min: 1, max: 100 }) }) },
      { weight: 1, arbitrary: fc.constant('drain' as const) },
      { weight: 2, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 200 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) => {
        const { vm, vcpu } = realMachine('90', {}, { devices: false });
        const ring = vcpu.run.coalesced;
        vm.registerCoalescedMmio({ addr: 0x80, size: 4, pio: 1 });
        const waiting: number[] = [];
        let next = 0;
        for (const s of steps) {
          if (s === 'drain') {
            const taken: number[] = [];
            drainCoalescedRing(ring, ({ data }) => taken.push(Buffer.from(data).readUInt32LE()));
            expect(taken).toEqual(waiting.splice(0));
          } else if ('writes' in s) {
            for (let i = 0; i < s.writes; i++, next++) {
              const isTaken = vm.fn.kvmIoBusWrite(vm.buses[KVM_PIO_BUS], 0x80, 4, next);
              expect(isTaken).toBe(waiting.length < 169);
              if (isTaken) waiting.push(next);
            }
          } else {
            // Userspace by hand, one entry at a time.
            for (let i = 0; i < s.take && ring.first !== ring.last; i++) {
              expect(Buffer.from(ring.entry(ring.first).data).readUInt32LE()).toBe(waiting.shift());
              ring.first = (ring.first + 1) % KVM_COALESCED_MMIO_MAX;
            }
          }
          expect((ring.last - ring.first + 170) % 170).toBe(waiting.length);
        }
      }),
      { numRuns: 100 },
    );
  });
});
