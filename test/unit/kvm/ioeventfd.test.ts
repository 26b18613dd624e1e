import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED, type IoSize } from '../../../src/bus/io-device.ts';
import { Eventfd } from '../../../src/kvm/eventfd.ts';
import { Kvm } from '../../../src/kvm/kvm.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { EBADF, EEXIST, EFAULT, EINVAL, ENOENT, ENOSPC } from '../../../src/uapi/errno.ts';
import {
  KVM_FAST_MMIO_BUS,
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_DEASSIGN,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY,
  KVM_MMIO_BUS,
  KVM_PIO_BUS,
  KVM_VIRTIO_CCW_NOTIFY_BUS,
  type KvmIoeventfd,
  NR_IOBUS_DEVS,
} from '../../../src/uapi/kvm.ts';
import { realMachine } from './real-machine.ts';
import { exitsOf, pioEvent } from './userspace-loop.ts';

const deassign = (args: KvmIoeventfd): KvmIoeventfd => ({
  ...args,
  flags: args.flags | KVM_IOEVENTFD_FLAG_DEASSIGN,
});

const device = (name: string) => ({ name, read: () => 0, write: () => true });

describe('an OUT to an ioeventfd', () => {
  it('edge case 51: a shorter range with the PIT’s start comes first: AL signals, AX goes to the PIT', () => {
    // mov ax,0x3412; out 0x40,al; out 0x80,al; out 0x40,ax
    const machine = realMachine('b8 12 34 e6 40 e6 80 e7 40');
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x40, 1))).toBe(0);
    const count = (): number | undefined => machine.vm.pit?.pit_state.channels[0].count;
    const before = count();
    machine.vcpu.kvmRun();
    expect([machine.vcpu.run.io.port, fd.count, count()]).toEqual([0x80, 1n, before]);
    expect(exitsOf(machine)).toEqual([]);
    expect([fd.count, count()]).toEqual([1n, 0x12]);
  });

  it.each([
    ['edge case 52: a range inside the PIT’s loses against it', 0x41, 1],
    ['edge case 53: a range of length 0 loses against a device with the same start', 0x40, 0],
  ])('%s', (_name, addr, len) => {
    const machine = realMachine('b0 12 e6 40 e6 41');
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, addr, len))).toBe(0);
    expect(exitsOf(machine)).toEqual([]);
    expect(fd.count).toBe(0n);
    expect(machine.vm.pit?.pit_state.channels.map((c) => c.count)).toEqual([0x12, 0x12, 0x10000]);
  });

  it('edge case 54: with a datamatch takes that value of that length; everything else leaves', () => {
    // mov ax,0x1234; out 0x90,ax; inc ax; out 0x90,ax; out 0x90,al
    const machine = realMachine('b8 34 12 e7 90 40 e7 90 e6 90');
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x90, 2, 0x1234))).toBe(0);
    expect(exitsOf(machine)).toEqual(['out 90 2 1235', 'out 90 1 35']);
    expect(fd.count).toBe(1n);
  });

  it('edge case 55: a datamatch wider than the length never matches; lengths coexist, a wildcard collides', () => {
    const machine = realMachine('b0 12 e6 90');
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x90, 1, 0x1_0000_0012))).toBe(0);
    expect(exitsOf(machine)).toEqual(['out 90 1 12']);
    expect(fd.count).toBe(0n);
    expect(machine.vm.ioeventfd(pioEvent(new Eventfd(), 0x90, 1))).toBe(-EEXIST);
    expect(machine.vm.ioeventfd(pioEvent(new Eventfd(), 0x90, 2))).toBe(0);
  });

  it('edge case 56: a read leaves to userspace', () => {
    const machine = realMachine('e4 90');
    expect(machine.vm.ioeventfd(pioEvent(new Eventfd(), 0x90, 1))).toBe(0);
    expect(exitsOf(machine)).toEqual(['in 90 1']);
  });

  it('edge case 59: on a bus with little else, one inside a device hides the ports behind it', () => {
    const machine = realMachine('b0 12 e6 42 e6 41 e6 40', {}, { devices: false });
    const { vm } = machine;
    expect(vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], 0x40, 4, device('pit'))).toBe(0);
    expect(vm.ioeventfd(pioEvent(new Eventfd(), 0x41, 1))).toBe(0);
    // The search starts at the ioeventfd, is sent right of it, and never sees the device.
    expect(exitsOf(machine)).toEqual(['out 42 1 12']);
  });

  it('of length 0 is lost behind a range that was added later and ends where it begins, as in the kernel', () => {
    const machine = realMachine('e6 90', {}, { devices: false });
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x90, 0))).toBe(0);
    expect(machine.vm.ioeventfd(pioEvent(new Eventfd(), 0x88, 8))).toBe(0);
    expect([...machine.vm.buses[KVM_PIO_BUS].range.addr]).toEqual([0x90, 0x88]);
    expect(exitsOf(machine)).toEqual(['out 90 1 00']);
  });

  it('takes any length and value when it has length 0, at its very address', () => {
    const machine = realMachine('e6 90 e7 90 66 e7 90 e6 91');
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x90, 0))).toBe(0);
    expect(exitsOf(machine)).toEqual(['out 91 1 00']);
    expect(fd.count).toBe(3n);
  });

  it('compares all 32 bits, the sign too', () => {
    // mov eax,0x80000001; out 0x90,eax; inc ax; out 0x90,eax
    const machine = realMachine('66 b8 01 00 00 80 66 e7 90 40 66 e7 90');
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x90, 4, 0x8000_0001))).toBe(0);
    expect(exitsOf(machine)).toEqual(['out 90 4 80000002']);
    expect(fd.count).toBe(1n);
  });

  it('signals once an element of a REP OUTSB, and wakes the listener inside the guest’s instruction', () => {
    const machine = realMachine('f3 6e', { ecx: 3, esi: 0x100, edx: 0x90 });
    const seen: bigint[] = [];
    const fd = new Eventfd({ listener: (e) => seen.push(e.count) });
    expect(machine.vm.ioeventfd(pioEvent(fd, 0x90, 1))).toBe(0);
    expect(exitsOf(machine)).toEqual([]);
    expect(seen).toEqual([1n, 2n, 3n]);
  });

  it('is an exit again when it is deassigned', () => {
    const machine = realMachine('e6 90');
    const args = pioEvent(new Eventfd(), 0x90, 1);
    expect(machine.vm.ioeventfd(args)).toBe(0);
    expect(machine.vm.ioeventfd(deassign(args))).toBe(0);
    expect(exitsOf(machine)).toEqual(['out 90 1 00']);
    expect(machine.vm.buses[KVM_PIO_BUS].ioeventfd_count).toBe(0);
  });
});

describe('KVM_IOEVENTFD', () => {
  const vmOf = (): Vm => new Kvm().createVm();

  it.each([
    ['length 3', { len: 3 }, -EINVAL],
    ['length 16', { len: 16 }, -EINVAL],
    ['length −1', { len: -1 }, -EINVAL],
    ['a range past 2^64', { addr: 2n ** 64n - 1n, len: 1 }, -EINVAL],
    ['an address that is no u64', { addr: 1n << 64n }, -EINVAL],
    ['a negative address', { addr: -1 }, -EINVAL],
    ['a datamatch that is no u64', { datamatch: 0.5, flags: 3 }, -EINVAL],
    ['unknown flags', { flags: 1 << 5 }, -EINVAL],
    ['a datamatch without a length', { len: 0, flags: KVM_IOEVENTFD_FLAG_DATAMATCH }, -EINVAL],
    ['no file', { fd: undefined }, -EBADF],
    ['another file', { fd: {} }, -EINVAL],
    ['length 8 on ports, which never hits', { len: 8 }, 0],
    ['the last address with length 0', { addr: 2n ** 64n - 1n, len: 0 }, 0],
    ['the flag of the fast MMIO bus', { flags: 1 << 4 }, 0],
  ])('%s', (_name, change, result) => {
    const vm = vmOf();
    const args = { ...pioEvent(new Eventfd(), 0x90, 1), ...change } as KvmIoeventfd;
    expect(vm.ioeventfd(args)).toBe(result);
    expect(vm.events.ioeventfds).toHaveLength(result === 0 ? 1 : 0);
  });

  it.each([null, undefined, 7, 'x'])('answers EFAULT to %s', (args) => {
    expect(vmOf().ioeventfd(args as unknown as KvmIoeventfd)).toBe(-EFAULT);
  });

  it('refuses a closed eventfd', () => {
    const fd = new Eventfd();
    fd.close();
    expect(vmOf().ioeventfd(pioEvent(fd, 0x90, 1))).toBe(-EBADF);
  });

  it.each([
    ['the same', pioEvent(new Eventfd(), 0x90, 2, 1), -EEXIST],
    ['another value', pioEvent(new Eventfd(), 0x90, 2, 2), 0],
    ['any value', pioEvent(new Eventfd(), 0x90, 2), -EEXIST],
    ['another length', pioEvent(new Eventfd(), 0x90, 1), 0],
    ['length 0', pioEvent(new Eventfd(), 0x90, 0), -EEXIST],
    ['another address inside', pioEvent(new Eventfd(), 0x91, 1), 0],
    ['another bus', { ...pioEvent(new Eventfd(), 0x90, 2), flags: 0 }, 0],
  ])('beside {0x90, 2, datamatch 1}: %s', (_name, args, result) => {
    const vm = vmOf();
    expect(vm.ioeventfd(pioEvent(new Eventfd(), 0x90, 2, 1))).toBe(0);
    expect(vm.ioeventfd(args)).toBe(result);
  });

  it('deassigns only what is the same in eventfd, address, length, kind and value', () => {
    const vm = vmOf();
    const fd = new Eventfd();
    const args = pioEvent(fd, 0x90, 2, 1);
    expect(vm.ioeventfd(args)).toBe(0);
    const others = [
      { ...args, fd: new Eventfd() },
      { ...args, addr: 0x92 },
      { ...args, len: 1 },
      pioEvent(fd, 0x90, 2),
      { ...args, datamatch: 1n << 32n },
      { ...args, flags: args.flags & ~KVM_IOEVENTFD_FLAG_PIO },
    ];
    expect(others.map((other) => vm.ioeventfd(deassign(other)))).toEqual(others.map(() => -ENOENT));
    // Flags that assigning refuses are looked over.
    expect(vm.ioeventfd({ ...deassign(args), flags: deassign(args).flags | (1 << 9) })).toBe(0);
    expect(vm.ioeventfd(deassign(args))).toBe(-ENOENT);
  });

  it('tells addresses and values apart that doubles cannot', () => {
    const vm = vmOf();
    const fd = new Eventfd();
    const at = (addr: bigint, datamatch: bigint): KvmIoeventfd => ({
      ...pioEvent(fd, 0, 8, datamatch),
      addr,
    });
    const all = [at(1n << 60n, 1n << 60n), at((1n << 60n) + 1n, 1n << 60n), at(1n << 60n, (1n << 60n) + 1n)];
    expect(all.map((args) => vm.ioeventfd(args))).toEqual([0, 0, 0]);
    expect(all.map((args) => vm.ioeventfd(args))).toEqual([-EEXIST, -EEXIST, -EEXIST]);
    expect(vm.ioeventfd(deassign(all[1]))).toBe(0);
    expect(vm.events.ioeventfds.map(({ datamatch }) => datamatch)).toEqual([1n << 60n, (1n << 60n) + 1n]);
  });

  it('puts an address of length 0 on the fast MMIO bus too, and takes it off both', () => {
    const vm = vmOf();
    const args = { fd: new Eventfd(), addr: 0xd000_0000, len: 0, datamatch: 0, flags: 0 };
    const counts = (): number[] => vm.buses.map((bus) => bus.dev_count * 10 + bus.ioeventfd_count);
    expect(vm.ioeventfd(args)).toBe(0);
    expect(counts()).toEqual([11, 0, 0, 11]);
    expect(vm.buses[KVM_FAST_MMIO_BUS].range.dev[0].ops).toBe('ioeventfd_ops');
    expect(vm.ioeventfd(args)).toBe(-EEXIST);
    expect(vm.ioeventfd(deassign(args))).toBe(0);
    expect(counts()).toEqual([0, 0, 0, 0]);
  });

  it('takes nothing when the fast MMIO bus is full', () => {
    const vm = vmOf();
    const bus = vm.buses[KVM_FAST_MMIO_BUS];
    for (let i = 0; i < NR_IOBUS_DEVS; i++) vm.fn.kvmIoBusRegisterDev(bus, i, 1, device(`d${i}`));
    expect(vm.ioeventfd({ fd: new Eventfd(), addr: 0xd000_0000, len: 0, datamatch: 0, flags: 0 })).toBe(
      -ENOSPC,
    );
    expect(vm.buses[KVM_MMIO_BUS].dev_count).toBe(0);
    expect(vm.events.ioeventfds).toEqual([]);
  });

  it('keeps ports, addresses and virtio-ccw apart', () => {
    const vm = vmOf();
    for (const flags of [0, KVM_IOEVENTFD_FLAG_PIO, KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY]) {
      expect(vm.ioeventfd({ ...pioEvent(new Eventfd(), 0x90, 4), flags })).toBe(0);
    }
    const counts = vm.buses.map((bus) => bus.ioeventfd_count);
    expect(counts).toEqual([1, 1, 1, 0]);
    expect(vm.buses[KVM_VIRTIO_CCW_NOTIFY_BUS].dev_count).toBe(1);
  });

  it('edge case 58: the 1001st device is refused; ioeventfds are not counted, but refused with it', () => {
    const vm = vmOf();
    const bus = vm.buses[KVM_PIO_BUS];
    for (let i = 0; i < 20; i++) expect(vm.ioeventfd(pioEvent(new Eventfd(), 0x8000 + i, 1))).toBe(0);
    for (let i = 0; i < NR_IOBUS_DEVS; i++) {
      expect(vm.fn.kvmIoBusRegisterDev(bus, 4 * i, 1, device(`d${i}`))).toBe(0);
    }
    expect([bus.dev_count, bus.ioeventfd_count]).toEqual([NR_IOBUS_DEVS + 20, 20]);
    expect(vm.fn.kvmIoBusRegisterDev(bus, 0x9000, 1, device('one more'))).toBe(-ENOSPC);
    expect(vm.ioeventfd(pioEvent(new Eventfd(), 0x9000, 1))).toBe(-ENOSPC);
    expect(vm.events.ioeventfds).toHaveLength(20);
  });

  it('takes a write of the guest to an address, and only of its own length', () => {
    // mov [0x10],al; mov [0x10],ax, DS behind the memory
    const machine = realMachine('a2 10 00 a3 10 00', {}, { devices: false });
    const sregs = machine.vcpu.getSregs();
    if (typeof sregs === 'number') throw new Error('KVM_GET_SREGS');
    sregs.ds.base = 0x20_0000;
    machine.vcpu.setSregs(sregs);
    const fd = new Eventfd();
    expect(machine.vm.ioeventfd({ fd, addr: 0x20_0010, len: 1, datamatch: 0, flags: 0 })).toBe(0);
    exitsOf(machine);
    expect(fd.count).toBe(1n);
  });

  it('matches 8 bytes in both halves', () => {
    const vm = vmOf();
    const fd = new Eventfd();
    const args = { fd, addr: 0xd000_0000, len: 8, datamatch: 0x8899_aabb_ccdd_eeffn, flags: 1 };
    expect(vm.ioeventfd(args)).toBe(0);
    const [dev] = vm.buses[KVM_MMIO_BUS].range.dev;
    const data = Uint8Array.of(0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88);
    expect(dev.write64?.(0xd000_0000, data)).toBe(true);
    data[7] = 0x87;
    expect(dev.write64?.(0xd000_0000, data)).toBe(false);
    expect(fd.count).toBe(1n);
  });
});

/** One ioeventfd, in the model. */
interface Entry {
  addr: number;
  len: number;
  value: bigint | null;
  fd: number;
}

/** Far apart: a range that ends where one of length 0 begins compares equal to it, and the kernel's order breaks. */
const PORTS = [0x100, 0x110, 0x120];
const entry = fc.record({
  addr: fc.constantFrom(...PORTS),
  len: fc.constantFrom(0, 1, 2, 4, 8),
  value: fc.option(fc.constantFrom(0n, 1n, 0xffn, 0xffffn, 0xffff_ffffn, 0x1_0000_0001n), { nil: null }),
  fd: fc.integer({ min: 0, max: 2 }),
});
const access = fc.record({
  addr: fc.constantFrom(...PORTS),
  size: fc.constantFrom<IoSize>(1, 2, 4),
  low: fc.constantFrom(0, 1, 0xff, 0xffff, 0xffff_ffff),
});
const step = fc.oneof(
  fc.record({ assign: entry }),
  fc.record({ deassign: entry }),
  fc.record({ write: access }),
  fc.record({ read: access }),
);

describe('any sequence of KVM_IOEVENTFD and accesses', () => {
  it('signals what a list of rules signals, and answers what it answers', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const vm = new Kvm().createVm();
        const bus = vm.buses[KVM_PIO_BUS];
        const fds = [new Eventfd(), new Eventfd(), new Eventfd()];
        const counts = [0n, 0n, 0n];
        let model: Entry[] = [];
        const same = (a: Entry, b: Entry): boolean =>
          a.addr === b.addr && a.len === b.len && a.value === b.value;
        const overlap = (a: Entry, b: Entry): boolean => {
          if (a.addr !== b.addr) return false;
          if (a.len === 0 || b.len === 0) return true;
          return a.len === b.len && (a.value === null || b.value === null || a.value === b.value);
        };
        for (const s of steps) {
          if ('assign' in s) {
            const e = s.assign;
            const bad = e.len === 0 && e.value !== null;
            const expected = bad ? -EINVAL : model.some((m) => overlap(m, e)) ? -EEXIST : 0;
            expect(vm.ioeventfd(pioEvent(fds[e.fd], e.addr, e.len, e.value ?? undefined))).toBe(expected);
            if (expected === 0) model = [...model, e];
          } else if ('deassign' in s) {
            const e = s.deassign;
            const at = model.findIndex((m) => same(m, e) && m.fd === e.fd);
            const args = pioEvent(fds[e.fd], e.addr, e.len, e.value ?? undefined);
            expect(vm.ioeventfd(deassign(args))).toBe(at < 0 ? -ENOENT : 0);
            if (at >= 0) model = model.toSpliced(at, 1);
          } else if ('write' in s) {
            const { addr, size, low } = s.write;
            const value = BigInt(low) & ((1n << BigInt(8 * size)) - 1n);
            const hits = model.filter(
              (m) => m.addr === addr && (m.len === 0 || (m.len === size && (m.value ?? value) === value)),
            );
            expect(hits.length).toBeLessThan(2);
            for (const hit of hits) counts[hit.fd]++;
            expect(vm.fn.kvmIoBusWrite(bus, addr, size, Number(value))).toBe(hits.length === 1);
          } else {
            expect(vm.fn.kvmIoBusRead(bus, s.read.addr, s.read.size)).toBe(IO_NOT_HANDLED);
          }
          expect(fds.map((fd) => fd.count)).toEqual(counts);
          expect([bus.dev_count, bus.ioeventfd_count]).toEqual([model.length, model.length]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
