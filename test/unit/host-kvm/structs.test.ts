import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  msrListRequest,
  packCpuid2,
  packEnableCap,
  packMsrs,
  unpackCpuid2,
  unpackMsrList,
  unpackMsrs,
} from '../../../src/host-kvm/cpuid-struct.ts';
import { packCoalescedZone, packIoeventfd, packIrqfd } from '../../../src/host-kvm/eventfd-struct.ts';
import {
  packDebugregs,
  packGuestDebug,
  packVcpuEvents,
  unpackDebugregs,
  unpackVcpuEvents,
} from '../../../src/host-kvm/events-struct.ts';
import { IOCTL, SIZEOF } from '../../../src/host-kvm/ioctl-numbers.ts';
import {
  irqchipRequest,
  packIrqchip,
  packIrqRouting,
  unpackIrqchip,
} from '../../../src/host-kvm/irqchip-struct.ts';
import { packPit2, unpackPit2 } from '../../../src/host-kvm/pit-struct.ts';
import { packRegs, packSregs, unpackRegs, unpackSregs } from '../../../src/host-kvm/regs-struct.ts';
import { Kvm } from '../../../src/kvm/kvm.ts';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import { KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_SLAVE, type KvmRegs } from '../../../src/uapi/kvm.ts';

/** A machine of pio86's with something in every structure. */
function machine() {
  const vm = orThrow(new Kvm().createVm(), 'KVM_CREATE_VM');
  vm.createIrqchip();
  vm.createPit2({ flags: 1 });
  return { vm, vcpu: orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU') };
}

describe('structures of the host’s KVM', () => {
  it('have the sizes of the kernel’s headers', () => {
    const { vm, vcpu } = machine();
    const chip = orThrow(vm.getIrqchip(0), 'KVM_GET_IRQCHIP');
    const fd = { write: () => 0, read: () => 0n, close: () => 0 };
    expect(packRegs(vcpu.getRegs()).bytes.length).toBe(144);
    expect(packSregs(vcpu.getSregs()).bytes.length).toBe(312);
    expect(irqchipRequest(0).bytes.length).toBe(520);
    expect(packIrqchip(0, chip).bytes.length).toBe(520);
    expect(packPit2(orThrow(vm.getPit2(), 'KVM_GET_PIT2')).bytes.length).toBe(112);
    expect(packIoeventfd({ datamatch: 1, addr: 0x80, len: 1, fd, flags: 0 }, 3).bytes.length).toBe(64);
    expect(packIrqfd({ fd, gsi: 3, flags: 0 }, 3, 0).bytes.length).toBe(32);
    expect(packCoalescedZone({ addr: 0, size: 1, pio: 1 }).bytes.length).toBe(16);
    expect(packGuestDebug({ control: 1 }).bytes.length).toBe(72);
    expect(packEnableCap({ cap: 1, args: [] }).bytes.length).toBe(104);
    expect(packIrqRouting([{ gsi: 1, irqchip: 0, pin: 1 } as never], 1).bytes.length).toBe(8 + 48);
    expect(SIZEOF).toMatchObject({
      kvm_pit_config: 64,
      kvm_reinject_control: 32,
      kvm_vcpu_events: 64,
      kvm_debugregs: 128,
      kvm_userspace_memory_region: 32,
    });
  });

  it('have the kernel’s ioctl numbers', () => {
    expect(IOCTL.KVM_RUN).toBe(0xae80);
    expect(IOCTL.KVM_GET_REGS).toBe(0x8090_ae81);
    expect(IOCTL.KVM_SET_REGS).toBe(0x4090_ae82);
    expect(IOCTL.KVM_SET_SREGS).toBe(0x4138_ae84);
    expect(IOCTL.KVM_SET_USER_MEMORY_REGION).toBe(0x4020_ae46);
    expect(IOCTL.KVM_GET_IRQCHIP).toBe(0xc208_ae62);
    expect(IOCTL.KVM_GET_SUPPORTED_CPUID).toBe(0xc008_ae05);
    expect(IOCTL.KVM_GET_MSR_INDEX_LIST).toBe(0xc004_ae02);
    expect(IOCTL.KVM_CREATE_PIT2).toBe(0x4040_ae77);
    expect(IOCTL.KVM_IOEVENTFD).toBe(0x4040_ae79);
  });

  it('put EIP, EFLAGS and EDI where the kernel looks for them', () => {
    const { vcpu } = machine();
    const view = packRegs({ ...vcpu.getRegs(), edi: 0x1122_3344, eip: 0x5566_7788, eflags: 0x3202 });
    expect([view.u64(40), view.u64(128), view.u64(136)]).toEqual([0x1122_3344, 0x5566_7788, 0x3202]);
  });

  it('come back as they were: registers', () => {
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const names = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'esp', 'ebp', 'eip', 'eflags'] as const;
    const regs = fc.tuple(...names.map(() => u32)).map((values) => {
      return Object.fromEntries(names.map((name, i) => [name, values[i]])) as unknown as KvmRegs;
    });
    fc.assert(
      fc.property(regs, (r) => {
        expect(unpackRegs(packRegs(r))).toEqual(r);
      }),
    );
  });

  it('come back as they were: segments, chips, PIT, events, debug registers, CPUID, MSRs', () => {
    const { vm, vcpu } = machine();
    const sregs = { ...vcpu.getSregs(), cr2: 0x1234_5678, interrupt_bitmap: [0, 4, 0, 0, 0, 0, 0, 0] };
    expect(unpackSregs(packSregs(sregs))).toEqual(sregs);
    const slave = {
      ...orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_SLAVE), 'KVM_GET_IRQCHIP'),
      irr: 3,
      elcr_mask: 0xde,
    };
    expect(unpackIrqchip(packIrqchip(KVM_IRQCHIP_PIC_SLAVE, slave))).toEqual(slave);
    const ioapic = orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP');
    expect(unpackIrqchip(packIrqchip(KVM_IRQCHIP_IOAPIC, ioapic))).toEqual(ioapic);
    const pit = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
    pit.channels[2].count_load_time = 123_456_789_012_345;
    expect(unpackPit2(packPit2(pit))).toEqual(pit);
    const events = orThrow(vcpu.getVcpuEvents(), 'KVM_GET_VCPU_EVENTS');
    events.exception = { injected: 1, nr: 13, has_error_code: 1, pending: 0, error_code: 0x18 };
    expect(unpackVcpuEvents(packVcpuEvents(events))).toEqual(events);
    const debugregs = {
      db: [1, 2, 3, 4] as [number, number, number, number],
      dr6: 0xffff_0ff0,
      dr7: 0x400,
      flags: 0,
    };
    expect(unpackDebugregs(packDebugregs(debugregs))).toEqual(debugregs);
    const cpuid = [{ function: 1, index: 2, flags: 1, eax: 3, ebx: 4, ecx: 5, edx: 0xffff_ffff }];
    expect(unpackCpuid2(packCpuid2(cpuid))).toEqual(cpuid);
    const list = msrListRequest(2);
    list.setU32(4, 0x174);
    list.setU32(8, 0xc000_0080);
    expect(unpackMsrList(list)).toEqual([0x174, 0xc000_0080]);
    const msrs = [
      { index: 0x1b, data: 0xfee0_0900n },
      { index: 0x10, data: (1n << 63n) + 1n },
    ];
    expect(unpackMsrs(packMsrs(msrs), 2)).toEqual(msrs);
  });
});
