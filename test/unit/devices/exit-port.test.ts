import { expect, it } from 'vitest';
import { EXIT_PORT, EXIT_PORT_LEN, ExitPort } from '../../../src/devices/exit-port.ts';

it('reports the whole value of a write of each size at each of its ports', () => {
  const codes: number[] = [];
  const device = new ExitPort((code) => codes.push(code));
  device.write(EXIT_PORT, 1, 0x31);
  device.write(EXIT_PORT, 2, 0x1234);
  device.write(EXIT_PORT, 4, 0xffff_ffff);
  device.write(EXIT_PORT + EXIT_PORT_LEN - 1, 1, 0);
  expect(codes).toEqual([0x31, 0x1234, 0xffff_ffff, 0]);
});

it('reads 0 and ends nothing', () => {
  const codes: number[] = [];
  const device = new ExitPort((code) => codes.push(code));
  expect([device.read(EXIT_PORT, 1), device.read(EXIT_PORT, 2), device.read(EXIT_PORT, 4)]).toEqual([
    0, 0, 0,
  ]);
  expect(codes).toEqual([]);
});
