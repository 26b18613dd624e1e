import { describe, expect, it } from 'vitest';
import { Kvm } from '../../../src/kvm/kvm.ts';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import { EEXIST, EINVAL, ENOENT, ENXIO } from '../../../src/uapi/errno.ts';
import {
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_MEM_READONLY,
  KVM_MMIO_BUS,
  KVM_PIO_BUS,
  KVM_PIT_SPEAKER_DUMMY,
} from '../../../src/uapi/kvm.ts';

const SPEAKER = { flags: KVM_PIT_SPEAKER_DUMMY };

describe('in-kernel devices', () => {
  it('are registered in the kernel’s order, as bpftrace shows it', () => {
    const seen: string[] = [];
    const hooks = {
      enter: (name: string, args: readonly unknown[]): void => {
        if (name === 'kvmIoBusRegisterDev')
          seen.push(`0x${Number(args[1]).toString(16)} len:${String(args[2])}`);
      },
      leave: (): void => {},
    };
    const vm = new Kvm({ hooks }).createVm();
    expect([vm.createIrqchip(), vm.createPit2(SPEAKER)]).toEqual([0, 0]);
    expect(seen).toEqual([
      '0x20 len:2',
      '0xa0 len:2',
      '0x4d0 len:2',
      '0xfec00000 len:256',
      '0x40 len:4',
      '0x61 len:4',
    ]);
  });

  it('carry the kernel’s ops symbols', () => {
    const vm = new Kvm().createVm();
    vm.createIrqchip();
    vm.createPit2(SPEAKER);
    expect(vm.buses[KVM_PIO_BUS].range.dev.map((device) => device.ops)).toEqual([
      'picdev_master_ops',
      'pit_dev_ops',
      'speaker_dev_ops',
      'picdev_slave_ops',
      'picdev_eclr_ops',
    ]);
    expect(vm.buses[KVM_MMIO_BUS].range.dev[0].ops).toBe('ioapic_mmio_ops');
    expect(vm.buses.map((bus) => [bus.idx, bus.dev_count])).toEqual([
      [0, 1],
      [1, 5],
      [2, 0],
      [3, 0],
    ]);
  });

  it('include an IOAPIC that KVM_SET_IRQCHIP stores and every GSI reaches beside the PIC', () => {
    const vm = new Kvm().createVm();
    vm.createIrqchip();
    const state = orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP');
    // Pin 4: edge, unmasked, vector 0x34. No local APIC accepts it, but the edge is spent all the same.
    state.redirtbl[4] = { low: 0x34, high: 0 };
    expect(vm.setIrqchip(KVM_IRQCHIP_IOAPIC, state)).toBe(0);
    expect(orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP')).toEqual(state);
    // 0 from the IOAPIC (delivered to nobody) and 1 from the PIC.
    expect(vm.irqLine(4, 1)).toBe(1);
    // GSI 20 has no PIC pin, and its IOAPIC pin is masked.
    expect(vm.irqLine(20, 1)).toBe(-1);
    expect(orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP').irr).toBe(1 << 20);
  });

  it('refuse one chip’s state for another', () => {
    const vm = new Kvm().createVm();
    vm.createIrqchip();
    const ioapic = orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP');
    expect(vm.setIrqchip(KVM_IRQCHIP_PIC_MASTER, ioapic)).toBe(-EINVAL);
    expect(vm.setIrqchip(KVM_IRQCHIP_IOAPIC, { ...ioapic, redirtbl: [] })).toBe(-EINVAL);
    expect(vm.setIrqchip(3, ioapic)).toBe(-EINVAL);
  });

  it('leave port 0x61 alone without KVM_PIT_SPEAKER_DUMMY', () => {
    const vm = new Kvm().createVm();
    vm.createIrqchip();
    vm.createPit2({ flags: 0 });
    expect(vm.buses[KVM_PIO_BUS].dev_count).toBe(4);
  });

  it('answer with the kernel’s errno', () => {
    const vm = new Kvm().createVm();
    expect(vm.createPit2(SPEAKER)).toBe(-ENOENT);
    expect(vm.irqLine(0, 1)).toBe(-ENXIO);
    vm.createIrqchip();
    expect(vm.createIrqchip()).toBe(-EEXIST);
    expect(vm.setPit2({ channels: [] as never, flags: 0 })).toBe(-ENXIO);
    vm.createPit2(SPEAKER);
    expect(vm.createPit2(SPEAKER)).toBe(-EEXIST);
    expect(
      vm.setIrqchip(KVM_IRQCHIP_IOAPIC, orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER), 'KVM_GET_IRQCHIP')),
    ).toBe(-EINVAL);
    const late = new Kvm().createVm();
    late.createVcpu(0);
    expect(late.createIrqchip()).toBe(-EINVAL);
    expect([late.getIrqchip(0), late.getPit2()]).toEqual([-ENXIO, -ENXIO]);
    expect([late.createVcpu(0), late.createVcpu(1), late.createVcpu(4096)]).toEqual([
      -EEXIST,
      -EINVAL,
      -EINVAL,
    ]);
  });

  it('keep what is set', () => {
    const vm = new Kvm().createVm();
    vm.createIrqchip();
    vm.createPit2(SPEAKER);
    const master = {
      ...orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER), 'KVM_GET_IRQCHIP'),
      imr: 0xfe,
      irq_base: 0x20,
    };
    expect(vm.setIrqchip(KVM_IRQCHIP_PIC_MASTER, master)).toBe(0);
    expect(orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER), 'KVM_GET_IRQCHIP')).toEqual(master);
    const pit = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
    pit.channels[2].gate = 1;
    expect(vm.setPit2(pit)).toBe(0);
    expect(orThrow(vm.getPit2(), 'KVM_GET_PIT2').channels[2].gate).toBe(1);
  });

  it('coalesce a request that is still pending, and ignore a masked pin', () => {
    const vm = new Kvm().createVm();
    vm.createIrqchip();
    expect(vm.irqLine(4, 1)).toBe(1);
    expect([vm.irqLine(4, 0), vm.irqLine(4, 1)].at(-1)).toBe(0);
    vm.setIrqchip(KVM_IRQCHIP_PIC_MASTER, {
      ...orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER), 'KVM_GET_IRQCHIP'),
      imr: 0x20,
    });
    expect(vm.irqLine(5, 1)).toBe(-1);
  });
});

describe('memory regions', () => {
  const region = { slot: 0, flags: 0, guest_phys_addr: 0, memory_size: 0x2000 };

  it.each([
    ['a size that is no whole page', { memory_size: 0x1001 }],
    ['an address that is no page', { guest_phys_addr: 0x800 }],
    ['an end beyond 4 GiB', { guest_phys_addr: 0xffff_f000 }],
    ['a negative address', { guest_phys_addr: -0x1000 }],
    ['a slot number out of range', { slot: 40_000 }],
    ['an unknown flag', { flags: 1 << 7 }],
    ['memory of another size', { mem: new Uint8Array(0x1000) }],
    ['the removal of a slot that is not there', { memory_size: 0 }],
  ])('refuse %s with −EINVAL', (_what, change) => {
    const vm = new Kvm().createVm();
    expect(vm.setUserMemoryRegion({ ...region, ...change })).toBe(-EINVAL);
    expect(vm.memory.slots).toEqual([]);
  });

  it('refuse an overlap with −EEXIST', () => {
    const vm = new Kvm().createVm();
    vm.setUserMemoryRegion(region);
    expect(vm.setUserMemoryRegion({ ...region, slot: 1, guest_phys_addr: 0x1000 })).toBe(-EEXIST);
  });

  it('move with their memory, and refuse to change size or protection', () => {
    const vm = new Kvm().createVm();
    vm.setUserMemoryRegion(region);
    vm.memory.write(0x10, Uint8Array.of(0x5a));
    expect(vm.setUserMemoryRegion({ ...region, guest_phys_addr: 0x1000 })).toBe(0);
    expect(vm.memory.readByte(0x1010)).toBe(0x5a);
    expect(vm.memory.readByte(0x10)).toBe(-1);
    expect(vm.setUserMemoryRegion({ ...region, memory_size: 0x1000 })).toBe(-EINVAL);
    expect(vm.setUserMemoryRegion({ ...region, flags: KVM_MEM_READONLY })).toBe(-EINVAL);
    expect(vm.setUserMemoryRegion({ ...region, guest_phys_addr: 0x1000 })).toBe(0);
    expect(vm.setUserMemoryRegion({ ...region, memory_size: 0 })).toBe(0);
    expect(vm.memory.slots).toEqual([]);
  });
});
