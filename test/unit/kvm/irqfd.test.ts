import { beforeEach, describe, expect, it } from 'vitest';
import { Eventfd } from '../../../src/kvm/eventfd.ts';
import { Kvm } from '../../../src/kvm/kvm.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { EBADF, EBUSY, EFAULT, EINVAL } from '../../../src/uapi/errno.ts';
import {
  KVM_IRQFD_FLAG_DEASSIGN as DEASSIGN,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_PIO_BUS,
  type KvmIrqfd,
  type KvmPicState,
  KVM_IRQFD_FLAG_RESAMPLE as RESAMPLE,
} from '../../../src/uapi/kvm.ts';
import { realMachine, TraceLog } from './real-machine.ts';
import { exitsOf, pioEvent } from './userspace-loop.ts';

let vm: Vm;
let trace: TraceLog;

beforeEach(() => {
  vm = new Kvm().createVm();
  vm.createIrqchip();
  trace = new TraceLog();
  vm.setTracepoints(trace);
});

/** What drove which GSI, as `gsi level source`. */
const lines = (): string[] =>
  trace.lines.filter((l) => l.startsWith('set_irq')).map((l) => l.slice('set_irq '.length));

const master = (): KvmPicState => {
  const state = vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER);
  if (typeof state === 'number' || !('isr' in state)) throw new Error('KVM_GET_IRQCHIP');
  return state;
};

describe('an irqfd', () => {
  it('pulses its GSI at every signal, takes the counter and wakes nobody else', () => {
    let woken = 0;
    const fd = new Eventfd({ listener: () => woken++ });
    expect(vm.irqfd({ fd, gsi: 4, flags: 0 })).toBe(0);
    fd.write(3);
    fd.signal();
    expect(lines()).toEqual(['4 1 0', '4 0 0', '4 1 0', '4 0 0']);
    expect([fd.count, woken]).toEqual([0n, 0]);
    expect(master().irr).toBe(1 << 4);
  });

  it('injects what was counted before, and leaves it in the counter', () => {
    const fd = new Eventfd({ initval: 2 });
    expect(vm.irqfd({ fd, gsi: 4, flags: 0 })).toBe(0);
    expect(lines()).toEqual(['4 1 0', '4 0 0']);
    expect(fd.count).toBe(2n);
  });

  it('works with a GSI that leads nowhere', () => {
    const fd = new Eventfd();
    expect(vm.irqfd({ fd, gsi: 0xffff_ffff, flags: 0 })).toBe(0);
    fd.signal();
    expect(lines()).toEqual(['4294967295 1 0', '4294967295 0 0']);
  });

  it('is gone after its deassignment, by eventfd and GSI; the counter is emptied', () => {
    const fd = new Eventfd({ initval: 1 });
    vm.irqfd({ fd, gsi: 4, flags: 0 });
    expect(vm.irqfd({ fd, gsi: 5, flags: DEASSIGN })).toBe(0);
    expect(vm.events.irqfds).toHaveLength(1);
    expect(vm.irqfd({ fd, gsi: 4, flags: DEASSIGN })).toBe(0);
    expect([vm.events.irqfds.length, fd.count]).toEqual([0, 0n]);
    trace.lines.length = 0;
    fd.signal();
    expect(lines()).toEqual([]);
    expect(vm.irqfd({ fd, gsi: 4, flags: DEASSIGN })).toBe(0);
  });

  it('goes away when its eventfd is closed', () => {
    const fd = new Eventfd();
    vm.irqfd({ fd, gsi: 4, flags: 0 });
    fd.close();
    expect(vm.events.irqfds).toEqual([]);
  });

  it('raises an interrupt from an OUT that an ioeventfd takes, without an exit', () => {
    const machine = realMachine('b0 00 e6 21 e6 90 fb 90', { eflags: 2 });
    const fd = new Eventfd();
    machine.vm.ioeventfd(pioEvent(fd, 0x90, 1));
    machine.vm.irqfd({ fd, gsi: 5, flags: 0 });
    expect(exitsOf(machine)).toEqual([]);
    // The handler of vector 5 (the PIC has no base) ended the guest.
    expect(machine.vcpu.cpu.eip).toBe(0x601 + 4 * 5);
  });
});

describe('KVM_IRQFD', () => {
  const fd = new Eventfd();
  const closed = new Eventfd();
  closed.close();

  it.each([
    ['an unknown flag', { fd, gsi: 4, flags: 4 }, -EINVAL],
    ['a GSI that is no u32', { fd, gsi: -1, flags: 0 }, -EINVAL],
    ['no file', { fd: null, gsi: 4, flags: 0 }, -EBADF],
    ['a closed file', { fd: closed, gsi: 4, flags: 0 }, -EBADF],
    ['another file', { fd: {}, gsi: 4, flags: 0 }, -EINVAL],
    ['no file to deassign', { fd: closed, gsi: 4, flags: DEASSIGN }, -EBADF],
    ['no resamplefd', { fd, gsi: 4, flags: RESAMPLE }, -EBADF],
    ['no structure', 'x', -EFAULT],
  ])('refuses %s', (_name, args, result) => {
    expect(vm.irqfd(args as unknown as KvmIrqfd)).toBe(result);
    expect([vm.events.irqfds, vm.events.resamplers]).toEqual([[], []]);
  });

  it('is EINVAL without an in-kernel irqchip; deassigning nothing is not', () => {
    const bare = new Kvm().createVm();
    expect(bare.irqfd({ fd, gsi: 4, flags: 0 })).toBe(-EINVAL);
    expect(bare.irqfd({ fd, gsi: 4, flags: DEASSIGN })).toBe(0);
  });

  it('is EBUSY for an eventfd that is an irqfd already; a resampler made for it lowers its line again', () => {
    const own = new Eventfd();
    expect(vm.irqfd({ fd: own, gsi: 4, flags: 0 })).toBe(0);
    expect(vm.irqfd({ fd: own, gsi: 5, flags: 0 })).toBe(-EBUSY);
    expect(vm.irqfd({ fd: own, gsi: 5, flags: RESAMPLE, resamplefd: new Eventfd() })).toBe(-EBUSY);
    expect(lines()).toEqual(['5 0 1']);
    expect([vm.events.irqfds.length, vm.events.resamplers.length]).toEqual([1, 0]);
  });
});

describe('a resampling irqfd', () => {
  /** GSI 5, level-triggered, unmasked. */
  function levelPin(): { eoi(): void; ack(): void } {
    const pic = vm.pic;
    if (pic === null) throw new Error('no PIC');
    const bus = vm.buses[KVM_PIO_BUS];
    vm.fn.kvmIoBusWrite(bus, 0x4d0, 1, 0x20);
    return { eoi: () => void vm.fn.kvmIoBusWrite(bus, 0x20, 1, 0x20), ack: () => void pic.readIrq() };
  }

  it('holds the line until the interrupt has ended, then signals the resamplefd', () => {
    const { ack, eoi } = levelPin();
    const fd = new Eventfd();
    const resamplefd = new Eventfd();
    expect(vm.irqfd({ fd, gsi: 5, flags: RESAMPLE, resamplefd })).toBe(0);
    fd.signal();
    ack();
    expect([lines(), resamplefd.count, master().irr]).toEqual([['5 1 1'], 0n, 0x20]);
    eoi();
    expect([lines(), resamplefd.count, master().irr]).toEqual([['5 1 1', '5 0 1'], 1n, 0]);
  });

  it('shares its GSI: one fall, and every resamplefd hears of it', () => {
    const { ack, eoi } = levelPin();
    const fds = [new Eventfd(), new Eventfd()];
    const resamplefds = [new Eventfd(), new Eventfd()];
    for (const i of [0, 1]) {
      vm.irqfd({ fd: fds[i], gsi: 5, flags: RESAMPLE, resamplefd: resamplefds[i] });
    }
    expect(vm.events.resamplers).toHaveLength(1);
    fds[1].signal();
    ack();
    eoi();
    expect(lines()).toEqual(['5 1 1', '5 0 1']);
    expect(resamplefds.map((r) => r.count)).toEqual([1n, 1n]);
  });

  it('is raised again when its device still wants: userspace answers the resamplefd with a signal', () => {
    const { ack, eoi } = levelPin();
    const fd = new Eventfd();
    let wants = 2;
    const resamplefd = new Eventfd({
      listener: () => {
        if (--wants > 0) fd.signal();
      },
    });
    vm.irqfd({ fd, gsi: 5, flags: RESAMPLE, resamplefd });
    fd.signal();
    ack();
    eoi();
    expect([lines(), master().irr]).toEqual([['5 1 1', '5 0 1', '5 1 1'], 0x20]);
    ack();
    eoi();
    expect([lines().length, master().irr]).toEqual([4, 0]);
  });

  it('lowers its line when the last of a GSI goes, and hears nothing any more', () => {
    const { ack, eoi } = levelPin();
    const fds = [new Eventfd(), new Eventfd()];
    const resamplefd = new Eventfd();
    for (const fd of fds) vm.irqfd({ fd, gsi: 5, flags: RESAMPLE, resamplefd });
    fds[0].signal();
    ack();
    vm.irqfd({ fd: fds[0], gsi: 5, flags: DEASSIGN });
    expect(lines()).toEqual(['5 1 1']);
    vm.irqfd({ fd: fds[1], gsi: 5, flags: DEASSIGN });
    expect([lines(), vm.events.resamplers]).toEqual([['5 1 1', '5 0 1'], []]);
    eoi();
    expect(resamplefd.count).toBe(0n);
  });

  it('may be taken away by who hears of it', () => {
    const { ack, eoi } = levelPin();
    const fds = [new Eventfd(), new Eventfd()];
    const seen: number[] = [];
    fds.forEach((fd, i) => {
      const resamplefd = new Eventfd({
        listener: () => {
          seen.push(i);
          vm.irqfd({ fd, gsi: 5, flags: DEASSIGN });
        },
      });
      vm.irqfd({ fd, gsi: 5, flags: RESAMPLE, resamplefd });
    });
    fds[0].signal();
    ack();
    eoi();
    expect([seen, vm.events.irqfds, vm.events.resamplers]).toEqual([[0, 1], [], []]);
  });

  it('is asked when an IOAPIC pin that is up is unmasked, and may raise it anew from there', () => {
    const { ioapic } = vm;
    if (ioapic === null) throw new Error('no IOAPIC');
    const entry = (low: number): void => {
      ioapic.dev.write(0xfec0_0000, 4, 0x10 + 2 * 20);
      ioapic.dev.write(0xfec0_0010, 4, low);
    };
    const irr = (): number => {
      const state = vm.getIrqchip(KVM_IRQCHIP_IOAPIC);
      return typeof state === 'number' || !('redirtbl' in state) ? -1 : state.irr;
    };
    const fd = new Eventfd();
    let answers = false;
    const resamplefd = new Eventfd({ listener: () => answers && fd.signal() });
    vm.irqfd({ fd, gsi: 20, flags: RESAMPLE, resamplefd });
    entry(0x1_8066);
    fd.signal();
    expect(irr()).toBe(1 << 20);
    entry(0x8066);
    expect([irr(), resamplefd.count]).toEqual([0, 1n]);
    entry(0x1_8066);
    fd.signal();
    answers = true;
    entry(0x8066);
    expect([irr(), resamplefd.count]).toEqual([1 << 20, 2n]);
  });
});
