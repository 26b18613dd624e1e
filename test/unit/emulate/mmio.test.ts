/** Accesses to the kernel's MMIO bus of any length, in pieces of up to eight bytes, and what is left for userspace. */
import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice } from '../../../src/bus/io-device.ts';
import { FAULT_INTERNAL, FAULT_MMIO, FAULT_NONE } from '../../../src/cpu/cpu.ts';
import { vcpuMmioRead, vcpuMmioWrite } from '../../../src/emulate/mmio.ts';
import { UserspaceMmioPort } from '../../../src/emulate/mmio-port.ts';
import { KVM_MMIO_BUS } from '../../../src/uapi/kvm.ts';
import { type Machine, realMachine } from '../kvm/real-machine.ts';

const AT = 0x20_0000;
const LAPIC = 0xfee0_0000;
const LAPIC_VERSION = 0x30;
const TASK_PRIORITY = 0x80;

/** A machine with a device at `AT` that logs what it is asked. */
function machineWith(len: number, dev: Partial<IoDevice> = {}, devices = false): Machine & { log: string[] } {
  const machine = realMachine('', {}, { devices });
  const log: string[] = [];
  const device: IoDevice = {
    name: 'mmio',
    read: (addr, size) => {
      log.push(`r ${addr.toString(16)} ${size}`);
      return 0x8765_4321;
    },
    write: (addr, size, value) => {
      log.push(`w ${addr.toString(16)} ${size} ${value.toString(16)}`);
      return true;
    },
    ...dev,
  };
  machine.vm.fn.kvmIoBusRegisterDev(machine.vm.buses[KVM_MMIO_BUS], AT, len, device);
  return { ...machine, log };
}

function read({ vcpu }: Machine, addr: number, len: number): string {
  const data = new Uint8Array(24).fill(0xee);
  const done = vcpuMmioRead(vcpu, addr, data, 2, len);
  return `${done} ${Buffer.from(data.subarray(0, len + 3)).toString('hex')}`;
}

function write({ vcpu }: Machine, addr: number, len: number): number {
  return vcpuMmioWrite(
    vcpu,
    addr,
    Uint8Array.from({ length: 24 }, (_, i) => 0xf0 + i),
    2,
    len,
  );
}

describe('an access of the kernel’s MMIO bus', () => {
  it.each([
    [1, '1 eeee21ee', 'f2'],
    [2, '2 eeee2143ee', 'f3f2'],
    [3, '3 eeee214365ee', 'f4f3f2'],
    [4, '4 eeee21436587ee', 'f5f4f3f2'],
    // A device has no more than four bytes: those above keep what they are, and are not seen.
    [6, '6 eeee21436587eeeeee', 'f5f4f3f2'],
  ])('of %i bytes reads and writes as many', (len, bytes, value) => {
    const machine = machineWith(16);
    expect([read(machine, AT, len), write(machine, AT, len)]).toEqual([bytes, len]);
    expect(machine.log).toEqual([`r 200000 ${len}`, `w 200000 ${len} ${value}`]);
  });

  it('of more than eight bytes goes in pieces, the first of them for devices that have eight bytes', () => {
    const machine = machineWith(32);
    const wide: string[] = [];
    const device: IoDevice = {
      name: 'wide',
      read: () => IO_NOT_HANDLED,
      write: () => false,
      read64: (addr, data) => {
        wide.push(`r ${addr.toString(16)} ${data.length}`);
        data.fill(0x11);
        return true;
      },
      write64: (addr, data) => {
        wide.push(`w ${addr.toString(16)} ${Buffer.from(data).toString('hex')}`);
        return true;
      },
    };
    machine.vm.fn.kvmIoBusRegisterDev(machine.vm.buses[KVM_MMIO_BUS], AT, 16, device);
    expect(read(machine, AT, 10)).toBe('10 eeee11111111111111112143ee');
    expect(write(machine, AT, 10)).toBe(10);
    expect(wide).toEqual(['r 200000 8', 'w 200000 f2f3f4f5f6f7f8f9']);
    expect(machine.log).toEqual(['r 200008 2', 'w 200008 2 fbfa']);
  });

  it('of sixteen bytes goes in two pieces, each with its own bytes', () => {
    const wide: string[] = [];
    const machine = machineWith(16, {
      read64: (addr, data) => {
        data.fill(addr & 0xff);
        return true;
      },
      write64: (addr, data) => {
        wide.push(`w ${addr.toString(16)} ${Buffer.from(data).toString('hex')}`);
        return true;
      },
    });
    expect(read(machine, AT, 16)).toBe(`16 eeee${'00'.repeat(8)}${'08'.repeat(8)}ee`);
    expect(write(machine, AT, 16)).toBe(16);
    expect(wide).toEqual(['w 200000 f2f3f4f5f6f7f8f9', 'w 200008 fafbfcfdfeff0001']);
  });

  it('may read zeros: that is an answer too', () => {
    expect(read(machineWith(16, { read: () => 0 }), AT, 2)).toBe('2 eeee0000ee');
  });

  it('ends at the first piece that nobody takes', () => {
    const machine = machineWith(32);
    expect([read(machine, AT, 12), write(machine, AT, 12)]).toEqual([`0 ${'ee'.repeat(15)}`, 0]);
    expect(machine.log).toEqual([]);
    expect([read(machine, AT + 0x100, 4), write(machine, AT + 0x100, 4)]).toEqual([`0 ${'ee'.repeat(7)}`, 0]);
  });

  it('is done by a device that stores nothing, the bytes staying as they were', () => {
    expect(read(machineWith(16, { read: () => IO_NOTHING_STORED }), AT, 4)).toBe(`4 ${'ee'.repeat(7)}`);
  });

  it('of no bytes asks nobody', () => {
    const machine = machineWith(16);
    expect([read(machine, AT, 0), write(machine, AT, 0), machine.log]).toEqual(['0 eeeeee', 0, []]);
  });

  it('goes to the local APIC first, and past it outside its page', () => {
    const machine = machineWith(16, {}, true);
    const { vcpu } = machine;
    expect(read(machine, LAPIC + LAPIC_VERSION, 4)).toMatch(/^4 eeee14000[0-9a-f]00ee$/);
    expect(vcpuMmioWrite(vcpu, LAPIC + TASK_PRIORITY, Uint8Array.of(0x30, 0, 0, 0), 0, 4)).toBe(4);
    expect(read(machine, LAPIC + TASK_PRIORITY, 4)).toBe('4 eeee30000000ee');
    expect([read(machine, AT, 2), write(machine, AT, 2), machine.log.length]).toEqual(['2 eeee2143ee', 2, 2]);
  });

  it('of eight bytes goes to the local APIC first too, and past it outside its page', () => {
    const machine = machineWith(16, { read64: () => true, write64: () => true }, true);
    const at = LAPIC + LAPIC_VERSION;
    // No register has eight bytes: it takes the access and stores nothing.
    expect([read(machine, at, 8), write(machine, at, 8)]).toEqual([`8 ${'ee'.repeat(11)}`, 8]);
    expect([read(machine, AT, 8), write(machine, AT, 8)]).toEqual([`8 ${'ee'.repeat(11)}`, 8]);
    expect([read(machine, AT + 0x100, 8), write(machine, AT + 0x100, 8)]).toEqual([
      `0 ${'ee'.repeat(11)}`,
      0,
    ]);
  });
});

describe('the port to userspace', () => {
  it('stops an instruction that makes more than 128 reads, or writes', () => {
    const { vcpu } = machineWith(0x1000);
    const port = new UserspaceMmioPort(vcpu);
    for (let i = 0; i < 128; i++) port.mmioRead(AT, 4);
    expect(vcpu.cpu.fault).toBe(FAULT_NONE);
    expect([port.mmioRead(AT, 4), vcpu.cpu.fault]).toEqual([0, FAULT_INTERNAL]);
    expect(vcpu.cpu.internalError).toBe('one instruction makes too many memory-mapped accesses');
    vcpu.cpu.fault = FAULT_NONE;
    for (let i = 0; i < 128; i++) port.mmioWrite(AT, 4, i);
    expect(vcpu.cpu.fault).toBe(FAULT_NONE);
    port.mmioWrite(AT, 4, 0);
    expect(vcpu.cpu.fault).toBe(FAULT_INTERNAL);
  });

  it('does nothing more once there is a fault', () => {
    const machine = machineWith(16);
    const { vcpu } = machine;
    const port = new UserspaceMmioPort(vcpu);
    vcpu.cpu.fault = FAULT_MMIO;
    expect(port.mmioRead(AT, 4)).toBe(0);
    port.mmioWrite(AT, 4, 1);
    expect([machine.log, vcpu.mmioRequest.nr]).toEqual([[], 0]);
  });

  it('gives back what has been read, in order, and asks for the rest that no device has', () => {
    const machine = machineWith(16);
    const { vcpu } = machine;
    const { cpu, mmioRequest } = vcpu;
    const port = new UserspaceMmioPort(vcpu);
    expect([port.mmioRead(AT, 2), port.mmioRead(AT + 0x100, 4)]).toEqual([0x4321, 0]);
    expect([cpu.fault, cpu.exitQualification]).toEqual([FAULT_MMIO, 1]);
    expect(mmioRequest).toMatchObject({ needed: 1, isWrite: 0, readPos: 1, readEnd: 1 });
    expect([mmioRequest.gpa[0], mmioRequest.at[0], mmioRequest.len[0]]).toEqual([AT + 0x100, 8, 4]);
    // Userspace has answered; the instruction runs again.
    cpu.fault = FAULT_NONE;
    mmioRequest.readData.set([1, 2, 3, 0xff], 8);
    mmioRequest.readEnd = 2;
    mmioRequest.readPos = 0;
    expect([port.mmioRead(AT, 2), port.mmioRead(AT + 0x100, 4)]).toEqual([0x4321, 0xff03_0201]);
    expect(machine.log).toEqual(['r 200000 2']);
  });

  it('reads values of 1 to 4 bytes, unsigned', () => {
    const port = new UserspaceMmioPort(machineWith(16).vcpu);
    expect([1, 2, 3, 4].map((size) => port.mmioRead(AT, size))).toEqual([
      0x21, 0x4321, 0x65_4321, 0x8765_4321,
    ]);
  });

  it('makes one access of a pair of doublewords, and only of that', () => {
    const { vcpu } = machineWith(16, {
      read64: (_addr, data) => {
        data.set([1, 2, 3, 4, 5, 6, 7, 8]);
        return true;
      },
    });
    const port = new UserspaceMmioPort(vcpu);
    port.mmioPair();
    expect([port.mmioRead(AT, 4), port.mmioRead(AT + 4, 4)]).toEqual([0x0403_0201, 0x0807_0605]);
    expect(port.mmioRead(AT, 4)).toBe(0x8765_4321);
    port.mmioPair();
    port.mmioWrite(AT, 4, 0x1111_1111);
    expect(vcpu.mmioRequest.nr).toBe(0);
    port.mmioWrite(AT + 4, 4, 0x2222_2222);
    port.mmioWrite(AT + 8, 2, 0x3333);
    const { gpa, len, nr, data } = vcpu.mmioRequest;
    expect([nr, gpa[0], len[0], gpa[1], len[1]]).toEqual([2, AT, 8, AT + 8, 2]);
    expect(Buffer.from(data.subarray(0, 10)).toString('hex')).toBe('11111111222222223333');
  });

  it('forgets a pair whose read must wait', () => {
    const { vcpu } = machineWith(16);
    const port = new UserspaceMmioPort(vcpu);
    port.mmioPair();
    expect([port.mmioRead(AT + 0x100, 4), vcpu.cpu.fault, vcpu.mmioRequest.len[0]]).toEqual([
      0,
      FAULT_MMIO,
      8,
    ]);
    vcpu.cpu.fault = FAULT_NONE;
    vcpu.mmioRequest.begin();
    expect(port.mmioRead(AT, 4)).toBe(0x8765_4321);
  });
});
