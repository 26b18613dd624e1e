import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unclaimed } from '../../../src/boards/unclaimed.ts';
import { UserBus } from '../../../src/boards/user-bus.ts';
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../../../src/bus/io-device.ts';

/** Remembers what it is asked; honours `sizes`; reads as the low bytes of its own port numbers. */
class Recorder implements IoDevice {
  readonly name: string;
  readonly log: string[] = [];
  readonly #sizes: readonly number[];

  constructor(name: string, sizes: readonly number[]) {
    this.name = name;
    this.#sizes = sizes;
  }

  read(addr: number, size: IoSize): number {
    if (!this.#sizes.includes(size)) return IO_NOT_HANDLED;
    this.log.push(`r${size}@${addr.toString(16)}`);
    let value = 0;
    for (let i = 0; i < size; i++) value += ((addr + i) & 0xff) * 2 ** (8 * i);
    return value;
  }

  write(addr: number, size: IoSize, value: number): boolean {
    if (!this.#sizes.includes(size)) return false;
    this.log.push(`w${size}@${addr.toString(16)}=${value.toString(16)}`);
    return true;
  }
}

function build() {
  const bytes = new Recorder('bytes', [1]);
  const wide = new Recorder('wide', [1, 2, 4]);
  const last = new Recorder('last', [1]);
  const warnings: string[] = [];
  const unclaimed = new Unclaimed({
    policy: 'warn',
    onWarning: (line) => warnings.push(line),
    onError() {},
    where: () => '0000:7c00',
  });
  const bus = new UserBus(
    [
      { base: 0x10, len: 4, device: bytes },
      { base: 0x14, len: 4, device: wide },
      { base: 0xffff, len: 1, device: last },
    ],
    unclaimed,
  );
  return { bus, bytes, wide, last, warnings };
}

describe('an access', () => {
  it('goes whole to the device that contains it and honours its width', () => {
    const { bus, wide, warnings } = build();
    expect(bus.read(0x14, 4)).toBe(0x17161514);
    bus.write(0x16, 2, 0xbeef);
    expect(wide.log).toEqual(['r4@14', 'w2@16=beef']);
    expect(warnings).toEqual([]);
  });

  it('is split into bytes, low one first, for a device that takes bytes', () => {
    const { bus, bytes } = build();
    bus.write(0x10, 4, 0xddccbbaa);
    expect(bus.read(0x12, 2)).toBe(0x1312);
    expect(bytes.log).toEqual(['w1@10=aa', 'w1@11=bb', 'w1@12=cc', 'w1@13=dd', 'r1@12', 'r1@13']);
  });

  it('is split where it leaves its first device', () => {
    const { bus, bytes, wide } = build();
    expect(bus.read(0x13, 2)).toBe(0x1413);
    expect([bytes.log, wide.log]).toEqual([['r1@13'], ['r1@14']]);
  });

  it('reads ones where nobody is, in part or whole', () => {
    const { bus, warnings } = build();
    expect([bus.read(0x17, 2), bus.read(0x0f, 2), bus.read(0x100, 4)]).toEqual([0xff17, 0x10ff, 0xffff_ffff]);
    expect(warnings).toEqual([
      'no device at port 0x0018: read of 1 byte at 0000:7c00',
      'no device at port 0x000f: read of 1 byte at 0000:7c00',
      'no device at port 0x0100: read of 4 bytes at 0000:7c00',
    ]);
  });

  it('does not wrap at the last port', () => {
    const { bus, last } = build();
    expect(bus.read(0xffff, 4)).toBe(0xffff_ffff);
    bus.write(0xffff, 2, 0x1234);
    expect(last.log).toEqual(['r1@ffff', 'w1@ffff=34']);
  });

  it('of any port and width does what byte accesses on its ports do', () => {
    const near = fc.oneof(fc.integer({ min: 0x0c, max: 0x1b }), fc.integer({ min: 0xfffc, max: 0xffff }));
    fc.assert(
      fc.property(near, fc.constantFrom<IoSize>(1, 2, 4), (port, size) => {
        const { bus } = build();
        let expected = 0;
        for (let i = 0; i < size; i++) {
          const at = port + i;
          expected += (bus.deviceAt(at) ? at & 0xff : 0xff) * 2 ** (8 * i);
        }
        expect(bus.read(port, size)).toBe(expected);
      }),
    );
  });
});

describe('a port range', () => {
  const silent = new Unclaimed({ policy: 'open-bus', onWarning() {}, onError() {}, where: () => '' });
  const device = new Recorder('probe', [1]);

  it.each([
    [[{ base: 0xffff, len: 2, device }], 'probe: ports 0xffff+0x2 leave 0x0000–0xffff'],
    [[{ base: 0, len: 0, device }], 'probe: ports 0x0+0x0 leave 0x0000–0xffff'],
    [
      [
        { base: 0x60, len: 1, device },
        { base: 0x5f, len: 4, device },
      ],
      'probe: ports 0x5f+0x4 overlap those of probe',
    ],
  ])('is refused when it leaves the ports or overlaps', (assignments, message) => {
    expect(() => new UserBus(assignments, silent)).toThrow(message);
  });
});
