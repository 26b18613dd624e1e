import { beforeEach, describe, expect, it } from 'vitest';
import { defaultIrqRouting, type IrqchipInput, IrqRouting } from '../../../src/devices/irq-routing.ts';
import { EINVAL } from '../../../src/uapi/errno.ts';
import { KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE } from '../../../src/uapi/kvm.ts';

/** An interrupt controller that notes its calls and answers what it is told. */
class FakeChip implements IrqchipInput {
  answer = 1;
  readonly ack: (() => void)[] = [];
  readonly mask: ((masked: boolean) => void)[] = [];
  readonly #name: string;
  readonly #log: unknown[][];

  constructor(name: string, log: unknown[][]) {
    this.#name = name;
    this.#log = log;
  }

  setIrq(pin: number, sourceId: number, level: number, lineStatus: boolean): number {
    this.#log.push([this.#name, pin, sourceId, level, lineStatus]);
    return this.answer;
  }

  addAckNotifier(pin: number, notify: () => void): void {
    this.ack[pin] = notify;
  }

  addMaskNotifier(pin: number, notify: (masked: boolean) => void): void {
    this.mask[pin] = notify;
  }
}

let log: unknown[][];
let pic: FakeChip;
let ioapic: FakeChip;
let routing: IrqRouting;

beforeEach(() => {
  log = [];
  pic = new FakeChip('pic', log);
  ioapic = new FakeChip('ioapic', log);
  routing = new IrqRouting(pic, ioapic);
});

describe('GSI routing', () => {
  it('leads GSI 0–15 to the IOAPIC, then to the PIC', () => {
    routing.setIrq(2, 0, 1);
    routing.setIrq(0, 12, 0, true);
    expect(log).toEqual([
      ['ioapic', 0, 2, 1, false],
      ['pic', 0, 2, 1, false],
      ['ioapic', 12, 0, 0, true],
      ['pic', 12, 0, 0, true],
    ]);
  });

  it('leads GSI 16–23 to the IOAPIC alone, and others nowhere', () => {
    expect([routing.setIrq(0, 23, 1), routing.setIrq(0, 24, 1), routing.setIrq(0, -1, 1)]).toEqual([
      1, -1, -1,
    ]);
    expect(log).toEqual([['ioapic', 23, 0, 1, false]]);
  });

  it.each([
    [-1, -1, -1],
    [-1, 0, 0],
    [0, -1, 0],
    [0, 0, 0],
    [-1, 1, 1],
    [1, 1, 2],
    [2, 1, 3],
  ])('IOAPIC answers %i, PIC %i: %i', (fromIoapic, fromPic, sum) => {
    ioapic.answer = fromIoapic;
    pic.answer = fromPic;
    expect(routing.setIrq(0, 5, 1)).toBe(sum);
  });

  it('leads to the PIC alone in a machine without IOAPIC', () => {
    const alone = new IrqRouting(pic);
    expect(alone.setIrq(0, 9, 1)).toBe(1);
    expect(alone.setIrq(0, 16, 1)).toBe(-1);
    expect(log).toEqual([['pic', 9, 0, 1, false]]);
  });

  it('fires the tracepoint before any chip sees the level', () => {
    routing.trace = { setIrq: (gsi, level, sourceId) => log.push(['trace', gsi, level, sourceId]) };
    routing.setIrq(2, 4, 1);
    expect(log.map(([who]) => who)).toEqual(['trace', 'ioapic', 'pic']);
    expect(log[0]).toEqual(['trace', 4, 1, 2]);
  });

  it('tells who waits on a GSI, from whichever chip', () => {
    const seen: unknown[] = [];
    routing.registerIrqAckNotifier(0, () => seen.push('ack'));
    routing.registerIrqMaskNotifier(0, (masked) => seen.push(masked));
    pic.ack[0]();
    ioapic.ack[0]();
    pic.ack[1]();
    pic.mask[0](true);
    ioapic.mask[0](false);
    ioapic.mask[2](true);
    expect(seen).toEqual(['ack', 'ack', true, false]);
  });

  it('names the chip of a pin as the kernel does: master, slave, IOAPIC', () => {
    const seen: unknown[] = [];
    routing.fn = { ...routing.fn, kvmNotifyAckedIrq: (_kvm, irqchip, pin) => void seen.push([irqchip, pin]) };
    for (const pin of [7, 8]) pic.ack[pin]();
    ioapic.ack[23]();
    expect(seen).toEqual([
      [KVM_IRQCHIP_PIC_MASTER, 7],
      [KVM_IRQCHIP_PIC_SLAVE, 8],
      [KVM_IRQCHIP_IOAPIC, 23],
    ]);
  });

  it('takes another table, and maps pins back by it', () => {
    const seen: string[] = [];
    routing.registerIrqAckNotifier(0, () => seen.push('gsi 0'));
    routing.registerIrqAckNotifier(100, () => seen.push('gsi 100'));
    const table = [
      { gsi: 0, irqchip: KVM_IRQCHIP_PIC_MASTER, pin: 0 },
      { gsi: 0, irqchip: KVM_IRQCHIP_IOAPIC, pin: 2 },
      { gsi: 100, irqchip: KVM_IRQCHIP_PIC_SLAVE, pin: 3 },
    ];
    expect(routing.setRouting(table)).toBe(0);
    expect(routing.getRouting()).toEqual(table);
    routing.setIrq(0, 0, 1);
    routing.setIrq(0, 100, 1);
    expect(routing.setIrq(0, 5, 1)).toBe(-1);
    expect(log.map(([who, pin]) => [who, pin])).toEqual([
      ['pic', 0],
      ['ioapic', 2],
      ['pic', 11],
    ]);
    ioapic.ack[2]();
    ioapic.ack[0]();
    pic.ack[11]();
    expect(seen).toEqual(['gsi 0', 'gsi 100']);
  });

  it('says when a table or who waits for an end has changed, not when a table was refused', () => {
    let requests = 0;
    routing.makeScanRequest = () => requests++;
    const notify = (): number => log.push(['ack']);
    routing.registerIrqAckNotifier(3, notify);
    routing.setRouting([{ gsi: 3, irqchip: KVM_IRQCHIP_IOAPIC, pin: 7 }]);
    ioapic.ack[7]();
    routing.unregisterIrqAckNotifier(3, notify);
    ioapic.ack[7]();
    routing.setRouting([{ gsi: 3, irqchip: 9, pin: 7 }]);
    expect([requests, log]).toEqual([3, [['ack']]]);
  });

  it('has KVM’s table by default', () => {
    expect(routing.getRouting()).toEqual(defaultIrqRouting());
    expect(defaultIrqRouting()).toHaveLength(24 + 16);
    expect(defaultIrqRouting().slice(16, 18)).toEqual([
      { gsi: 8, irqchip: KVM_IRQCHIP_IOAPIC, pin: 8 },
      { gsi: 8, irqchip: KVM_IRQCHIP_PIC_SLAVE, pin: 0 },
    ]);
  });

  it.each([
    [[{ gsi: 0, irqchip: KVM_IRQCHIP_IOAPIC, pin: 24 }]],
    [[{ gsi: 0, irqchip: KVM_IRQCHIP_PIC_SLAVE, pin: 8 }]],
    [[{ gsi: 0, irqchip: 3, pin: 0 }]],
    [[{ gsi: 0, irqchip: 0, pin: -1 }]],
    [[{ gsi: 0, irqchip: 0, pin: 1.5 }]],
    [[{ gsi: 4096, irqchip: 0, pin: 0 }]],
    [
      [
        { gsi: 1, irqchip: 0, pin: 0 },
        { gsi: 1, irqchip: 0, pin: 1 },
      ],
    ],
  ])('refuses a table with a fault and keeps the old one: %j', (table) => {
    expect(routing.setRouting(table)).toBe(-EINVAL);
    expect(routing.getRouting()).toEqual(defaultIrqRouting());
    expect(routing.setIrq(0, 1, 1)).toBe(2);
  });
});
