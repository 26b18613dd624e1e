import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { A20Gate } from '../../../src/devices/a20-gate.ts';
import { PORT92, PORT92_A20, PORT92_RESET, Port92 } from '../../../src/devices/port92.ts';

function build() {
  const log = { a20: [] as boolean[], resets: 0 };
  const device = new Port92({ setA20: (open) => log.a20.push(open), onReset: () => log.resets++ });
  return { device, log };
}

it('drives A20 with bit 1', () => {
  const { device, log } = build();
  device.write(PORT92, 1, PORT92_A20);
  device.write(PORT92, 1, 0);
  expect(log.a20).toEqual([true, false]);
  expect(log.resets).toBe(0);
});

it('resets on the change of bit 0 from 0 to 1 alone', () => {
  const { device, log } = build();
  device.write(PORT92, 1, PORT92_RESET | PORT92_A20);
  expect(log.resets).toBe(1);
  device.write(PORT92, 1, PORT92_RESET);
  expect(log.resets).toBe(1);
  device.write(PORT92, 1, 0);
  device.write(PORT92, 1, PORT92_RESET);
  expect(log.resets).toBe(2);
});

it('declines wide accesses without effect', () => {
  const { device, log } = build();
  expect(device.write(PORT92, 2, 0x0303)).toBe(false);
  expect(device.read(PORT92, 2)).toBe(IO_NOT_HANDLED);
  expect(log).toEqual({ a20: [], resets: 0 });
});

it('counts resets as edges of bit 0 and reads back what was written, save and load at any point', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(255)), fc.nat(20), (values, cut) => {
      const { device, log } = build();
      let before = 0;
      let edges = 0;
      values.forEach((value, i) => {
        if (i === cut) device.loadState(device.saveState());
        device.write(PORT92, 1, value);
        edges += value & ~before & 1;
        before = value;
        expect(device.read(PORT92, 1)).toBe(value);
        expect(log.a20.at(-1)).toBe((value & PORT92_A20) !== 0);
      });
      expect(log.resets).toBe(edges);
      device.reset();
      expect(device.read(PORT92, 1)).toBe(0);
    }),
  );
});

it('opens the gate when either asks, and reports changes alone', () => {
  const changes: boolean[] = [];
  const gate = new A20Gate((open) => changes.push(open));
  expect(gate.isOpen).toBe(true);
  gate.request('port92', false);
  gate.request('i8042', false);
  gate.request('port92', true);
  gate.request('i8042', true);
  gate.request('port92', false);
  expect(changes).toEqual([false, true]);
  expect(gate.isOpen).toBe(true);
});
