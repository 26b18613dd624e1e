import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { formatBuses, readBuses } from '../../../src/introspect/buses.ts';
import { Eventfd } from '../../../src/kvm/eventfd.ts';
import { Kvm } from '../../../src/kvm/kvm.ts';
import { KVM_IOEVENTFD_FLAG_PIO, KVM_PIO_BUS } from '../../../src/uapi/kvm.ts';

/** What a drgn program printed on a real kernel, in the file this project came from. */
function seedText(): string {
  const seed = readFileSync(new URL('./buses.seed.txt', import.meta.url), 'utf8');
  return mask(seed);
}

/** Addresses and the pid differ from machine to machine. */
function mask(text: string): string {
  return text.replace(/0xffff[0-9a-f]{12}/g, 'ADDRESS').replace(/userspace_pid:\d+/, 'userspace_pid:PID');
}

describe('pio86’s drgn text of kvm.buses', () => {
  it('is a real kernel’s but for addresses and pid', () => {
    expect(mask(formatBuses(readBuses(createPcBoard().vm)))).toBe(seedText());
  });

  it('shows ioeventfds and coalesced zones with their operations, and counts the former', () => {
    const { vm } = createPcBoard();
    const fd = new Eventfd();
    vm.ioeventfd({ fd, addr: 0x40, len: 1, datamatch: 0, flags: KVM_IOEVENTFD_FLAG_PIO });
    vm.ioeventfd({ fd, addr: 0xd000_0000, len: 0, datamatch: 0, flags: 0 });
    vm.registerCoalescedMmio({ addr: 0x80, size: 1, pio: 1 });
    const { buses } = readBuses(vm);
    expect(buses.map((bus) => [bus.dev_count, bus.ioeventfd_count])).toEqual([
      [2, 1],
      [7, 1],
      [0, 0],
      [1, 1],
    ]);
    const shown = buses[KVM_PIO_BUS].range.map(({ addr, len, ops }) => [addr, len, ops]);
    expect(shown.slice(1, 5)).toEqual([
      [0x40, 1, 'ioeventfd_ops'],
      [0x40, 4, 'pit_dev_ops'],
      [0x61, 4, 'speaker_dev_ops'],
      [0x80, 1, 'coalesced_mmio_ops'],
    ]);
    const text = formatBuses(readBuses(vm));
    expect(text).toMatch(
      /=>range\[1\] addr:0x40 len:1 dev:\n\*\(struct kvm_io_device \*\)0xffffa048[0-9a-f]{7}0 = \{\n {8}\.ops = \(const struct kvm_io_device_ops \*\)ioeventfd_ops\+0x0 = 0xffffffffc0[0-9a-f]{6},\n\}\n/,
    );
  });

  it('is the same in every run', () => {
    expect(readBuses(createPcBoard().vm)).toEqual(readBuses(createPcBoard().vm));
  });

  it('lays what shares a structure side by side', () => {
    const { buses } = readBuses(createPcBoard().vm);
    const at = new Map(buses[KVM_PIO_BUS].range.map(({ ops, dev }) => [ops, BigInt(dev)]));
    const distance = (a: string, b: string) => (at.get(b) ?? 0n) - (at.get(a) ?? 0n);
    expect(distance('picdev_master_ops', 'picdev_slave_ops')).toBe(8n);
    expect(distance('picdev_master_ops', 'picdev_eclr_ops')).toBe(16n);
    expect(distance('pit_dev_ops', 'speaker_dev_ops')).toBe(8n);
    expect(new Set(at.values()).size).toBe(5);
  });

  it('shows a device without an ops symbol as a null pointer', () => {
    const vm = new Kvm().createVm();
    const dev = { name: 'mine', read: () => 0, write: () => true };
    vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], 0x80, 1, dev);
    const text = formatBuses(readBuses(vm));
    expect(text).toContain('=>range[0] addr:0x80 len:1 dev:\n');
    expect(text).toContain('        .ops = (const struct kvm_io_device_ops *)0x0,\n');
    expect(readBuses(vm).buses[KVM_PIO_BUS].range[0]).toMatchObject({ device: 'mine', ops: null });
  });
});
