import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  KvmIoBus,
  kvmIoBusCmp,
  kvmIoBusGetFirstDev,
  kvmIoBusRead,
  kvmIoBusRegisterDev,
  kvmIoBusUnregisterDev,
  kvmIoBusWrite,
  kvmIoBusWriteCookie,
} from '../../../src/bus/io-bus.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice, type IoSize } from '../../../src/bus/io-device.ts';
import { ENOENT, ENOSPC, EOPNOTSUPP } from '../../../src/uapi/errno.ts';
import { KVM_PIO_BUS, NR_IOBUS_DEVS } from '../../../src/uapi/kvm.ts';

class Probe implements IoDevice {
  readonly name: string;
  readonly seen: string[] = [];
  answer: number;

  constructor(name: string, answer = 0) {
    this.name = name;
    this.answer = answer;
  }

  read(addr: number, size: IoSize): number {
    this.seen.push(`r${addr.toString(16)}/${size}`);
    return this.answer;
  }

  write(addr: number, size: IoSize, value: number): boolean {
    this.seen.push(`w${addr.toString(16)}/${size}=${value.toString(16)}`);
    return this.answer !== IO_NOT_HANDLED;
  }
}

interface Range {
  addr: number;
  len: number;
}

function busWith(ranges: readonly Range[]): { bus: KvmIoBus; devices: Probe[] } {
  const bus = new KvmIoBus(KVM_PIO_BUS);
  const devices = ranges.map((range, i) => {
    const device = new Probe(`d${i}`, i);
    expect(kvmIoBusRegisterDev(bus, range.addr, range.len, device)).toBe(0);
    return device;
  });
  return { bus, devices };
}

const namesOf = (bus: KvmIoBus): string[] => bus.range.dev.map((device) => device.name);

/** Who takes an access of a byte and more, asked of the bus itself. */
function takerOf(bus: KvmIoBus, addr: number, len: IoSize): string | null {
  const value = kvmIoBusRead(bus, addr, len);
  return value === IO_NOT_HANDLED ? null : (namesOf(bus).find((name) => name === `d${value}`) ?? null);
}

/** Whether a device range answers an access: written down from the rule, not from the code. */
function answers(device: Range, addr: number, len: number): boolean {
  if (device.len === 0) return device.addr === addr;
  return addr >= device.addr && addr + len <= device.addr + device.len;
}

/**
 * The kernel's search, simulated step by step on a list of ranges: what lib/bsearch.c does with a comparison that calls
 * a contained access equal, then the steps back to the first equal neighbour.
 */
function simulateLookup(list: readonly Range[], addr: number, len: number): number {
  const order = (r: Range): number => {
    if (addr < r.addr) return -1;
    const beyond = r.len === 0 ? addr > r.addr : addr + len > r.addr + r.len;
    return beyond ? 1 : 0;
  };
  let window = list.map((range, index) => ({ range, index }));
  let found = -1;
  while (window.length > 0) {
    const middle = Math.floor(window.length / 2);
    const result = order(window[middle].range);
    if (result === 0) {
      found = window[middle].index;
      break;
    }
    window = result < 0 ? window.slice(0, middle) : window.slice(middle + 1);
  }
  if (found < 0) return -ENOENT;
  while (found > 0 && order(list[found - 1]) === 0) found--;
  return found;
}

/** KVM's registration: in front of the first entry that compares greater than the new one. */
function simulateRegister(list: readonly Range[], add: Range): Range[] {
  const greater = (e: Range): boolean => {
    if (e.addr < add.addr) return false;
    return add.len === 0 ? e.addr > add.addr : e.addr + e.len > add.addr + add.len;
  };
  const at = list.findIndex(greater);
  const where = at < 0 ? list.length : at;
  return [...list.slice(0, where), add, ...list.slice(where)];
}

const range = fc.record({ addr: fc.integer({ min: 0, max: 40 }), len: fc.integer({ min: 0, max: 12 }) });
const size = fc.constantFrom<IoSize>(1, 2, 4);

describe('kvmIoBusCmp', () => {
  it('calls an access equal to a range that contains all of it', () => {
    expect(kvmIoBusCmp(0x42, 2, 0x40, 4)).toBe(0);
    expect(kvmIoBusCmp(0x43, 2, 0x40, 4)).toBe(1);
    expect(kvmIoBusCmp(0x3f, 2, 0x40, 4)).toBe(-1);
  });

  it('compares only the start with a range of length 0', () => {
    expect(kvmIoBusCmp(0x40, 4, 0x40, 0)).toBe(0);
    expect(kvmIoBusCmp(0x41, 1, 0x40, 0)).toBe(1);
    expect(kvmIoBusCmp(0x3f, 4, 0x40, 0)).toBe(-1);
  });
});

describe('the default bus', () => {
  const RANGES = [
    { addr: 0x20, len: 2 },
    { addr: 0xa0, len: 2 },
    { addr: 0x4d0, len: 2 },
    { addr: 0x40, len: 4 },
    { addr: 0x61, len: 4 },
  ];
  const TAKEN: readonly (readonly [number, IoSize, string | null])[] = [
    [0x20, 1, 'd0'],
    [0x20, 2, 'd0'],
    [0x21, 1, 'd0'],
    [0x20, 4, null],
    [0x21, 2, null],
    [0x1f, 1, null],
    [0x40, 1, 'd3'],
    [0x40, 2, 'd3'],
    [0x40, 4, 'd3'],
    [0x42, 2, 'd3'],
    [0x43, 1, 'd3'],
    [0x41, 4, null],
    [0x43, 2, null],
    [0x3f, 2, null],
    [0x61, 4, 'd4'],
    [0x64, 1, 'd4'],
    [0x60, 1, null],
    [0x60, 2, null],
    [0x62, 4, null],
    [0xa1, 1, 'd1'],
    [0x4d0, 2, 'd2'],
    [0x4d1, 1, 'd2'],
    [0x4d0, 4, null],
    [0xffff, 4, null],
  ];

  it('is sorted by address, whatever the order of creation', () => {
    const { bus } = busWith(RANGES);
    expect([...bus.range.addr]).toEqual([0x20, 0x40, 0x61, 0xa0, 0x4d0]);
    expect([...bus.range.len]).toEqual([2, 4, 4, 2, 2]);
    expect([bus.dev_count, bus.ioeventfd_count]).toEqual([5, 0]);
  });

  it.each(TAKEN)('port 0x%s size %i goes to %s', (port, len, taker) => {
    expect(takerOf(busWith(RANGES).bus, port, len)).toBe(taker);
  });
});

describe('registration', () => {
  it('51: puts a shorter range with the same start first', () => {
    const { bus } = busWith([
      { addr: 0x40, len: 4 },
      { addr: 0x40, len: 1 },
    ]);
    expect(namesOf(bus)).toEqual(['d1', 'd0']);
    expect([takerOf(bus, 0x40, 1), takerOf(bus, 0x40, 2)]).toEqual(['d1', 'd0']);
  });

  it('52: puts a range that starts later behind, where it is never asked', () => {
    const { bus } = busWith([
      { addr: 0x40, len: 4 },
      { addr: 0x41, len: 1 },
      { addr: 0x61, len: 4 },
    ]);
    expect(namesOf(bus)).toEqual(['d0', 'd1', 'd2']);
    expect(takerOf(bus, 0x41, 1)).toBe('d0');
  });

  it('53: puts a range of length 0 behind one with the same start', () => {
    const { bus } = busWith([
      { addr: 0x40, len: 4 },
      { addr: 0x40, len: 0 },
    ]);
    expect(namesOf(bus)).toEqual(['d0', 'd1']);
    expect(takerOf(bus, 0x40, 1)).toBe('d0');
  });

  it('58: refuses the 1001st device; ioeventfds do not count', () => {
    const bus = new KvmIoBus(KVM_PIO_BUS);
    for (let i = 0; i < NR_IOBUS_DEVS; i++) {
      expect(kvmIoBusRegisterDev(bus, i, 1, new Probe(`d${i}`))).toBe(0);
    }
    expect(kvmIoBusRegisterDev(bus, 5000, 1, new Probe('late'))).toBe(-ENOSPC);
    expect(bus.dev_count).toBe(NR_IOBUS_DEVS);
    bus.ioeventfd_count = 1;
    expect(kvmIoBusRegisterDev(bus, 5000, 1, new Probe('late'))).toBe(0);
    expect(kvmIoBusRead(bus, 5000, 1)).toBe(0);
  });

  it('orders any ranges as the kernel does', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), (ranges) => {
        const { bus } = busWith(ranges);
        let list: Range[] = [];
        for (const add of ranges) list = simulateRegister(list, add);
        expect([...bus.range.addr]).toEqual(list.map((r) => r.addr));
        expect([...bus.range.len]).toEqual(list.map((r) => r.len));
      }),
    );
  });
});

describe('lookup', () => {
  it('59: misses the outer of two nested ranges, as the kernel’s binary search does', () => {
    const { bus } = busWith([
      { addr: 0x40, len: 4 },
      { addr: 0x41, len: 1 },
    ]);
    expect([0x40, 0x41, 0x42, 0x43].map((port) => takerOf(bus, port, 1))).toEqual(['d0', 'd0', null, null]);
  });

  it('finds what a step-by-step simulation of the kernel finds, nested ranges included', () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 12 }),
        fc.integer({ min: 0, max: 60 }),
        size,
        (ranges, addr, len) => {
          let list: Range[] = [];
          for (const add of ranges) list = simulateRegister(list, add);
          expect(kvmIoBusGetFirstDev(busWith(ranges).bus, addr, len)).toBe(simulateLookup(list, addr, len));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('finds the same whatever it was asked before, other lengths and addresses far above included', () => {
    const ports = Array.from({ length: 40 }, (_, i) => i * 0x111);
    const ranges = ports.flatMap((addr) =>
      [addr, addr + 2 ** 31, addr + 2 ** 32].map((at) => ({ addr: at, len: 8 })),
    );
    const { bus } = busWith(ranges.filter((_, i) => i % 4 !== 0));
    const accesses = Array.from({ length: 4000 }, (_, k) => {
      const i = Math.imul(k, 0x9e37_79b1) >>> 1;
      const addr = ranges[i % ranges.length].addr + ((i >>> 9) % 12);
      return { addr: k % 16 === 0 ? addr - 2 ** 32 : addr, len: (i >>> 5) % 11 };
    });
    for (const { addr, len } of accesses) {
      const fresh = new KvmIoBus(KVM_PIO_BUS);
      fresh.range = bus.range;
      fresh.dev_count = bus.dev_count;
      expect(kvmIoBusGetFirstDev(bus, addr, len)).toBe(kvmIoBusGetFirstDev(fresh, addr, len));
    }
  });

  it('finds what a linear scan finds when no ranges overlap', () => {
    const gaps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 8 })), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 0, max: 120 }),
        size,
        fc.infiniteStream(fc.nat()),
        (rows, addr, len, order) => {
          const ranges: Range[] = [];
          let next = 0;
          for (const [gap, length] of rows) {
            ranges.push({ addr: next + gap, len: length });
            next += gap + length;
          }
          const shuffled = ranges
            .map((r) => ({ r, key: order.next().value ?? 0 }))
            .sort((a, b) => a.key - b.key)
            .map(({ r }) => r);
          const { bus } = busWith(shuffled);
          const expected = shuffled.findIndex((r) => answers(r, addr, len));
          expect(kvmIoBusRead(bus, addr, len)).toBe(expected < 0 ? IO_NOT_HANDLED : expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('takes addresses beyond 32 bits', () => {
    const { bus } = busWith([{ addr: 0xfec0_0000, len: 0x100 }]);
    expect(takerOf(bus, 0xfec0_00fc, 4)).toBe('d0');
    expect(takerOf(bus, 0xfec0_00fe, 4)).toBe(null);
  });
});

describe('dispatch', () => {
  it('asks the matching devices in order until one takes it', () => {
    const { bus, devices } = busWith([
      { addr: 0x40, len: 1 },
      { addr: 0x40, len: 2 },
      { addr: 0x40, len: 4 },
    ]);
    devices[0].answer = IO_NOT_HANDLED;
    expect(kvmIoBusRead(bus, 0x40, 1)).toBe(1);
    expect(kvmIoBusWrite(bus, 0x40, 1, 0xab)).toBe(true);
    expect(devices.map((device) => device.seen)).toEqual([['r40/1', 'w40/1=ab'], ['r40/1', 'w40/1=ab'], []]);
    devices[1].answer = IO_NOT_HANDLED;
    devices[2].answer = IO_NOT_HANDLED;
    expect(kvmIoBusRead(bus, 0x40, 1)).toBe(IO_NOT_HANDLED);
    expect(kvmIoBusWrite(bus, 0x40, 1, 0)).toBe(false);
  });

  it('ends at the first range that does not hold the access, when those before it decline', () => {
    const { bus, devices } = busWith([
      { addr: 0x40, len: 2 },
      { addr: 0x44, len: 2 },
    ]);
    devices[0].answer = IO_NOT_HANDLED;
    expect(kvmIoBusRead(bus, 0x40, 1)).toBe(IO_NOT_HANDLED);
    expect(kvmIoBusWrite(bus, 0x40, 1, 0)).toBe(false);
    expect(devices[1].seen).toEqual([]);
  });

  it('passes on that a device took a read without storing', () => {
    const { bus, devices } = busWith([{ addr: 0x40, len: 4 }]);
    devices[0].answer = IO_NOTHING_STORED;
    expect(kvmIoBusRead(bus, 0x43, 1)).toBe(IO_NOTHING_STORED);
  });

  it('reaches nobody on an empty bus', () => {
    const bus = new KvmIoBus(KVM_PIO_BUS);
    expect(kvmIoBusRead(bus, 0, 1)).toBe(IO_NOT_HANDLED);
    expect(kvmIoBusWrite(bus, 0, 1, 0)).toBe(false);
  });

  it('goes on with the devices it started on when one unregisters itself', () => {
    const { bus, devices } = busWith([
      { addr: 0x40, len: 1 },
      { addr: 0x40, len: 2 },
    ]);
    devices[0].read = () => {
      kvmIoBusUnregisterDev(bus, devices[0]);
      return IO_NOT_HANDLED;
    };
    expect(kvmIoBusRead(bus, 0x40, 1)).toBe(1);
    expect(namesOf(bus)).toEqual(['d1']);
  });
});

describe('kvmIoBusWriteCookie', () => {
  it('tries the cookie first, then searches', () => {
    const { bus, devices } = busWith([
      { addr: 0x10, len: 4 },
      { addr: 0x20, len: 4 },
    ]);
    expect(kvmIoBusWriteCookie(bus, 0x20, 1, 7, -1)).toBe(1);
    expect(kvmIoBusWriteCookie(bus, 0x20, 1, 7, 1)).toBe(1);
    expect(kvmIoBusWriteCookie(bus, 0x20, 1, 7, 0)).toBe(1);
    expect(kvmIoBusWriteCookie(bus, 0x20, 1, 7, 99)).toBe(1);
    expect(devices[0].seen).toEqual([]);
    expect(kvmIoBusWriteCookie(bus, 0x30, 1, 7, 1)).toBe(-EOPNOTSUPP);
  });

  it('goes on with the range that took the last write, though another one holds the address too', () => {
    const { bus, devices } = busWith([
      { addr: 0x40, len: 1 },
      { addr: 0x40, len: 2 },
    ]);
    expect(kvmIoBusWriteCookie(bus, 0x40, 1, 7, 1)).toBe(1);
    expect(devices.map((device) => device.seen)).toEqual([[], ['w40/1=7']]);
    expect(kvmIoBusWriteCookie(bus, 0x40, 1, 7, 2)).toBe(0);
  });

  it('finds with the first index what the search misses', () => {
    const { bus, devices } = busWith([
      { addr: 0x40, len: 4 },
      { addr: 0x41, len: 1 },
    ]);
    expect(kvmIoBusWriteCookie(bus, 0x42, 1, 7, -1)).toBe(-EOPNOTSUPP);
    expect(kvmIoBusWriteCookie(bus, 0x42, 1, 7, 0)).toBe(0);
    expect(devices[0].seen).toEqual(['w42/1=7']);
  });
});

describe('kvmIoBusUnregisterDev', () => {
  it('removes the first range of the device and leaves the rest in order', () => {
    const { bus, devices } = busWith([
      { addr: 0x10, len: 4 },
      { addr: 0x20, len: 4 },
      { addr: 0x30, len: 4 },
    ]);
    expect(kvmIoBusUnregisterDev(bus, devices[1])).toBe(0);
    expect(namesOf(bus)).toEqual(['d0', 'd2']);
    expect([takerOf(bus, 0x20, 1), takerOf(bus, 0x30, 1)]).toEqual([null, 'd2']);
    expect(kvmIoBusUnregisterDev(bus, devices[1])).toBe(0);
    expect(bus.dev_count).toBe(2);
  });

  it('leaves nobody at port 0, though it has been asked before', () => {
    const { bus, devices } = busWith([
      { addr: 0, len: 1 },
      { addr: 0x10, len: 1 },
    ]);
    expect(takerOf(bus, 0, 1)).toBe('d0');
    kvmIoBusUnregisterDev(bus, devices[0]);
    expect(takerOf(bus, 0, 1)).toBe(null);
  });

  it('and registering give the bus a generation that it has not had', () => {
    const { bus, devices } = busWith([{ addr: 0, len: 1 }]);
    const generations = [bus.generation];
    for (let i = 0; i < 3; i++) {
      kvmIoBusUnregisterDev(bus, devices[0]);
      generations.push(bus.generation);
      kvmIoBusRegisterDev(bus, 0, 1, devices[0]);
      generations.push(bus.generation);
    }
    expect(new Set(generations).size).toBe(7);
  });
});
