import { describe, expect, it } from 'vitest';
import { NEVER } from '../../../src/bus/clock.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../../../src/bus/io-device.ts';
import { kvmApicHwEnabled } from '../../../src/devices/lapic-state.ts';
import {
  DFR,
  EOI,
  ICR,
  ICR2,
  ID,
  IRR,
  ISR,
  LDR,
  LVT0,
  LVTT,
  PAGE,
  PPR,
  route,
  SVR,
  TDCR,
  TestLapic,
  TMCCT,
  TMICT,
  TMR,
  TPR,
} from './test-lapic.ts';

const MASKED = 0x1_0000;
const EXTINT = 0x700;
const NMI = 0x400;
const PERIODIC = 1 << 17;
const TSC_DEADLINE = 2 << 17;
/** Delivery statuses, all ones but the bits that exist. */
const ALL = 0xffff_ffff;

describe('the local APIC after a reset', () => {
  it('is on, disabled by software, and lets the PIC through (KVM: LINT0 re-enabled; hardware masks it)', () => {
    const t = new TestLapic({ enabled: false });
    expect([t.read(0x30), t.read(SVR), t.read(LVT0), t.read(DFR)]).toEqual([0x5_0014, 0xff, EXTINT, ALL]);
    expect([LVTT, 0x330, 0x340, 0x360, 0x370].map((reg) => t.read(reg))).toEqual(Array(5).fill(MASKED));
    expect(t.apic.state.apic_base).toBe(0xfee0_0900);
    expect(t.kvm.acceptsPicIntr()).toBe(true);
  });

  it('masks LVT0 without the quirk, and on another processor than the first', () => {
    const t = new TestLapic({ enabled: false });
    t.vcpu.quirks = 0;
    t.kvm.fn.kvmLapicReset(t.apic, false);
    expect(t.read(LVT0)).toBe(MASKED);
    t.vcpu.quirks = 1;
    t.vcpu.isResetBsp = false;
    t.vcpu.id = 3;
    t.kvm.fn.kvmLapicReset(t.apic, false);
    expect([t.read(LVT0), t.read(ID), t.apic.state.apic_base]).toEqual([MASKED, 3 << 24, 0xfee0_0800]);
  });

  it('keeps its ID and its base over INIT', () => {
    const t = new TestLapic();
    t.write(ID, 0x0500_0000);
    t.kvm.fn.kvmApicSetBase(t.apic, 0xfed0_0800, false);
    t.kvm.fn.kvmLapicReset(t.apic, true);
    expect([t.apic.state.apic_base, t.apic.state.regs[ID >> 2], t.apic.state.regs[SVR >> 2]]).toEqual([
      0xfed0_0800, 0x0500_0000, 0xff,
    ]);
  });
});

describe('the register page', () => {
  it.each([
    ['ID', ID, ALL, 0xff00_0000],
    ['LVR', 0x30, ALL, 0x5_0014],
    ['TPR', TPR, ALL, 0xff],
    ['APR', 0x90, ALL, 0],
    ['LDR', LDR, ALL, 0xff00_0000],
    ['DFR', DFR, 0, 0x0fff_ffff],
    ['SVR: no EOI suppression', SVR, ALL, 0x3ff],
    ['ESR', 0x280, ALL, 0],
    ['ICR, never busy', ICR, 0x0000_1600, 0x600],
    ['ICR2', ICR2, ALL, 0xff00_0000],
    ['LVT timer', LVTT, ALL, 0x7_10ff],
    ['LVT thermal', 0x330, ALL, 0x1_17ff],
    ['LVT performance counters', 0x340, ALL, 0x1_17ff],
    ['LVT LINT0', LVT0, ALL, 0x1_f7ff],
    ['LVT LINT1', 0x360, ALL, 0x1_f7ff],
    ['LVT error', 0x370, ALL, 0x1_10ff],
    ['TMICT', TMICT, 0x1234_5678, 0x1234_5678],
    ['TDCR', TDCR, ALL, 0xb],
  ])('%s keeps the bits that exist', (_, reg, written, kept) => {
    const t = new TestLapic();
    t.write(reg, written);
    expect(t.read(reg)).toBe(kept);
  });

  it('takes reads of 1, 2 and 4 bytes within a register', () => {
    const t = new TestLapic();
    t.write(TMICT, 0x1234_5678);
    const { dev } = t.apic;
    expect([dev.read(PAGE + TMICT + 1, 1), dev.read(PAGE + TMICT + 2, 2)]).toEqual([0x56, 0x1234]);
    const crossing = [dev.read(PAGE + TMICT + 1, 4), dev.read(PAGE + TMICT + 4, 1)];
    expect(crossing).toEqual([IO_NOTHING_STORED, IO_NOTHING_STORED]);
  });

  it.each([0x00, 0xb0, 0xc0, 0x2f0, 0x3f0, 0x400, 0xff0])('stores nothing for a read at %i', (offset) => {
    expect(new TestLapic().read(offset)).toBe(IO_NOTHING_STORED);
  });

  it('takes only aligned writes of four bytes; others vanish', () => {
    const t = new TestLapic();
    expect(t.apic.dev.write(PAGE + TPR, 1, 0x20)).toBe(true);
    expect(t.apic.dev.write(PAGE + TPR + 4, 4, 0x20)).toBe(true);
    expect(t.read(TPR)).toBe(0);
  });

  it('is not there one byte beside it', () => {
    const { dev } = new TestLapic().apic;
    expect([dev.read(PAGE - 1, 1), dev.read(PAGE + 0x1000, 4)]).toEqual([IO_NOT_HANDLED, IO_NOT_HANDLED]);
    expect(dev.write(PAGE + 0x1000, 4, 0)).toBe(false);
  });

  it('masks the LVT while software has disabled it, and when it does', () => {
    const t = new TestLapic();
    t.write(LVT0, EXTINT);
    t.write(LVTT, 0x40);
    t.write(SVR, 0xff);
    expect([t.read(LVT0), t.read(LVTT)]).toEqual([EXTINT | MASKED, 0x40 | MASKED]);
    t.write(LVTT, 0x41);
    expect(t.read(LVTT)).toBe(0x41 | MASKED);
    t.write(SVR, 0x1ff);
    expect(t.read(LVTT)).toBe(0x41 | MASKED);
  });
});

describe('IA32_APIC_BASE', () => {
  it('moves the page, and refuses reserved bits, x2APIC and addresses beyond 36 bits', () => {
    const t = new TestLapic();
    const { kvmApicSetBase } = t.kvm.fn;
    expect(
      [0xfee0_0d00, 0xfee0_0901, 0xfee0_0a00, 2 ** 36 + 0x900].map((v) => kvmApicSetBase(t.apic, v, false)),
    ).toEqual([1, 1, 1, 1]);
    expect(kvmApicSetBase(t.apic, 0xfed0_0900, false)).toBe(0);
    expect([t.apic.dev.read(PAGE + SVR, 4), t.apic.dev.read(0xfed0_0000 + SVR, 4)]).toEqual([
      IO_NOT_HANDLED,
      0x1ff,
    ]);
  });

  it('switches it off: all ones, no interrupts but the PIC’s; then on again with its own ID', () => {
    const t = new TestLapic();
    t.write(LVT0, EXTINT | MASKED);
    t.write(ID, 0x0700_0000);
    t.raise(0x55);
    t.kvm.fn.kvmApicSetBase(t.apic, 0xfee0_0100, false);
    expect(kvmApicHwEnabled(t.apic)).toBe(false);
    expect([t.read(SVR), t.take(), t.kvm.acceptsPicIntr()]).toEqual([ALL, -1, true]);
    t.write(TPR, 0xff);
    t.kvm.fn.kvmApicSetBase(t.apic, 0xfee0_0900, false);
    expect([t.read(ID), t.read(SVR), t.read(TPR), t.take()]).toEqual([0, 0x1ff, 0, 0x55]);
  });

  it('off and without the quirk, is no hole', () => {
    const t = new TestLapic();
    t.vcpu.quirks = 0;
    t.kvm.fn.kvmApicSetBase(t.apic, 0xfee0_0100, false);
    expect([t.read(SVR), t.apic.dev.write(PAGE, 4, 0)]).toEqual([IO_NOT_HANDLED, false]);
  });
});

describe('priorities', () => {
  it('gives the highest vector first, and a lower one after its end', () => {
    const t = new TestLapic();
    for (const vector of [0x31, 0x52, 0x51]) t.raise(vector);
    expect([t.take(), t.take(), t.read(PPR)]).toEqual([0x52, -1, 0x50]);
    t.write(EOI, 0);
    expect([t.take(), t.read(PPR)]).toEqual([0x51, 0x50]);
    t.write(EOI, 0);
    expect([t.take(), t.vectors(ISR), t.vectors(IRR)]).toEqual([0x31, [0x31], []]);
  });

  it('lets a higher class into a handler; EOI ends the highest in service', () => {
    const t = new TestLapic();
    t.raise(0x41);
    t.take();
    t.raise(0x91);
    expect([t.take(), t.vectors(ISR)]).toEqual([0x91, [0x41, 0x91]]);
    t.write(EOI, 0);
    expect([t.vectors(ISR), t.read(PPR)]).toEqual([[0x41], 0x40]);
  });

  it.each([
    [0x50, -1],
    [0x5f, -1],
    [0x4f, 0x5a],
    [0x0f, 0x5a],
  ])('TPR %i holds back its class and those below', (tpr, vector) => {
    const t = new TestLapic();
    t.write(TPR, tpr);
    t.raise(0x5a);
    expect([t.take(), t.read(PPR)]).toEqual([vector, vector < 0 ? tpr : 0x50]);
  });

  it('shows CR8 as the upper half of TPR', () => {
    const t = new TestLapic();
    t.kvm.fn.kvmLapicSetTpr(t.apic, 0x1a);
    expect([t.read(TPR), t.kvm.fn.kvmLapicGetCr8(t.apic)]).toEqual([0xa0, 0xa]);
  });

  it('KVM: a vector below 16 waits for ever, and sets no error', () => {
    const t = new TestLapic();
    t.raise(0x0f);
    expect([t.take(), t.vectors(IRR), t.read(0x280)]).toEqual([-1, [0x0f], 0]);
  });

  it('ignores an end of interrupt when none is in service', () => {
    const t = new TestLapic();
    t.write(EOI, 0);
    expect(t.vectors(ISR)).toEqual([]);
  });

  it('takes the PIC’s interrupts through LVT0 alone: open, ExtINT', () => {
    const t = new TestLapic();
    const accepts = (lvt0: number): boolean => {
      t.write(LVT0, lvt0);
      return t.kvm.acceptsPicIntr();
    };
    expect([EXTINT, EXTINT | MASKED, 0x30, NMI].map(accepts)).toEqual([true, false, false, false]);
  });
});

describe('messages', () => {
  const FIXED = 0x4000;

  it.each([
    ['physical, its own ID', 0, 0x00, FIXED | 0x61, true],
    ['physical, another ID', 0, 0x01, FIXED | 0x61, false],
    ['physical broadcast', 0, 0xff, FIXED | 0x61, true],
    ['flat logical', 0xffff_ffff, 0x03, FIXED | 0x861, true],
    ['flat logical, other bits', 0xffff_ffff, 0x0c, FIXED | 0x861, false],
    ['logical broadcast', 0xffff_ffff, 0xff, FIXED | 0x861, true],
    ['cluster', 0x0fff_ffff, 0x01, FIXED | 0x861, true],
    ['another cluster', 0x0fff_ffff, 0x11, FIXED | 0x861, false],
    ['self', 0, 0, FIXED | 0x4_0061, true],
    ['all with itself', 0, 0x33, FIXED | 0x8_0061, true],
    ['all but itself', 0, 0, FIXED | 0xc_0061, false],
    ['a level that is not asserted', 0, 0, 0x8061, false],
    ['an edge that is not asserted', 0, 0, 0x61, true],
  ])('IPI: %s', (_, dfr, dest, icr, arrives) => {
    const t = new TestLapic();
    t.write(LDR, 0x0100_0000);
    t.write(DFR, dfr);
    t.write(ICR2, dest << 24);
    t.write(ICR, icr);
    expect(t.vectors(IRR)).toEqual(arrives ? [0x61] : []);
    expect(t.read(ICR)).toBe(icr);
  });

  it('KVM: another model than flat and cluster counts as cluster on the map and matches nothing off it', () => {
    const t = new TestLapic();
    t.write(DFR, 0x5000_0000);
    t.write(LDR, 0x0100_0000);
    expect(t.kvm.setMsi(0xfee0_1004, 0, 0x61, 1)).toBe(1);
    t.write(LDR, 0x0300_0000);
    expect(t.kvm.setMsi(0xfee0_1004, 0, 0x61, 1)).toBe(-1);
  });

  it('KVM: lowest priority chooses a bit of the destination by the vector, whether a processor has it or not', () => {
    const t = new TestLapic();
    t.write(LDR, 0x0100_0000);
    const sent = [0x60, 0x61, 0x62].map((vector) => t.kvm.setMsi(0xfee0_3004, 0, 0x100 | vector, 1));
    expect([sent, t.vectors(IRR)]).toEqual([
      [1, 0, 1],
      [0x60, 0x62],
    ]);
  });

  it('KVM: 0 for a destination that no processor has, −1 for a broadcast that nobody takes', () => {
    const t = new TestLapic({ enabled: false });
    expect(t.kvm.setMsi(0xfee0_5000, 0, 0x61, 1)).toBe(0);
    expect(t.kvm.setMsi(0xfeef_f000, 0, 0x161, 1)).toBe(0);
    expect(t.kvm.setMsi(0xfeef_f00c, 0, 0x161, 1)).toBe(-1);
    t.kvm.fn.kvmApicSetBase(t.apic, 0xfee0_0100, true);
    expect(t.kvm.setMsi(0xfee0_0000, 0, 0x61, 1)).toBe(0);
    expect(t.kvm.setMsi(0xfeef_f000, 0, 0x61, 1)).toBe(-1);
  });

  it('an MSI comes with its rising line alone, level or edge', () => {
    const t = new TestLapic();
    expect(t.kvm.setMsi(0xfee0_0000, 0, 0x8071, 0)).toBe(-1);
    expect(t.kvm.setMsi(0xfee0_0000, 0, 0x8071, 1)).toBe(1);
    expect([t.vectors(IRR), t.vectors(TMR)]).toEqual([[0x71], [0x71]]);
    t.kvm.setMsi(0xfee0_0000, 0, 0x71, 1);
    expect(t.vectors(TMR)).toEqual([]);
  });

  it('drops fixed interrupts while disabled by software, but takes NMI, INIT and SIPI', () => {
    const t = new TestLapic({ enabled: false });
    for (const icr of [0x61, 0x161, NMI, 0x500, 0x699]) t.write(ICR, 0x4_4000 | icr);
    expect([t.vectors(IRR), t.nmis, t.apic.state.pending_events, t.apic.state.sipi_vector]).toEqual([
      [],
      1,
      3,
      0x99,
    ]);
  });

  it('drops SMI and ExtINT; remote read ends HLT', () => {
    const t = new TestLapic();
    const sent = [0x200, 0x700, 0x300].map((mode) => t.kvm.setMsi(0xfee0_0000, 0, mode, 1));
    expect([sent, t.apic.state.pv_unhalted]).toEqual([[0, 0, 1], true]);
  });

  it('an INIT de-assert does nothing', () => {
    const t = new TestLapic();
    t.write(ICR, 0x4_8500);
    expect(t.apic.state.pending_events).toBe(0);
  });

  it('reaches nobody before there is a processor', async () => {
    const { LocalApics } = await import('../../../src/devices/lapic.ts');
    expect([new LocalApics().setMsi(0xfee0_0000, 0, 0x61, 1), new LocalApics().acceptsPicIntr()]).toEqual([
      -1,
      false,
    ]);
  });
});

describe('the timer', () => {
  it('counts down once, in nanoseconds times the divisor', () => {
    const t = new TestLapic();
    t.write(LVTT, 0x40);
    t.write(TDCR, 0b1011);
    t.write(TMICT, 1000);
    t.pass(400);
    expect([t.read(TMCCT), t.take()]).toEqual([600, -1]);
    t.pass(599);
    expect([t.read(TMCCT), t.take()]).toEqual([1, -1]);
    t.pass(1);
    expect([t.read(TMCCT), t.take(), t.clock.nextDeadlineNs]).toEqual([0, 0x40, NEVER]);
  });

  it.each([
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1],
  ])('divide configuration %i divides by %i', (tdcr, divisor) => {
    const t = new TestLapic();
    t.write(TDCR, tdcr);
    t.write(TMICT, 1_000_000);
    t.pass(128_000);
    expect(t.read(TMCCT)).toBe(1_000_000 - 128_000 / divisor);
  });

  it('ticks again and again; KVM loses what comes before the last was sent', () => {
    const t = new TestLapic();
    t.write(TDCR, 0b1011);
    t.write(LVTT, PERIODIC | 0x40);
    t.write(TMICT, 300_000);
    t.pass(300_000);
    expect(t.take()).toBe(0x40);
    t.write(EOI, 0);
    t.pass(1_000_000);
    expect([t.take(), t.read(TMCCT)]).toEqual([0x40, 200_000]);
    t.write(EOI, 0);
    t.pass(199_999);
    expect(t.take()).toBe(-1);
    t.pass(1);
    expect(t.take()).toBe(0x40);
  });

  it('KVM: a period below 200 µs is 200 µs, the first one too', () => {
    const t = new TestLapic();
    t.write(LVTT, PERIODIC | 0x40);
    t.write(TMICT, 10);
    t.pass(199_999);
    expect(t.take()).toBe(-1);
    t.pass(1);
    expect(t.take()).toBe(0x40);
  });

  it('KVM: an expiry while masked is sent when the mask goes', () => {
    const t = new TestLapic();
    t.write(LVTT, MASKED | 0x40);
    t.write(TMICT, 100);
    t.pass(1000);
    expect(t.take()).toBe(-1);
    t.write(LVTT, 0x41);
    t.sendTimer();
    expect(t.take()).toBe(0x41);
  });

  it('forgets an expiry that was not sent when it is started or disabled', () => {
    const t = new TestLapic();
    for (const forget of [(): void => t.write(TMICT, 0), (): void => t.write(SVR, 0xff)]) {
      t.write(LVTT, MASKED | 0x40);
      t.write(TMICT, 100);
      t.pass(1000);
      forget();
      t.write(SVR, 0x1ff);
      t.write(LVTT, 0x40);
      t.sendTimer();
      expect(t.take()).toBe(-1);
    }
  });

  it('goes on in the new clock when the divisor changes', () => {
    const t = new TestLapic();
    t.write(LVTT, 0x40);
    t.write(TDCR, 0b1011);
    t.write(TMICT, 1000);
    t.pass(500);
    t.write(TDCR, 0b0001);
    expect(t.read(TMCCT)).toBe(500);
    t.pass(1999);
    expect(t.take()).toBe(-1);
    t.pass(1);
    expect(t.take()).toBe(0x40);
  });

  it('stops at an initial count of 0', () => {
    const t = new TestLapic();
    t.write(TMICT, 1000);
    t.write(TMICT, 0);
    expect([t.clock.nextDeadlineNs, t.read(TMCCT)]).toEqual([NEVER, 0]);
  });

  it('runs to a count of the TSC: the MSR reads 0 afterwards, TMICT is dead', () => {
    const t = new TestLapic();
    const { fn } = t.kvm;
    fn.kvmSetLapicTscdeadlineMsr(t.apic, 500);
    expect(fn.kvmGetLapicTscdeadlineMsr(t.apic)).toBe(0);
    t.write(LVTT, TSC_DEADLINE | 0x40);
    t.write(TMICT, 100);
    fn.kvmSetLapicTscdeadlineMsr(t.apic, 500);
    expect([fn.kvmGetLapicTscdeadlineMsr(t.apic), t.read(TMICT), t.read(TMCCT)]).toEqual([500, 0, 0]);
    t.pass(499);
    expect(t.take()).toBe(-1);
    t.pass(1);
    expect([t.take(), fn.kvmGetLapicTscdeadlineMsr(t.apic)]).toEqual([0x40, 0]);
    t.write(EOI, 0);
    fn.kvmSetLapicTscdeadlineMsr(t.apic, 1);
    t.sendTimer();
    expect(t.take()).toBe(0x40);
  });

  it('a deadline of 0 disarms it; one beyond virtual time never comes', () => {
    const t = new TestLapic();
    t.write(LVTT, TSC_DEADLINE | 0x40);
    t.kvm.fn.kvmSetLapicTscdeadlineMsr(t.apic, 500);
    t.kvm.fn.kvmSetLapicTscdeadlineMsr(t.apic, 0);
    expect(t.clock.nextDeadlineNs).toBe(NEVER);
    t.kvm.fn.kvmSetLapicTscdeadlineMsr(t.apic, 2 ** 53 - 1);
    expect([t.clock.nextDeadlineNs, t.kvm.fn.kvmGetLapicTscdeadlineMsr(t.apic)]).toEqual([
      NEVER,
      2 ** 53 - 1,
    ]);
  });

  it('stops on the way to and from TSC deadline, but not between one-shot and periodic', () => {
    const t = new TestLapic();
    t.write(TMICT, 1_000_000);
    t.write(LVTT, PERIODIC | 0x40);
    expect([t.read(TMICT), t.clock.nextDeadlineNs]).toEqual([1_000_000, 2_000_000]);
    t.write(LVTT, TSC_DEADLINE | 0x40);
    expect([t.read(TMICT), t.clock.nextDeadlineNs]).toEqual([0, NEVER]);
  });
});

describe('the IOAPIC and its local APIC', () => {
  const LEVEL = 0x8000;

  it('a level interrupt: remote IRR until its end, then again while the line is up', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic();
    route(ioapic, 5, LEVEL | 0x61);
    expect(ioapic.setIrq(5, 0, 1)).toBe(1);
    expect([ioapic.state.redirtbl[5].low, t.take(), t.vectors(TMR)]).toEqual([0xc061, 0x61, [0x61]]);
    t.write(EOI, 0);
    expect([ioapic.state.redirtbl[5].low, t.take()]).toEqual([0xc061, 0x61]);
    ioapic.setIrq(5, 0, 0);
    t.write(EOI, 0);
    expect([ioapic.state.redirtbl[5].low, t.take()]).toEqual([0x8061, -1]);
  });

  it('software-disabled, nobody takes it and remote IRR stays 0', () => {
    const t = new TestLapic({ enabled: false });
    const ioapic = t.withIoapic();
    route(ioapic, 5, LEVEL | 0x61);
    expect([ioapic.setIrq(5, 0, 1), ioapic.state.redirtbl[5].low]).toEqual([0, 0x8061]);
  });

  it('hears only of ends that matter to it: level pins, pins that somebody waits for', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic((pin) => pin === 2);
    const ended: number[] = [];
    for (const pin of [2, 3]) ioapic.addAckNotifier(pin, () => ended.push(pin));
    route(ioapic, 2, 0x62);
    route(ioapic, 3, 0x63);
    for (const pin of [2, 3]) {
      ioapic.setIrq(pin, 0, 1);
      t.take();
      t.write(EOI, 0);
    }
    expect(ended).toEqual([2]);
  });

  it('hears of the end of one that it no longer sends here', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic();
    route(ioapic, 5, LEVEL | 0x61);
    ioapic.setIrq(5, 0, 1);
    t.take();
    ioapic.setIrq(5, 0, 0);
    route(ioapic, 5, LEVEL | 0x61, 0x0900_0000);
    t.write(EOI, 0);
    expect(ioapic.state.redirtbl[5].low).toBe(0x8061);
  });

  it('an end that SVR bit 12 suppresses leaves remote IRR; only KVM_SET_LAPIC can set that bit', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic();
    route(ioapic, 5, LEVEL | 0x61);
    const regs = t.apic.state.regs.slice();
    regs[SVR >> 2] |= 1 << 12;
    t.kvm.fn.kvmApicSetState(t.apic, regs);
    ioapic.setIrq(5, 0, 1);
    t.take();
    t.write(EOI, 0);
    expect(ioapic.state.redirtbl[5].low).toBe(0xc061);
  });

  it('the RTC’s interrupt is coalesced until its end', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic();
    route(ioapic, 8, 0x68);
    const tick = (): number => {
      ioapic.setIrq(8, 0, 0, true);
      return ioapic.setIrq(8, 0, 1, true);
    };
    expect([tick(), tick(), t.take()]).toEqual([1, 0, 0x68]);
    t.write(EOI, 0);
    expect(tick()).toBe(1);
  });

  it('KVM_SET_LAPIC tells the IOAPIC whether the RTC’s interrupt is under way', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic();
    route(ioapic, 8, 0x68);
    ioapic.setIrq(8, 0, 1, true);
    const pending = t.apic.state.regs.slice();
    t.take();
    t.write(EOI, 0);
    expect(ioapic.state.rtc_pending_eoi).toBe(0);
    t.kvm.fn.kvmApicSetState(t.apic, pending);
    expect([ioapic.state.rtc_pending_eoi, t.take()]).toEqual([1, 0x68]);
  });

  it('delivers NMI and INIT, and physical destinations by ID', () => {
    const t = new TestLapic();
    const ioapic = t.withIoapic();
    t.write(ID, 0x0300_0000);
    route(ioapic, 6, NMI, 0x0300_0000);
    route(ioapic, 7, 0x77, 0);
    expect([ioapic.setIrq(6, 0, 1), t.nmis, ioapic.setIrq(7, 0, 1)]).toEqual([1, 1, 0]);
  });
});

describe('KVM_GET_LAPIC and KVM_SET_LAPIC', () => {
  it('hold the page with the current count; the timer goes on from it', () => {
    const t = new TestLapic();
    t.write(TDCR, 0b1011);
    t.write(LVTT, PERIODIC | 0x40);
    t.write(TMICT, 1_000_000);
    t.pass(400_000);
    const regs = new Uint32Array(256);
    t.kvm.fn.kvmApicGetState(t.apic, regs);
    expect(regs[TMCCT >> 2]).toBe(600_000);
    const other = new TestLapic();
    regs[0x30 >> 2] = 0x1234;
    other.kvm.fn.kvmApicSetState(other.apic, regs);
    expect([other.read(0x30), other.read(TMCCT), other.clock.nextDeadlineNs]).toEqual([
      0x5_0014, 600_000, 600_000,
    ]);
    other.pass(600_000);
    expect([other.take(), other.clock.nextDeadlineNs]).toEqual([0x40, 1_600_000]);
  });

  it('KVM: without a current count a periodic timer begins anew, a one-shot one expires', () => {
    const t = new TestLapic();
    const regs = t.apic.state.regs.slice();
    regs[TMICT >> 2] = 500_000;
    regs[LVTT >> 2] = PERIODIC | 0x40;
    t.kvm.fn.kvmApicSetState(t.apic, regs);
    expect(t.clock.nextDeadlineNs).toBe(1_000_000);
    regs[LVTT >> 2] = 0x40;
    t.kvm.fn.kvmApicSetState(t.apic, regs);
    t.pass(0);
    expect(t.take()).toBe(0x40);
  });

  it('takes up what waits and what is in service', () => {
    const t = new TestLapic();
    t.raise(0x41);
    t.take();
    t.raise(0x91);
    const other = new TestLapic();
    other.kvm.fn.kvmApicSetState(other.apic, t.apic.state.regs);
    expect([other.read(PPR), other.take(), other.vectors(ISR)]).toEqual([0x40, 0x91, [0x41, 0x91]]);
  });
});
