import { expect, it } from 'vitest';
import { COM1_PORT, Serial16550A } from '../../../src/devices/serial.ts';
import { UART_FIFO_LEN } from '../../../src/devices/serial-reg.ts';
import { TestClock, TestLine, TestSink } from './board-device-fakes.ts';
import {
  type Bench,
  continuesAfterLoad,
  declinesWithoutEffect,
  keepsItsRanges,
  opened,
  type Step,
  steps,
} from './device-streams.ts';

const PORTS = Array.from({ length: 8 }, (_, i) => COM1_PORT + i);
const VALUES = [0x01, 0x03, 0x0f, 0x18, 0x41, 0x80, 0xc1];
const ANY = steps(PORTS, VALUES, 8);
const write = (register: number, value: number): Step => ({
  do: 'write',
  port: COM1_PORT + register,
  size: 1,
  value,
});
/** As the chip comes, with FIFOs, and with FIFOs and interrupts. */
const STREAM = opened([[], [write(2, 0x41)], [write(2, 0x81), write(4, 8), write(1, 5)]], ANY);

function build(): Bench & { device: Serial16550A } {
  const clock = new TestClock();
  const irq = new TestLine();
  const device = new Serial16550A({ clock, irq, sink: new TestSink() });
  return { device, clock, irq, input: (byte) => device.receive(byte, byte & 0x1c) };
}

it('keeps its state in range under any stream', () => {
  keepsItsRanges(build, STREAM, (bench) => {
    const s = (bench.device as Serial16550A).state;
    expect([s.ier & ~0x0f, s.mcr & ~0x1f, s.lsrErrors & ~0x1e, s.fcr & ~0xc9, s.modemLines & 0x0f]).toEqual([
      0, 0, 0, 0, 0,
    ]);
    for (const byte of [s.lcr, s.msr, s.scr]) expect(byte).toBe(byte & 0xff);
    expect(s.divisor).toBe(s.divisor & 0xffff);
    expect(s.rxCount).toBeLessThanOrEqual((s.fcr & 1) === 0 ? 1 : UART_FIFO_LEN);
    expect(s.rxHead).toBeLessThan(UART_FIFO_LEN);
    expect(s.isTimeoutPending && s.rxCount === 0).toBe(false);
    expect(s.timeoutAtNs >= 0).toBe((s.fcr & 1) !== 0 && s.rxCount > 0);
    expect(bench.device.read(COM1_PORT + 5, 1) & 0x60).toBe(0x60);
  });
});

it('declines wide accesses without effect', () => declinesWithoutEffect(build, STREAM));

it('goes on after save and load as if nothing had happened', () => continuesAfterLoad(build, STREAM, ANY));
