import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { PIC_FUNCTIONS, Pic8259 } from '../../../src/devices/i8259.ts';
import { EmulatorError } from '../../../src/errors.ts';
import { KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE } from '../../../src/uapi/kvm.ts';

const MASTER = KVM_IRQCHIP_PIC_MASTER;
const SLAVE = KVM_IRQCHIP_PIC_SLAVE;
const EOI = 0x20;

function out(pic: Pic8259, port: number, ...values: number[]): void {
  const dev = port < 0xa0 ? pic.devMaster : port < 0x4d0 ? pic.devSlave : pic.devEclr;
  for (const value of values) expect(dev.write(port, 1, value)).toBe(true);
}

function read(pic: Pic8259, port: number): number {
  const dev = port < 0xa0 ? pic.devMaster : port < 0x4d0 ? pic.devSlave : pic.devEclr;
  return dev.read(port, 1);
}

/** As a PC's firmware does it: vectors 0x20–0x2f, nothing masked. */
function initialized(icw4 = 0x01): Pic8259 {
  const pic = new Pic8259();
  out(pic, 0x20, 0x11);
  out(pic, 0x21, 0x20, 0x04, icw4);
  out(pic, 0xa0, 0x11);
  out(pic, 0xa1, 0x28, 0x02, icw4);
  return pic;
}

function pulse(pic: Pic8259, pin: number): number {
  const ret = pic.setIrq(pin, 0, 1);
  pic.setIrq(pin, 0, 0);
  return ret;
}

describe('8259 pair: creation and ports', () => {
  it('starts with zeros, but for the ELCR masks', () => {
    const { elcr_mask: master, ...restOfMaster } = new Pic8259().getState(MASTER);
    const { elcr_mask: slave, ...restOfSlave } = new Pic8259().getState(SLAVE);
    expect([master, slave]).toEqual([0xf8, 0xde]);
    expect(new Set([...Object.values(restOfMaster), ...Object.values(restOfSlave)])).toEqual(new Set([0]));
  });

  it('carries the ops symbols of the kernel', () => {
    const { devMaster, devSlave, devEclr } = new Pic8259();
    expect([devMaster.ops, devSlave.ops, devEclr.ops]).toEqual([
      'picdev_master_ops',
      'picdev_slave_ops',
      'picdev_eclr_ops',
    ]);
  });

  it('edge case 2: a two-byte read is 0 and leaves a waiting poll alone', () => {
    const pic = initialized();
    out(pic, 0x20, 0x0c);
    expect(pic.devMaster.read(0x20, 2)).toBe(0);
    expect(pic.getState(MASTER).poll).toBe(1);
  });

  it('edge case 3: a two-byte write is swallowed', () => {
    const pic = initialized();
    const before = pic.saveState();
    expect(pic.devMaster.write(0x20, 2, 0xffff)).toBe(true);
    expect(pic.devEclr.write(0x4d0, 2, 0xffff)).toBe(true);
    expect(pic.saveState()).toEqual(before);
  });

  it('declines a port that is none of its own', () => {
    const pic = new Pic8259();
    expect(pic.devMaster.read(0x22, 1)).toBe(IO_NOT_HANDLED);
    expect(pic.devMaster.write(0x22, 1, 0)).toBe(false);
  });

  it('edge case 72: ELCR keeps the pins that must be edge-triggered', () => {
    const pic = new Pic8259();
    out(pic, 0x4d0, 0xff);
    out(pic, 0x4d1, 0xff);
    expect([read(pic, 0x4d0), read(pic, 0x4d1)]).toEqual([0xf8, 0xde]);
  });
});

describe('8259 pair: initialization', () => {
  it('takes ICW2 cut to a multiple of 8, and ICW4', () => {
    const pic = new Pic8259();
    out(pic, 0x20, 0x11);
    out(pic, 0x21, 0x27, 0xff, 0x12);
    expect(pic.getState(MASTER)).toMatchObject({
      irq_base: 0x20,
      init_state: 0,
      auto_eoi: 1,
      special_fully_nested_mode: 1,
    });
  });

  it('edge case 67: ICW1 keeps what is in service, but for a pin whose next edge waits', () => {
    const pic = initialized();
    pulse(pic, 3);
    pic.readIrq();
    pulse(pic, 1);
    pic.readIrq();
    pulse(pic, 3);
    out(pic, 0x20, 0x11);
    out(pic, 0x21, 0x20, 0x04, 0x01);
    expect(pic.getState(MASTER)).toMatchObject({ isr: 1 << 1, irr: 0 });
    pulse(pic, 4);
    expect(pic.output).toBe(0);
  });

  it('edge case 67: ICW1 acknowledges nothing when no processor takes PIC interrupts', () => {
    const pic = new Pic8259({ acceptsPicIntr: () => false });
    const acked: number[] = [];
    pic.addAckNotifier(3, () => acked.push(3));
    pulse(pic, 3);
    pic.readIrq();
    pulse(pic, 3);
    out(pic, 0x20, 0x11);
    expect(pic.getState(MASTER).isr).toBe(1 << 3);
    expect(acked).toEqual([]);
  });

  it('lets level requests survive ICW1, and drops edges', () => {
    const pic = initialized();
    out(pic, 0x4d0, 0x08);
    pic.setIrq(3, 0, 1);
    pic.setIrq(4, 0, 1);
    out(pic, 0x20, 0x11);
    expect(pic.getState(MASTER).irr).toBe(1 << 3);
  });

  it('edge case 68: without ICW4 the sequence ends after ICW3, nesting and automatic EOI off', () => {
    const pic = initialized(0x13);
    out(pic, 0x20, 0x10);
    out(pic, 0x21, 0x40, 0x04, 0xfe);
    expect(pic.getState(MASTER)).toMatchObject({
      init_state: 0,
      imr: 0xfe,
      auto_eoi: 0,
      special_fully_nested_mode: 0,
    });
  });
});

describe('8259 pair: priority and acknowledge', () => {
  it('serves the lowest pin first and nests only higher ones', () => {
    const pic = initialized();
    pulse(pic, 5);
    pulse(pic, 3);
    expect(pic.readIrq()).toBe(0x23);
    expect(pic.output).toBe(0);
    pulse(pic, 1);
    expect(pic.output).toBe(1);
    expect(pic.readIrq()).toBe(0x21);
    out(pic, 0x20, EOI, EOI);
    expect(pic.readIrq()).toBe(0x25);
  });

  it('takes a slave pin through the cascade', () => {
    const pic = initialized();
    pulse(pic, 12);
    expect(pic.readIrq()).toBe(0x2c);
    expect([pic.getState(MASTER).isr, pic.getState(SLAVE).isr]).toEqual([1 << 2, 1 << 4]);
    out(pic, 0xa0, EOI);
    out(pic, 0x20, EOI);
    expect([pic.getState(MASTER).isr, pic.getState(SLAVE).isr]).toEqual([0, 0]);
  });

  it('lets a second slave pin through only in special fully nested mode', () => {
    const nested = (icw4: number): number => {
      const pic = initialized(icw4);
      pulse(pic, 12);
      pic.readIrq();
      pulse(pic, 8);
      return pic.output;
    };
    expect([nested(0x01), nested(0x11)]).toEqual([0, 1]);
  });

  it('answers a request that has gone with vector 7 and nothing in service', () => {
    const pic = initialized();
    out(pic, 0x4d0, 0x08);
    pic.setIrq(3, 0, 1);
    pic.setIrq(3, 0, 0);
    expect(pic.readIrq()).toBe(0x27);
    expect(pic.getState(MASTER).isr).toBe(0);
  });

  it('edge case 71: a slave request that has gone is vector 15, the cascade in service', () => {
    const pic = initialized();
    out(pic, 0x4d1, 0x08);
    pic.setIrq(11, 0, 1);
    pic.setIrq(11, 0, 0);
    expect(pic.output).toBe(1);
    expect(pic.readIrq()).toBe(0x2f);
    expect([pic.getState(MASTER).isr, pic.getState(SLAVE).isr]).toEqual([1 << 2, 0]);
  });

  it('ends at once and rotates with automatic EOI', () => {
    const pic = initialized(0x03);
    out(pic, 0x20, 0x80);
    pulse(pic, 4);
    pic.readIrq();
    expect(pic.getState(MASTER)).toMatchObject({ isr: 0, priority_add: 5, rotate_on_auto_eoi: 1 });
    out(pic, 0x20, 0x00);
    expect(pic.getState(MASTER).rotate_on_auto_eoi).toBe(0);
  });

  it.each([
    [0xa0, 0, 5, 'rotate on non-specific EOI'],
    [0xe4, 0, 5, 'rotate on specific EOI'],
    [0xc2, 1 << 4, 3, 'set priority'],
    [0x64, 0, 0, 'specific EOI'],
    [0x44, 1 << 4, 0, 'no operation'],
  ])('obeys OCW2 %i', (ocw2, isr, priorityAdd, _name) => {
    const pic = initialized();
    pulse(pic, 4);
    pic.readIrq();
    out(pic, 0x20, ocw2);
    expect(pic.getState(MASTER)).toMatchObject({ isr, priority_add: priorityAdd });
  });

  it('ends the most urgent pin in rotated order', () => {
    const pic = initialized();
    pulse(pic, 5);
    pic.readIrq();
    pulse(pic, 1);
    pic.readIrq();
    out(pic, 0x20, 0xc3, EOI); // pin 4 first from now on
    expect(pic.getState(MASTER).isr).toBe(1 << 1);
  });

  it('edge case 69: a specific EOI of an idle pin only tells who waits', () => {
    const pic = initialized();
    const acked: number[] = [];
    pic.addAckNotifier(6, () => acked.push(6));
    out(pic, 0x20, 0x66);
    expect(acked).toEqual([6]);
    expect(pic.getState(MASTER).isr).toBe(0);
  });

  it('edge case 70: a poll is consumed at either port', () => {
    const pic = initialized();
    out(pic, 0x20, 0x0c);
    expect(read(pic, 0x21)).toBe(0x07);
    expect(read(pic, 0x21)).toBe(0);
    pulse(pic, 3);
    out(pic, 0x20, 0x0c);
    expect(read(pic, 0x20)).toBe(0x83);
    expect(pic.getState(MASTER)).toMatchObject({ irr: 0, isr: 0, poll: 0 });
    expect(pic.output).toBe(0);
  });

  it('polls the slave, whose cascade request goes too', () => {
    const pic = initialized();
    pulse(pic, 9);
    out(pic, 0xa0, 0x0c);
    expect(read(pic, 0xa0)).toBe(0x81);
    expect(pic.getState(MASTER).irr).toBe(0);
    expect(pic.output).toBe(0);
  });

  it('edge case 73: special mask mode is stored and changes nothing', () => {
    const pic = initialized();
    pulse(pic, 3);
    pic.readIrq();
    out(pic, 0x20, 0x68);
    out(pic, 0x21, 1 << 3);
    pulse(pic, 4);
    expect(pic.getState(MASTER).special_mask).toBe(1);
    expect(pic.output).toBe(0);
    out(pic, 0x20, 0x48);
    expect(pic.getState(MASTER).special_mask).toBe(0);
  });

  it('shows IRR, ISR or IMR as OCW3 selects', () => {
    const pic = initialized();
    out(pic, 0x21, 0x55);
    pulse(pic, 3);
    pulse(pic, 5);
    pic.readIrq();
    expect([read(pic, 0x20), read(pic, 0x21)]).toEqual([1 << 5, 0x55]);
    out(pic, 0x20, 0x0b);
    expect(read(pic, 0x20)).toBe(1 << 3);
    out(pic, 0x20, 0x0a);
    expect(read(pic, 0x20)).toBe(1 << 5);
  });
});

describe('8259 pair: pins', () => {
  it('answers −1 masked, 0 coalesced, 1 taken', () => {
    const pic = initialized();
    expect([pulse(pic, 3), pulse(pic, 3)]).toEqual([1, 0]);
    out(pic, 0x21, 1 << 4);
    expect(pulse(pic, 4)).toBe(-1);
  });

  it('holds a pin up until the last source lets go', () => {
    const pic = initialized();
    out(pic, 0x4d0, 0x08);
    pic.setIrq(3, 0, 1);
    pic.setIrq(3, 2, 1);
    pic.setIrq(3, 0, 0);
    expect(pic.getState(MASTER).irr).toBe(1 << 3);
    pic.setIrq(3, 2, 0);
    expect(pic.getState(MASTER).irr).toBe(0);
  });

  it('tells the processor only of changes of INTR', () => {
    const levels: number[] = [];
    const pic = new Pic8259({ onOutput: (level) => levels.push(level) });
    pulse(pic, 3);
    pulse(pic, 1);
    pic.readIrq();
    out(pic, 0x20, EOI);
    expect(levels).toEqual([1, 0, 1]);
  });

  it('tells who watches a mask bit of its changes', () => {
    const pic = initialized();
    const seen: [number, boolean][] = [];
    for (const pin of [0, 9]) pic.addMaskNotifier(pin, (masked) => seen.push([pin, masked]));
    out(pic, 0x21, 0x01, 0x03, 0x02);
    out(pic, 0xa1, 0x02);
    expect(seen).toEqual([
      [0, true],
      [0, false],
      [9, true],
    ]);
  });

  it('fires the tracepoints of the kernel, with its numbers', () => {
    const pic = initialized();
    const lines: unknown[][] = [];
    pic.trace = {
      picSetIrq: (...args) => lines.push(['set', ...args]),
      ackIrq: (...args) => lines.push(['ack', ...args]),
    };
    out(pic, 0xa1, 0x40);
    pic.setIrq(14, 0, 1);
    pic.setIrq(4, 0, 1);
    pic.setIrq(4, 0, 1);
    out(pic, 0xa0, 0x65);
    expect(lines).toEqual([
      ['set', 1, 6, 0, 0x40, false],
      ['set', 0, 4, 0, 0, false],
      ['set', 0, 4, 0, 0, false],
      ['ack', 1, 13],
    ]);
  });

  it('marks a coalesced request in the trace', () => {
    const pic = initialized();
    const coalesced: boolean[] = [];
    pulse(pic, 4);
    pic.trace = { picSetIrq: (_chip, _pin, _elcr, _imr, is) => coalesced.push(is), ackIrq() {} };
    pic.setIrq(4, 0, 1);
    expect(coalesced).toEqual([true]);
  });
});

describe('8259 pair: state from outside', () => {
  it('stores KVM_SET_IRQCHIP as it is and evaluates the requests', () => {
    const pic = new Pic8259();
    const state = { ...pic.getState(MASTER), irr: 0x10, irq_base: 0x31, elcr_mask: 0xff, init_state: 9 };
    pic.setState(MASTER, state);
    expect(pic.getState(MASTER)).toEqual(state);
    expect(pic.output).toBe(1);
    expect(pic.readIrq()).toBe(0x35);
    out(pic, 0x21, 0xff);
    expect(pic.getState(MASTER)).toMatchObject({ imr: 0, init_state: 9 });
  });

  it('gives copies, not its registers', () => {
    const pic = initialized();
    pic.getState(MASTER).imr = 0xff;
    pic.saveState().pics[1].imr = 0xff;
    expect([read(pic, 0x21), read(pic, 0xa1)]).toEqual([0, 0]);
  });

  it('refuses a pin or chip that does not exist', () => {
    const pic = new Pic8259();
    expect(() => pic.addAckNotifier(16, () => {})).toThrow(EmulatorError);
    expect(() => pic.addMaskNotifier(-1, () => {})).toThrow(EmulatorError);
    expect(() => pic.getState(2)).toThrow(EmulatorError);
  });

  it('sends every call between its functions through the table, so that probes see it', () => {
    const pic = initialized();
    const seen: string[] = [];
    pic.fn = Object.fromEntries(
      Object.entries(PIC_FUNCTIONS).map(([name, fn]) => [
        name,
        (...args: never[]) => {
          seen.push(name);
          return (fn as (...a: never[]) => unknown)(...args);
        },
      ]),
    ) as unknown as typeof pic.fn;
    pic.devMaster.write(0x20, 1, 0x61);
    expect(seen).toEqual([
      'picdevMasterWrite',
      'picdevWrite',
      'picIoportWrite',
      'picClearIsr',
      'picUpdateIrq',
      'picGetIrq',
      'getPriority',
      'picGetIrq',
      'getPriority',
      'picIrqRequest',
    ]);
  });
});
