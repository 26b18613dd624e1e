/** String I/O and permission checks of the emulator under paging: what a page fault leaves behind (facts, section 11). */
import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED, type IoDevice } from '../../../src/bus/io-device.ts';
import { KVM_EXIT_HLT, KVM_PIO_BUS, type KvmRegs, type KvmSegment } from '../../../src/uapi/kvm.ts';
import { CODE, handlerEnd, type Machine, realMachine } from '../kvm/real-machine.ts';

const PORT = 0x300;
const GDT = 0x1000;
const IDT = 0x2000;
const DIRECTORY = 0x8_0000;
const TABLE = 0x8_1000;
const DATA_TABLE = 0x8_2000;
/** Linear; its first page leads to FRAME, the second nowhere. */
const DATA = 0x40_0000;
const FRAME = 0x4_0000;
const PF = 14;
const GP = 13;
const RF = 0x1_0000;
const DF = 0x400;

/** Counts what it is asked for. */
class Port implements IoDevice {
  readonly name = 'port';
  reads = 0;
  readonly written: number[] = [];

  read(): number {
    this.reads++;
    return this.reads & 0xff;
  }

  write(_port: number, _size: number, value: number): boolean {
    this.written.push(value);
    return true;
  }
}

interface PagedMachine extends Machine {
  readonly port: Port;
  readonly view: DataView;
}

function segment(selector: number, type: number, dpl: number): KvmSegment {
  return {
    selector,
    base: 0,
    limit: 0xffff_ffff,
    type,
    dpl,
    present: 1,
    db: 1,
    s: 1,
    l: 0,
    g: 1,
    avl: 0,
    unusable: 0,
  };
}

/** The machine of the other tests in flat 32-bit protected mode with paging; low memory one to one. */
function pagedMachine(code: string, regs: Partial<KvmRegs>, level: 0 | 3 = 0): PagedMachine {
  const { vm, vcpu } = realMachine(code, { edx: PORT, ...regs }, { devices: false });
  const { view } = vm.memory;
  for (let i = 0; i < 256; i++) view.setUint32(TABLE + i * 4, (i * 0x1000) | 7, true);
  view.setUint32(DIRECTORY, TABLE | 7, true);
  view.setUint32(DIRECTORY + 4, DATA_TABLE | 7, true);
  view.setUint32(DATA_TABLE, FRAME | 7, true);
  for (const [selector, high] of [
    [0x08, 0x00cf9b00],
    [0x10, 0x00cf9300],
  ]) {
    view.setUint32(GDT + selector, 0xffff, true);
    view.setUint32(GDT + selector + 4, high, true);
  }
  for (let vector = 0; vector < 32; vector++) {
    view.setUint32(IDT + vector * 8, 0x8_0000 | (handlerEnd(vector) - 1), true);
    view.setUint32(IDT + vector * 8 + 4, 0x8e00, true);
  }
  const sregs = vcpu.getSregs();
  const data = segment(level === 0 ? 0x10 : 0x23, 3, level);
  sregs.cs = segment(level === 0 ? 0x08 : 0x1b, 11, level);
  for (const name of ['ds', 'es', 'ss', 'fs', 'gs'] as const) sregs[name] = { ...data };
  sregs.gdt = { base: GDT, limit: 0x17 };
  sregs.idt = { base: IDT, limit: 0xff };
  sregs.cr0 = 0x8001_0011;
  sregs.cr3 = DIRECTORY;
  expect(vcpu.setSregs(sregs)).toBe(0);
  const port = new Port();
  vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], PORT, 4, port);
  return { vm, vcpu, port, view };
}

/** Runs to the handler of `vector`. @returns error code, EIP and EFLAGS of its frame. */
function fault({ vcpu, view }: PagedMachine, vector: number): number[] {
  expect(vcpu.kvmRun()).toBe(0);
  expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
  const { eip, esp } = vcpu.getRegs();
  expect(eip).toBe(handlerEnd(vector));
  return [view.getUint32(esp, true), view.getUint32(esp + 4, true), view.getUint32(esp + 12, true)];
}

describe('INS', () => {
  it('32: into a page that is not there loses what the device gave; the next try reads it again', () => {
    const machine = pagedMachine('f36c', { ecx: 5, edi: DATA + 0x1010 });
    const [error, eip] = fault(machine, PF);
    expect([error, eip]).toEqual([2, CODE]);
    expect(machine.vcpu.getSregs().cr2).toBe(DATA + 0x1010);
    expect(machine.port.reads).toBe(5);
    const regs = machine.vcpu.getRegs();
    expect(regs).toMatchObject({ ecx: 5, edi: DATA + 0x1010 });

    machine.view.setUint32(DATA_TABLE + 4, (FRAME + 0x1000) | 7, true);
    const sregs = machine.vcpu.getSregs();
    machine.vcpu.setSregs(sregs);
    machine.vcpu.setRegs({ ...regs, eip: CODE });
    expect(machine.vcpu.kvmRun()).toBe(0);
    expect(machine.port.reads).toBe(10);
    expect([...machine.vm.memory.ram.subarray(FRAME + 0x1010, FRAME + 0x1016)]).toEqual([6, 7, 8, 9, 10, 0]);
    expect(machine.vcpu.getRegs()).toMatchObject({ ecx: 0, edi: DATA + 0x1015 });
  });

  it('33: a block that crosses into a page that is not there has stored its first part', () => {
    const machine = pagedMachine('f36d', { ecx: 4, edi: DATA + 0xff8 });
    const [error, eip] = fault(machine, PF);
    expect([error, eip]).toEqual([2, CODE]);
    expect(machine.vcpu.getSregs().cr2).toBe(DATA + 0x1000);
    expect(machine.port.reads).toBe(4);
    expect([...machine.vm.memory.ram.subarray(FRAME + 0xff8, FRAME + 0x1000)]).toEqual([
      1, 0, 0, 0, 2, 0, 0, 0,
    ]);
    expect(machine.vcpu.getRegs()).toMatchObject({ ecx: 4, edi: DATA + 0xff8 });
  });

  it.each([
    ['without REP', '6d', 0],
    ['downwards', 'f36d', DF],
  ])(
    'a single element %s that crosses into a page that is not there has stored its first part',
    (_how, code, flags) => {
      const machine = pagedMachine(code, { ecx: 1, edi: DATA + 0xffd, eflags: 2 | flags });
      const [error, eip] = fault(machine, PF);
      expect([error, eip]).toEqual([2, CODE]);
      expect(machine.vcpu.getSregs().cr2).toBe(DATA + 0x1000);
      // KVM writes what is in the first page before it looks at the second one.
      expect([...machine.vm.memory.ram.subarray(FRAME + 0xffc, FRAME + 0x1000)]).toEqual([0, 1, 0, 0]);
      expect(machine.vcpu.getRegs()).toMatchObject({ ecx: 1, edi: DATA + 0xffd });
    },
  );

  it('into a read-only page is #PF with the protection bit', () => {
    const machine = pagedMachine('6c', { edi: DATA });
    machine.view.setUint32(DATA_TABLE, FRAME | 5, true);
    expect(fault(machine, PF)[0]).toBe(3);
    expect(machine.port.reads).toBe(1);
  });
});

describe('OUTS', () => {
  it('36: a page fault on the third element leaves two written, counted and skipped, RIP at the instruction, RF set', () => {
    const machine = pagedMachine('f36e', { ecx: 5, esi: DATA + 0xffe });
    machine.vm.memory.write(FRAME + 0xffe, Uint8Array.of(0xa1, 0xa2));
    const [error, eip, eflags] = fault(machine, PF);
    expect([error, eip, eflags & RF]).toEqual([0, CODE, RF]);
    expect(machine.vcpu.getSregs().cr2).toBe(DATA + 0x1000);
    expect(machine.port.written).toEqual([0xa1, 0xa2]);
    expect(machine.vcpu.getRegs()).toMatchObject({ ecx: 3, esi: DATA + 0x1000 });
  });
});

/** A TSS whose first 40h bytes (the inner stack) are there, and whose I/O map base is in the page that is not. */
function cutTss({ vcpu, view }: ReturnType<typeof pagedMachine>): void {
  view.setUint32(FRAME + 0xfc4, 0x6800, true);
  view.setUint16(FRAME + 0xfc8, 0x10, true);
  const tr = { ...segment(0x28, 11, 0), base: DATA + 0xfc0, limit: 0x2067, s: 0 };
  vcpu.setSregs({ ...vcpu.getSregs(), tr });
}

describe('the software permission check', () => {
  it('46: a TSS page that is not there is #GP(0), not #PF, and CR2 stays', () => {
    const machine = pagedMachine('ec', { esp: 0x6000 }, 3); // in al,dx
    const { vcpu } = machine;
    cutTss(machine);
    vcpu.setSregs({ ...vcpu.getSregs(), cr2: 0x1234_5678 });
    vcpu.forceEmulation = 1;
    const [error, eip] = fault(machine, GP);
    expect([error, eip]).toEqual([0, CODE]);
    expect(vcpu.getSregs().cr2).toBe(0x1234_5678);
    expect(machine.port.reads).toBe(0);
  });

  it('46: refuses a port whose bit could be read although the I/O map base cannot', () => {
    const machine = pagedMachine('ec', { esp: 0x6000, edx: 0x100 }, 3); // in al,dx
    const { vcpu } = machine;
    cutTss(machine);
    vcpu.forceEmulation = 1;
    expect(fault(machine, GP).slice(0, 2)).toEqual([0, CODE]);
  });

  it('of the processor: the same is #PF of a supervisor read', () => {
    const machine = pagedMachine('ec', { esp: 0x6000 }, 3);
    const { vcpu } = machine;
    cutTss(machine);
    expect(fault(machine, PF).slice(0, 2)).toEqual([0, CODE]);
    expect(vcpu.getSregs().cr2).toBe(DATA + 0xfc0 + 102);
  });
});

it('a device that declines lets the access leave whole, paging or not', () => {
  const { vcpu, vm } = pagedMachine('ed', { eax: 1 });
  const seen: number[] = [];
  vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], PORT + 8, 4, {
    name: 'declines',
    read: () => IO_NOT_HANDLED,
    write: () => false,
  });
  vcpu.userspace = { read: (port, size) => seen.push(port, size), write: () => {} };
  vcpu.setRegs({ ...vcpu.getRegs(), edx: PORT + 8 });
  vcpu.kvmRun();
  expect(seen).toEqual([PORT + 8, 4]);
});
