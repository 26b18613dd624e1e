/** Devices that take many accesses in one go: as if they had been made one by one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unclaimed } from '../../../src/boards/unclaimed.ts';
import { UserBus } from '../../../src/boards/user-bus.ts';
import type { IoDevice, IoSize } from '../../../src/bus/io-device.ts';
import { POST_CODE_HISTORY_LEN, PostCodeLatch } from '../../../src/devices/post-code.ts';
import { loadElement, storeElement } from '../../../src/emulate/pio.ts';

const PORT = 0x80;
const SIZES: readonly IoSize[] = [1, 2, 4];

function nobody(policy: 'open-bus' | 'warn', lines: string[] = []): IoDevice {
  const unclaimed = new Unclaimed({
    policy,
    onWarning: (line) => void lines.push(line),
    onError: () => {},
    where: () => 'here',
  });
  const device = new UserBus([], unclaimed).deviceFor(PORT, 1);
  if (device === null) throw new Error('somebody');
  return device;
}

const devices: readonly [string, () => IoDevice][] = [
  ['post-code', () => new PostCodeLatch()],
  ['nobody', () => nobody('open-bus')],
];

describe.each(devices)('%s', (_name, make) => {
  it('writes many as one after the other', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SIZES),
        fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 * (POST_CODE_HISTORY_LEN + 9) }), {
          maxLength: 3,
        }),
        (size, batches) => {
          const [many, single] = [make(), make()];
          for (const data of batches) {
            const count = Math.floor((data.length - 1) / size);
            const isTaken = many.writeMany?.(PORT, size, data, 1, count) === true;
            for (let i = 0; i < count; i++) {
              expect(single.write(PORT, size, loadElement(data, 1 + i * size, size))).toBe(isTaken);
            }
          }
          expect(many.saveState?.()).toEqual(single.saveState?.());
          expect(many.read(PORT, 1)).toBe(single.read(PORT, 1));
        },
      ),
    );
  });

  it('reads many as one after the other, and writes nothing beside them', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SIZES), fc.nat(300), fc.nat(255), (size, count, code) => {
        const device = make();
        device.write(PORT, 1, code);
        const data = new Uint8Array(2 + count * size).fill(0x5a);
        const expected = data.slice();
        const isTaken = device.readMany?.(PORT, size, data, 1, count) === true;
        for (let i = 0; isTaken && i < count; i++)
          storeElement(expected, 1 + i * size, size, device.read(PORT, size));
        expect(data).toEqual(expected);
      }),
    );
  });
});

describe('nobody', () => {
  it('is asked for each access where somebody is told of it', () => {
    const lines: string[] = [];
    const device = nobody('warn', lines);
    expect(device.writeMany?.(PORT, 1, new Uint8Array(4), 0, 4)).toBe(false);
    expect(device.readMany?.(PORT, 1, new Uint8Array(4), 0, 4)).toBe(false);
    expect(lines).toEqual([]);
    device.write(PORT, 1, 0);
    expect(lines).toHaveLength(1);
  });
});
