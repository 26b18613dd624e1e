/** A bus full of devices: each of a thousand is found at its ports, with and without an exit, also when the bus changes. */
import { expect, it } from 'vitest';
import { kvmIoBusRegisterDev, kvmIoBusUnregisterDev } from '../../../src/bus/io-bus.ts';
import { IO_NOT_HANDLED, type IoDevice } from '../../../src/bus/io-device.ts';
import { KVM_EXIT_HLT, KVM_PIO_BUS } from '../../../src/uapi/kvm.ts';
import { realMachine } from './real-machine.ts';

const FIRST_PORT = 0x1000;
const DEVICES = 900;

/** Logs who was written what. */
function device(name: number, log: string[]): IoDevice {
  return {
    name: `${name}`,
    ops: 'test_ops',
    read: () => IO_NOT_HANDLED,
    write(port, size, value) {
      log.push(`${name}: ${port.toString(16)}/${size}=${value & 0xff}`);
      return true;
    },
  };
}

/** mov dx, 0x1000; mov cx, 900; l: out dx, al; out dx, ax; add dx, stride; loop l; hlt */
function sweep(stride: number): string {
  const [low, high] = [stride & 0xff, stride >> 8];
  return Buffer.from([
    ...[0xba, FIRST_PORT & 0xff, FIRST_PORT >> 8, 0xb9, DEVICES & 0xff, DEVICES >> 8],
    ...[0xee, 0xef, 0x81, 0xc2, low, high, 0xe2, 0xf8, 0xf4],
  ]).toString('hex');
}

it.each([
  [2, 0],
  [32, 0],
  [40, 0],
  [47, 0],
  [64, 0],
  [32, 1],
  [47, 1],
])('finds each of its devices, %i ports apart (observed: %i)', (stride, observed) => {
  const { vm, vcpu } = realMachine(sweep(stride), { eax: 0x17 }, { devices: false });
  const bus = vm.buses[KVM_PIO_BUS];
  const log: string[] = [];
  const devices = Array.from({ length: DEVICES }, (_, i) => device(i, log));
  for (const [i, dev] of devices.entries())
    expect(kvmIoBusRegisterDev(bus, FIRST_PORT + i * stride, 2, dev)).toBe(0);
  vcpu.observed = observed;
  const begin = vcpu.getRegs();
  const run = (): string[] => {
    log.length = 0;
    vcpu.setRegs(begin);
    expect(vcpu.kvmRun()).toBe(0);
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
    return [...log];
  };
  const expected = (name: (i: number) => number): string[] =>
    devices.flatMap((_, i) => {
      const port = (FIRST_PORT + i * stride).toString(16);
      return [`${name(i)}: ${port}/1=23`, `${name(i)}: ${port}/2=23`];
    });
  for (let k = 0; k < 3; k++) expect(run()).toEqual(expected((i) => i));
  // Device 7 goes, another one comes in its place.
  kvmIoBusUnregisterDev(bus, devices[7]);
  expect(kvmIoBusRegisterDev(bus, FIRST_PORT + 7 * stride, 2, device(7007, log))).toBe(0);
  for (let k = 0; k < 3; k++) expect(run()).toEqual(expected((i) => (i === 7 ? 7007 : i)));
});
