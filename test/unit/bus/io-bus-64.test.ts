/** Accesses of eight bytes: only devices that have them take them, in the order of the ranges. */
import { describe, expect, it } from 'vitest';
import { KvmIoBus, kvmIoBusRead64, kvmIoBusRegisterDev, kvmIoBusWrite64 } from '../../../src/bus/io-bus.ts';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import { KVM_MMIO_BUS } from '../../../src/uapi/kvm.ts';

const AT = 0x1000;
const DATA = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

type Kind = 'takes' | 'declines' | 'cannot';

/** A bus with devices of eight bytes or more at `AT`, and who was asked in what order. */
function busOf(...ranges: (readonly [name: string, len: number, kind: Kind])[]): {
  bus: KvmIoBus;
  asked: string[];
} {
  const bus = new KvmIoBus(KVM_MMIO_BUS);
  const asked: string[] = [];
  const takes = (name: string, kind: Kind, addr: number, data: Uint8Array): boolean => {
    asked.push(`${name} ${addr.toString(16)} ${data.join('')}`);
    return kind === 'takes';
  };
  for (const [name, len, kind] of ranges) {
    const wide: Partial<IoDevice> = {
      read64: (addr, data) => takes(`read ${name}`, kind, addr, data),
      write64: (addr, data) => takes(`write ${name}`, kind, addr, data),
    };
    const dev: IoDevice = { name, read: () => -1, write: () => false, ...(kind === 'cannot' ? {} : wide) };
    expect(kvmIoBusRegisterDev(bus, AT, len, dev)).toBe(0);
  }
  return { bus, asked };
}

const both = (bus: KvmIoBus, addr: number): boolean[] => [
  kvmIoBusRead64(bus, addr, DATA),
  kvmIoBusWrite64(bus, addr, DATA),
];

describe('an access of eight bytes', () => {
  it('goes to the first range that takes it', () => {
    const { bus, asked } = busOf(
      ['b', 16, 'declines'],
      ['a', 8, 'cannot'],
      ['c', 32, 'takes'],
      ['d', 64, 'takes'],
    );
    expect(both(bus, AT)).toEqual([true, true]);
    expect(asked).toEqual([
      'read b 1000 12345678',
      'read c 1000 12345678',
      'write b 1000 12345678',
      'write c 1000 12345678',
    ]);
  });

  it('is nobody’s where all decline, and asks no range that does not hold all of it', () => {
    const { bus, asked } = busOf(['a', 16, 'declines'], ['b', 12, 'declines']);
    expect(both(bus, AT + 8)).toEqual([false, false]);
    expect(asked).toEqual(['read a 1008 12345678', 'write a 1008 12345678']);
  });

  it('asks no range behind one that does not match', () => {
    const { bus, asked } = busOf(['a', 16, 'declines']);
    const behind: IoDevice = {
      name: 'z',
      read: () => -1,
      write: () => false,
      read64: () => true,
      write64: () => true,
    };
    kvmIoBusRegisterDev(bus, AT + 0x100, 8, behind);
    expect(both(bus, AT)).toEqual([false, false]);
    expect(asked).toHaveLength(2);
  });

  it('finds nobody outside all ranges', () => {
    const { bus, asked } = busOf(['a', 8, 'takes']);
    expect(both(bus, AT + 4)).toEqual([false, false]);
    expect(both(new KvmIoBus(KVM_MMIO_BUS), AT)).toEqual([false, false]);
    expect(asked).toEqual([]);
  });
});
