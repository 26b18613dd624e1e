import { beforeEach, describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { COM1_PORT, Serial16550A } from '../../../src/devices/serial.ts';
import {
  characterTimeNs,
  UART_FCR,
  UART_FCR_CLEAR_RCVR,
  UART_FCR_ENABLE_FIFO,
  UART_IER,
  UART_IER_MSI,
  UART_IER_RDI,
  UART_IER_RLSI,
  UART_IER_THRI,
  UART_IIR,
  UART_LCR,
  UART_LCR_DLAB,
  UART_LSR,
  UART_LSR_BI,
  UART_LSR_DR,
  UART_LSR_FE,
  UART_LSR_FIFOE,
  UART_LSR_OE,
  UART_MCR,
  UART_MCR_DTR,
  UART_MCR_LOOP,
  UART_MCR_OUT1,
  UART_MCR_OUT2,
  UART_MCR_RTS,
  UART_MSR,
  UART_MSR_CTS,
  UART_MSR_DCD,
  UART_MSR_DCTS,
  UART_MSR_DSR,
  UART_MSR_RI,
  UART_MSR_TERI,
  UART_RX,
  UART_SCR,
} from '../../../src/devices/serial-reg.ts';
import { TestClock, TestLine, TestSink } from './board-device-fakes.ts';

let clock: TestClock;
let irq: TestLine;
let sink: TestSink;
let uart: Serial16550A;
const read = (register: number) => uart.read(COM1_PORT + register, 1);
const write = (register: number, value: number) => uart.write(COM1_PORT + register, 1, value);
const FIFO_TRIGGER_4 = UART_FCR_ENABLE_FIFO | 0x40;
const LOOP = UART_MCR_LOOP | UART_MCR_OUT2;

beforeEach(() => {
  clock = new TestClock();
  irq = new TestLine();
  sink = new TestSink();
  uart = new Serial16550A({ clock, irq, sink });
});

describe('registers', () => {
  it('have their values after the master reset', () => {
    expect([UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR].map(read)).toEqual([0, 0x01, 0, 0, 0x60]);
    expect(read(UART_MSR)).toBe(UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
  });

  it('keep the bits that exist', () => {
    for (const register of [UART_IER, UART_LCR, UART_MCR, UART_SCR]) write(register, 0x7f);
    expect([UART_IER, UART_LCR, UART_MCR, UART_SCR].map(read)).toEqual([0x0f, 0x7f, 0x1f, 0x7f]);
  });

  it('show the divisor in place of RBR and IER while DLAB is set', () => {
    write(UART_IER, UART_IER_MSI);
    write(UART_LCR, UART_LCR_DLAB);
    write(0, 0x34);
    write(1, 0x12);
    expect([read(0), read(1)]).toEqual([0x34, 0x12]);
    write(UART_LCR, 3);
    expect(read(UART_IER)).toBe(UART_IER_MSI);
    expect(sink.bytes).toEqual([]);
  });

  it('decline wide accesses without effect', () => {
    expect(uart.write(COM1_PORT, 2, 0x4141)).toBe(false);
    expect(uart.read(COM1_PORT, 4)).toBe(IO_NOT_HANDLED);
    expect(sink.bytes).toEqual([]);
  });

  it('ignore writes to LSR and MSR', () => {
    write(UART_LSR, 0);
    write(UART_MSR, 0xff);
    expect([read(UART_LSR), read(UART_MSR)]).toEqual([0x60, 0xb0]);
  });

  it('keep divisor and scratch through a reset', () => {
    write(UART_SCR, 0x5a);
    write(UART_LCR, UART_LCR_DLAB);
    write(0, 7);
    uart.reset();
    expect([read(UART_SCR), read(UART_LCR), uart.state.divisor]).toEqual([0x5a, 0, 7]);
  });
});

describe('transmitter', () => {
  it('passes bytes on and is empty at once', () => {
    for (const byte of [0x48, 0x69, 0xff]) write(0, byte);
    expect(sink.bytes).toEqual([0x48, 0x69, 0xff]);
    expect(read(UART_LSR)).toBe(0x60);
  });

  it('interrupts when enabled and empty, until IIR is read', () => {
    write(UART_MCR, UART_MCR_OUT2);
    write(UART_IER, UART_IER_THRI);
    expect(irq.level).toBe(1);
    expect(read(UART_IIR)).toBe(0x02);
    expect(irq.level).toBe(0);
    expect(read(UART_IIR)).toBe(0x01);
  });

  it('interrupts again, as an edge, after each byte', () => {
    write(UART_MCR, UART_MCR_OUT2);
    write(UART_IER, UART_IER_THRI);
    write(0, 0x41);
    write(0, 0x42);
    expect(irq.risingEdges).toBe(3);
  });

  it('interrupts again when the enable bit goes from 0 to 1', () => {
    write(UART_IER, UART_IER_THRI);
    read(UART_IIR);
    write(UART_IER, UART_IER_THRI | UART_IER_RDI);
    expect(read(UART_IIR)).toBe(0x01);
    write(UART_IER, 0);
    write(UART_IER, UART_IER_THRI);
    expect(read(UART_IIR)).toBe(0x02);
  });

  it('keeps its line low while OUT2 is off', () => {
    write(UART_IER, UART_IER_THRI);
    expect([irq.level, read(UART_IIR)]).toEqual([0, 0x02]);
    write(UART_IER, 0);
    write(UART_IER, UART_IER_THRI);
    write(UART_MCR, UART_MCR_OUT2);
    expect(irq.level).toBe(1);
  });
});

describe('receiver', () => {
  it('holds one character without FIFOs and refuses the next', () => {
    expect([uart.receive(0x41), uart.receive(0x42)]).toEqual([true, false]);
    expect(read(UART_LSR)).toBe(0x60 | UART_LSR_DR);
    expect([read(UART_RX), read(UART_LSR)]).toEqual([0x41, 0x60]);
  });

  it('interrupts while a character waits', () => {
    write(UART_MCR, UART_MCR_OUT2);
    write(UART_IER, UART_IER_RDI);
    uart.receive(0x41);
    expect([irq.level, read(UART_IIR)]).toEqual([1, 0x04]);
    read(UART_RX);
    expect([irq.level, read(UART_IIR)]).toEqual([0, 0x01]);
  });

  it('holds sixteen characters in order with FIFOs', () => {
    write(UART_FCR, UART_FCR_ENABLE_FIFO);
    const taken = Array.from({ length: 17 }, (_, i) => uart.receive(i));
    expect(taken.filter(Boolean).length).toBe(16);
    expect(Array.from({ length: 16 }, () => read(UART_RX))).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(read(UART_LSR)).toBe(0x60);
  });

  it.each([
    [0x00, 1],
    [0x40, 4],
    [0x80, 8],
    [0xc0, 14],
  ])('with trigger bits 0x%s interrupts from %i characters on', (bits, level) => {
    write(UART_FCR, UART_FCR_ENABLE_FIFO | bits);
    write(UART_IER, UART_IER_RDI);
    for (let i = 1; i < level; i++) uart.receive(i);
    expect(read(UART_IIR)).toBe(0xc1);
    uart.receive(0xff);
    expect(read(UART_IIR)).toBe(0xc4);
    read(UART_RX);
    expect(read(UART_IIR)).toBe(0xc1);
  });

  it('reports a character time-out after four character times without traffic', () => {
    write(UART_LCR, 3);
    write(UART_MCR, UART_MCR_OUT2);
    write(UART_FCR, FIFO_TRIGGER_4);
    write(UART_IER, UART_IER_RDI);
    const timeout = 4 * characterTimeNs(3, 12);
    uart.receive(0x41);
    clock.elapse(timeout - 1);
    expect(read(UART_IIR)).toBe(0xc1);
    uart.receive(0x42);
    clock.elapse(timeout - 1);
    expect(irq.level).toBe(0);
    clock.elapse(1);
    expect([irq.level, read(UART_IIR)]).toEqual([1, 0xcc]);
    read(UART_RX);
    expect([irq.level, read(UART_IIR)]).toEqual([0, 0xc1]);
    clock.elapse(timeout);
    expect(read(UART_IIR)).toBe(0xcc);
    read(UART_RX);
    clock.elapse(timeout);
    expect(read(UART_IIR)).toBe(0xc1);
  });

  it('sets no alarm for a time-out that nobody enabled', () => {
    write(UART_FCR, FIFO_TRIGGER_4);
    uart.receive(0x41);
    expect(clock.skipToDeadline()).toBe(false);
  });

  it('has no time-out in 16450 mode', () => {
    write(UART_IER, UART_IER_RDI);
    uart.receive(0x41);
    expect(clock.skipToDeadline()).toBe(false);
  });

  it('is emptied by FCR bit 1 and by switching the FIFOs, and only then', () => {
    write(UART_FCR, UART_FCR_ENABLE_FIFO);
    uart.receive(1);
    write(UART_FCR, FIFO_TRIGGER_4);
    expect(read(UART_LSR) & UART_LSR_DR).toBe(UART_LSR_DR);
    write(UART_FCR, FIFO_TRIGGER_4 | UART_FCR_CLEAR_RCVR);
    expect(read(UART_LSR) & UART_LSR_DR).toBe(0);
    uart.receive(2);
    write(UART_FCR, 0);
    expect([read(UART_LSR) & UART_LSR_DR, read(UART_IIR)]).toEqual([0, 0x01]);
    uart.receive(3);
    write(UART_FCR, UART_FCR_CLEAR_RCVR | 0xc0); // bit 0 clear: nothing is programmed
    expect(read(UART_LSR) & UART_LSR_DR).toBe(UART_LSR_DR);
    write(UART_FCR, UART_FCR_ENABLE_FIFO);
    expect(read(UART_LSR) & UART_LSR_DR).toBe(0);
  });

  it('shows the errors of the oldest character, and FIFOE while any waits', () => {
    write(UART_FCR, UART_FCR_ENABLE_FIFO);
    write(UART_IER, UART_IER_RLSI);
    uart.receive(1);
    uart.receive(2, UART_LSR_FE);
    expect(read(UART_LSR)).toBe(0x60 | UART_LSR_DR | UART_LSR_FIFOE);
    expect(read(UART_IIR)).toBe(0xc1);
    read(UART_RX);
    expect(read(UART_IIR)).toBe(0xc6);
    expect(read(UART_LSR)).toBe(0x60 | UART_LSR_DR | UART_LSR_FE | UART_LSR_FIFOE);
    expect([read(UART_LSR), read(UART_IIR)]).toEqual([0x60 | UART_LSR_DR, 0xc1]);
  });

  it('reports a break', () => {
    uart.receive(0, UART_LSR_BI);
    expect(read(UART_LSR)).toBe(0x60 | UART_LSR_DR | UART_LSR_BI);
  });
});

describe('interrupt priority', () => {
  it('is line status, received data, transmitter empty, modem status', () => {
    write(UART_IER, 0x0f);
    uart.receive(0x41, UART_LSR_BI);
    uart.setModemLines(0);
    expect(read(UART_IIR)).toBe(0x06);
    read(UART_LSR);
    expect(read(UART_IIR)).toBe(0x04);
    read(UART_RX);
    expect(read(UART_IIR)).toBe(0x02);
    expect(read(UART_IIR)).toBe(0x00);
    read(UART_MSR);
    expect(read(UART_IIR)).toBe(0x01);
  });
});

describe('modem lines', () => {
  it('report each change once', () => {
    uart.setModemLines(UART_MSR_DSR | UART_MSR_DCD);
    expect(read(UART_MSR)).toBe(UART_MSR_DSR | UART_MSR_DCD | UART_MSR_DCTS);
    expect(read(UART_MSR)).toBe(UART_MSR_DSR | UART_MSR_DCD);
  });

  it('report the trailing edge of RI alone', () => {
    const lines = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
    uart.setModemLines(lines | UART_MSR_RI);
    expect(read(UART_MSR) & UART_MSR_TERI).toBe(0);
    uart.setModemLines(lines);
    expect(read(UART_MSR) & UART_MSR_TERI).toBe(UART_MSR_TERI);
  });
});

describe('loopback', () => {
  it('feeds the transmitter into the receiver and leaves both ends of the line alone', () => {
    write(UART_MCR, LOOP);
    write(UART_IER, UART_IER_RDI);
    write(0, 0x55);
    expect(sink.bytes).toEqual([]);
    expect(uart.receive(0x41)).toBe(false);
    expect(irq.level).toBe(1);
    expect(read(UART_RX)).toBe(0x55);
  });

  it('overruns: without FIFOs the new character stays, with FIFOs the sixteen old ones', () => {
    write(UART_MCR, LOOP);
    write(0, 1);
    write(0, 2);
    expect(read(UART_LSR)).toBe(0x60 | UART_LSR_DR | UART_LSR_OE);
    expect(read(UART_RX)).toBe(2);
    write(UART_FCR, UART_FCR_ENABLE_FIFO);
    for (let i = 0; i < 17; i++) write(0, i);
    expect(read(UART_LSR)).toBe(0x60 | UART_LSR_DR | UART_LSR_OE);
    expect(Array.from({ length: 16 }, () => read(UART_RX))).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  it.each([
    [UART_MCR_RTS, UART_MSR_CTS],
    [UART_MCR_DTR, UART_MSR_DSR],
    [UART_MCR_OUT1, UART_MSR_RI],
    [UART_MCR_OUT2, UART_MSR_DCD],
  ])('connects MCR bit 0x%s to MSR bit 0x%s', (output, input) => {
    write(UART_MCR, UART_MCR_LOOP | output);
    expect(read(UART_MSR) & 0xf0).toBe(input);
    write(UART_MCR, UART_MCR_LOOP);
    expect(read(UART_MSR) & 0xf0).toBe(0);
    write(UART_MCR, 0);
    expect(read(UART_MSR) & 0xf0).toBe(0xb0);
  });
});

describe('character time', () => {
  it.each([
    ['8N1 at 9600', 0x03, 12, 1_041_667],
    ['8N1 at 115200', 0x03, 1, 86_806],
    ['7E2 at 1200', 0x1e, 96, 9_166_667],
    ['5N1.5 at 9600', 0x04, 12, 781_250],
    ['divisor 0 as 65,536', 0x03, 0, 5_688_888_889],
  ])('is right for %s', (_name, lcr, divisor, ns) => {
    expect(characterTimeNs(lcr, divisor)).toBe(ns);
  });
});
