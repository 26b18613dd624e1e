import { describe, expect, it } from 'vitest';
import { openHostKvm } from '../../src/cli/host/host-engine.ts';
import type { VcpuApi, VmApi } from '../../src/kvm/api.ts';
import { orThrow } from '../../src/kvm/or-throw.ts';
import { EAGAIN, EBADF, EEXIST, EINTR, EINVAL, ENOENT, ENXIO } from '../../src/uapi/errno.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_PIT_SPEAKER_DUMMY,
} from '../../src/uapi/kvm.ts';
import { hostKvm, noKvm } from './engines.ts';

interface HostMachine {
  readonly vm: VmApi;
  readonly vcpu: VcpuApi;
  readonly mem: Uint8Array;
}

/** 64 KiB, real mode, `code` at 0000:1000. */
function machine(code: readonly number[], flags = 0): HostMachine {
  if (hostKvm === null) throw new Error('no /dev/kvm');
  const vm = orThrow(hostKvm.createVm(), 'KVM_CREATE_VM');
  const mem = orThrow(hostKvm.allocateMemory(0x1_0000), 'mmap');
  mem.set(code, 0x1000);
  orThrow(
    vm.setUserMemoryRegion({ slot: 0, flags, guest_phys_addr: 0, memory_size: mem.length, mem }),
    'KVM_SET_USER_MEMORY_REGION',
  );
  const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
  const sregs = orThrow(vcpu.getSregs(), 'KVM_GET_SREGS');
  sregs.cs = { ...sregs.cs, base: 0, selector: 0 };
  orThrow(vcpu.setSregs(sregs), 'KVM_SET_SREGS');
  const regs = orThrow(vcpu.getRegs(), 'KVM_GET_REGS');
  orThrow(vcpu.setRegs({ ...regs, eip: 0x1000, eflags: 2 }), 'KVM_SET_REGS');
  return { vm, vcpu, mem };
}

/** KVM_RUN until something happens: the timer's signal may come first. */
function runToExit(vcpu: VcpuApi): number {
  let r = -EINTR;
  for (let i = 0; r === -EINTR && i < 100; i++) r = vcpu.kvmRun();
  return r;
}

describe('without a device', () => {
  it('HostKvm.open says why in one line, and the CLI ends with code 6', async () => {
    await expect(openHostKvm('/no/such/kvm')).rejects.toMatchObject({
      exitCode: 6,
      message: expect.stringMatching(/^the host's KVM: [^\n]*$/),
    });
  });
});

describe.skipIf(noKvm)('HostKvm (needs /dev/kvm)', () => {
  it('runs a guest from exit to exit: OUT, IN completed by immediate_exit, HLT', () => {
    const { vm, vcpu } = machine([0xe6, 0x80, 0xe4, 0x81, 0xf4]);
    expect(runToExit(vcpu)).toBe(0);
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_IO);
    expect([vcpu.run.io.port, vcpu.run.io.size, vcpu.run.io.count]).toEqual([0x80, 1, 1]);
    expect(runToExit(vcpu)).toBe(0);
    expect(vcpu.run.io.port).toBe(0x81);
    vcpu.run.pioData[0] = 0x5a;
    vcpu.run.immediate_exit = 1;
    expect(vcpu.kvmRun()).toBe(-EINTR);
    expect(orThrow(vcpu.getRegs(), 'KVM_GET_REGS')).toMatchObject({ eip: 0x1004 });
    expect(orThrow(vcpu.getRegs(), 'KVM_GET_REGS').eax & 0xff).toBe(0x5a);
    vcpu.run.immediate_exit = 0;
    expect(runToExit(vcpu)).toBe(0);
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
    expect(vm.close()).toBe(0);
  });

  it('hands on the kernel’s errnos', () => {
    const { vm, vcpu, mem } = machine([0xf4]);
    expect(vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY })).toBe(-ENOENT);
    expect(vm.createIrqchip()).toBe(-EINVAL); // a vCPU exists
    expect(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER)).toBe(-ENXIO);
    expect(vm.createVcpu(0)).toBe(-EEXIST);
    const region = { slot: 1, flags: 0, guest_phys_addr: 0x8000, memory_size: mem.length, mem };
    expect(vm.setUserMemoryRegion(region)).toBe(-EEXIST);
    expect(vm.setUserMemoryRegion({ ...region, guest_phys_addr: 0x123 })).toBe(-EINVAL);
    expect(vm.setUserMemoryRegion({ ...region, memory_size: 0x2000 })).toBe(-EINVAL);
    expect(vcpu.interrupt({ irq: 300 })).toBe(-EINVAL);
    expect(vm.close()).toBe(0);
    expect(vm.close()).toBe(-EBADF);
    expect(vcpu.kvmRun()).toBe(-EBADF);
    expect(vcpu.run.exit_reason).toBe(0); // the mapping reads as zeros, it does not fault
  });

  it('takes and gives the state of PIC, IOAPIC and PIT', () => {
    if (hostKvm === null) return;
    const vm = orThrow(hostKvm.createVm(), 'KVM_CREATE_VM');
    expect(vm.createIrqchip()).toBe(0);
    expect(vm.createIrqchip()).toBe(-EEXIST);
    expect(vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY })).toBe(0);
    const pic = orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER), 'KVM_GET_IRQCHIP');
    expect(pic).toMatchObject({ irr: 0, imr: 0, elcr_mask: 0xf8 });
    expect(vm.setIrqchip(KVM_IRQCHIP_PIC_MASTER, { ...pic, imr: 0xa5 })).toBe(0);
    expect(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER)).toEqual({ ...pic, imr: 0xa5 });
    expect(vm.getIrqchip(KVM_IRQCHIP_IOAPIC)).toMatchObject({ base_address: 0xfec0_0000, irr: 0 });
    const pit = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
    expect(pit.channels.map(({ count, gate }) => [count, gate])).toEqual([
      [0x1_0000, 1],
      [0x1_0000, 1],
      [0x1_0000, 0],
    ]);
    pit.channels[1].mode = 3;
    expect(vm.setPit2(pit)).toBe(0);
    expect(orThrow(vm.getPit2(), 'KVM_GET_PIT2').channels[1].mode).toBe(3);
    expect(vm.irqLine(3, 1)).toBeGreaterThanOrEqual(0);
    expect(vm.reinjectControl({ pit_reinject: 0 })).toBe(0);
    expect(vm.close()).toBe(0);
  });

  it('signals an ioeventfd instead of leaving, and logs dirty pages', () => {
    const { vm, vcpu } = machine([0xe6, 0x80, 0xa2, 0x34, 0x52, 0xf4], KVM_MEM_LOG_DIRTY_PAGES);
    if (hostKvm === null) return;
    const fd = orThrow(hostKvm.eventfd(), 'eventfd');
    expect(fd.read()).toBe(-EAGAIN);
    expect(vm.ioeventfd({ addr: 0x80, len: 1, datamatch: 0, fd, flags: KVM_IOEVENTFD_FLAG_PIO })).toBe(0);
    vm.getDirtyLog(0);
    expect(runToExit(vcpu)).toBe(0);
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
    expect(fd.read()).toBe(1n);
    expect([...orThrow(vm.getDirtyLog(0), 'KVM_GET_DIRTY_LOG')]).toEqual([1 << 5, 0, 0, 0, 0, 0, 0, 0]);
    expect(vm.getDirtyLog(7)).toBe(-ENOENT);
    expect(fd.close()).toBe(0);
    vm.close();
  });

  it('comes back from a guest that never leaves when the timer’s signal arrives', () => {
    const { vm, vcpu } = machine([0xeb, 0xfe]);
    expect(vcpu.kvmRun()).toBe(-EINTR);
    expect(orThrow(vcpu.getRegs(), 'KVM_GET_REGS').eip).toBe(0x1000);
    vm.close();
  });
});
