import { describe, expect, it } from 'vitest';
import { Kvm } from '../../../src/kvm/kvm.ts';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import { EFAULT, EINVAL } from '../../../src/uapi/errno.ts';
import {
  KVM_CAP_DISABLE_QUIRKS,
  KVM_EXIT_HLT,
  KVM_IRQ_ROUTING_MSI,
  KVM_IRQCHIP_IOAPIC,
  type KvmLapicState,
  type KvmRegs,
} from '../../../src/uapi/kvm.ts';
import { EXIT_REASON_MSR_WRITE } from '../../../src/uapi/vmx.ts';
import { bytesOf, CODE, handlerEnd, type Machine, realMachine, TraceLog } from './real-machine.ts';

const IF = 0x200;
/** ES shows the local APIC's page: writes EAX-sized `value` to the register at `offset`. */
function mov(offset: number, value: number): string {
  const le = (n: number, bytes: number): string =>
    Array.from({ length: bytes }, (_, i) => ((n >>> (8 * i)) & 0xff).toString(16).padStart(2, '0')).join('');
  return `2666c706${le(offset, 2)}${le(value, 4)}`;
}
const ENABLE = mov(0xf0, 0x1ff);
/** Initialises the master PIC with vector base 0x20, all but IRQ 0 masked. */
const PIC_INIT = 'b011e620b020e621b004e621b001e621b0fee621';
/** PIT channel 0, mode 2, count 0x0400 (858 µs). */
const PIT_START = 'b034e64330c0e640b004e640';
/** inc word [0x500]; mov dword es:[0xb0], 0; iret */
const COUNT_AND_EOI = `ff060005${mov(0xb0, 0)}cf`;

/** A machine whose ES is the local APIC's page. */
function apicMachine(code: string, regs: Partial<KvmRegs> = {}): Machine {
  const machine = realMachine(code, regs);
  const sregs = machine.vcpu.getSregs();
  sregs.es.base = 0xfee0_0000;
  machine.vcpu.setSregs(sregs);
  return machine;
}

function setHandler({ vm }: Machine, vector: number, code: string): void {
  const at = 0x2000 + 0x40 * (vector & 0x3f);
  vm.memory.write(4 * vector, Uint8Array.of(at & 0xff, at >> 8, 0, 0));
  vm.memory.write(at, bytesOf(code));
}

function counter({ vm }: Machine): number {
  const bytes = vm.memory.read(0x500, 2);
  return bytes[0] | (bytes[1] << 8);
}

describe('a guest with the local APIC', () => {
  it('counts periodic ticks out of HLT until it masks the timer', () => {
    // enable; LVTT = periodic 0x41; divide by 1; 1 ms; hlt until [0x500] is 5; mask; sti; hlt
    const loop = 'f4833e00050575f8';
    const m = apicMachine(
      `${ENABLE}${mov(0x320, 0x2_0041)}${mov(0x3e0, 0xb)}${mov(0x380, 1_000_000)}${loop}${mov(0x320, 0x3_0041)}fa`,
      { eflags: 2 | IF },
    );
    setHandler(m, 0x41, COUNT_AND_EOI);
    expect([m.vcpu.kvmRun(), m.vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    expect(counter(m)).toBe(5);
    expect(m.vcpu.stat.irq_injections).toBe(5);
    // Started at 30 ns; of the handler three instructions, then CMP, JNE, MOV, CLI; HLT itself.
    expect(m.vm.clock.nowNs).toBe(5_000_030 + 80);
  });

  it('gets a one-shot interrupt at its nanosecond', () => {
    const m = apicMachine(`${ENABLE}${mov(0x320, 0x41)}${mov(0x3e0, 0xb)}${mov(0x380, 5000)}ebfe`, {
      eflags: 2 | IF,
    });
    m.vcpu.tickLimit = 10_000;
    m.vcpu.kvmRun();
    // Written by the fourth instruction, at 30 ns; HLT of the handler at 5030 ns.
    expect([m.vcpu.getRegs().eip, m.vm.clock.nowNs]).toEqual([handlerEnd(0x41), 5040]);
  });

  it('takes TSC deadlines through WRMSR, also one that is past, and #GP for another MSR', () => {
    // enable; LVTT = deadline 0x42; mov ecx, 0x6e0; mov eax, 500; xor edx, edx; wrmsr; jmp $
    const m = apicMachine(`${ENABLE}${mov(0x320, 0x4_0042)}66b9e006000066b8f40100006631d20f30ebfe`, {
      eflags: 2 | IF,
    });
    m.vcpu.tickLimit = 10_000;
    m.vcpu.kvmRun();
    expect([m.vcpu.getRegs().eip, m.vm.clock.ticks]).toEqual([handlerEnd(0x42), 501]);
    expect(m.vcpu.stat.byReason[EXIT_REASON_MSR_WRITE]).toBe(1);

    const past = apicMachine(`${ENABLE}${mov(0x320, 0x4_0042)}66b9e006000066b8010000006631d20f3040`, {
      eflags: 2 | IF,
    });
    past.vcpu.kvmRun();
    expect([past.vcpu.getRegs().eip, past.vm.clock.ticks]).toEqual([handlerEnd(0x42), 7]);

    const bad = apicMachine('0f3040', { ecx: 0x1234 });
    bad.vcpu.kvmRun();
    expect(bad.vcpu.getRegs().eip).toBe(handlerEnd(13));
  });

  it('reads and moves IA32_APIC_BASE; reserved bits are #GP', () => {
    // mov ecx, 0x1b; rdmsr; mov eax, 0xfed00900; wrmsr; rdmsr
    const m = apicMachine('66b91b0000000f3266b80009d0fe0f300f32');
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 0xfed0_0900, edx: 0 });
    expect([m.vcpu.getSregs().apic_base, m.vcpu.run.apic_base]).toEqual([0xfed0_0900, 0xfed0_0900]);
    const bad = apicMachine('66b91b0000006631d266b80108e0fe0f30');
    bad.vcpu.kvmRun();
    expect(bad.vcpu.getRegs().eip).toBe(handlerEnd(13));
  });

  it('masks the PIC with LVT0: the PIT’s tick waits until it is open again', () => {
    const closed = apicMachine(`${PIC_INIT}${PIT_START}${mov(0x350, 0x1_0700)}fbebfe`);
    closed.vcpu.tickLimit = 300_000;
    closed.vcpu.kvmRun();
    expect([closed.vm.pic?.output, closed.vcpu.stat.irq_injections]).toEqual([1, 0]);
    const lapic = closed.vcpu.getLapic() as KvmLapicState;
    new DataView(lapic.regs.buffer).setUint32(0x350, 0x700, true);
    expect(closed.vcpu.setLapic(lapic)).toBe(0);
    closed.vcpu.tickLimit = 400_000;
    closed.vcpu.kvmRun();
    expect([closed.vcpu.stat.irq_injections, closed.vcpu.getRegs().eip]).toEqual([1, handlerEnd(0x20)]);
  });

  it('gets the PIC’s interrupt before the local APIC’s', () => {
    const m = apicMachine(`${PIC_INIT}${ENABLE}${mov(0x300, 0x4_40f0)}fb90`);
    setHandler(m, 0x20, 'cf');
    m.vcpu.tickLimit = 12;
    m.vcpu.kvmRun();
    m.vm.irqLine(0, 1);
    m.vcpu.tickLimit = Number.POSITIVE_INFINITY;
    const trace = new TraceLog();
    m.vcpu.trace = trace;
    m.vcpu.kvmRun();
    expect(trace.lines.filter((line) => line.startsWith('virq'))).toEqual(['virq 20', 'virq f0']);
    expect(m.vcpu.getRegs().eip).toBe(handlerEnd(0xf0));
  });

  it('turns the PIT’s ticks into NMIs with LVT0 in NMI mode, and wakes from CLI, HLT', () => {
    const m = apicMachine(`${ENABLE}${mov(0x350, 0x400)}${PIT_START}fa`);
    m.vcpu.tickLimit = 100_000;
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs().eip).toBe(handlerEnd(2));
    expect(m.vcpu.cpu.nmiMasked).toBe(1);
  });

  it('still gives HLT with IF = 0 to userspace when only interrupts could come', () => {
    const m = apicMachine(`${ENABLE}${mov(0x320, 0x2_0041)}${mov(0x380, 1_000_000)}`);
    expect([m.vcpu.kvmRun(), m.vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    expect(m.vm.clock.ticks).toBe(4);
  });

  it('resets itself with INIT, and goes on at the reset vector; a SIPI is dropped', () => {
    const m = apicMachine(`${mov(0x300, 0x4_4610)}${ENABLE}${mov(0x300, 0x4_4500)}40`);
    m.vm.setUserMemoryRegion({
      slot: 1,
      flags: 0,
      guest_phys_addr: 0xffff_0000,
      memory_size: 0x1_0000,
    });
    m.vm.memory.write(0xffff_fff0, bytesOf('f4'));
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs()).toMatchObject({ eip: 0xfff1, edx: 0x600 });
    const { regs } = m.vcpu.getLapic() as KvmLapicState;
    expect(new DataView(regs.buffer).getUint32(0xf0, true)).toBe(0xff);
  });

  it('a remote-read message to itself ends the next HLT', () => {
    const m = apicMachine(`${mov(0x300, 0x4_4300)}f440`, { eax: 0 });
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs().eax).toBe(1);
  });

  it('an interrupt that TPR holds back comes when it falls', () => {
    const m = apicMachine(`${ENABLE}${mov(0x80, 0x90)}${mov(0x300, 0x4_4045)}fb4040${mov(0x80, 0)}40`, {
      eax: 0,
    });
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs()).toMatchObject({ eax: 2, eip: handlerEnd(0x45) });
  });

  it('shows its accesses, messages, ends and acceptance as tracepoints', () => {
    const m = apicMachine(`${ENABLE}${mov(0x300, 0x4_4045)}fb90fa26a1f000`);
    setHandler(m, 0x45, `${mov(0xb0, 0)}cf`);
    const trace = new TraceLog();
    m.vcpu.trace = trace;
    m.vcpu.kvmRun();
    const seen = trace.lines.filter((line) => !/^(entry|exit|userspace)/.test(line));
    expect(seen).toEqual([
      'apic write f0 1ff',
      'apic write 300 44045',
      'apic_ipi 44045 0',
      'accept_irq 0 0 0 45',
      'virq 45',
      'apic write b0 0',
      'eoi 0 45',
      'apic read f0 1ff',
    ]);
  });
});

describe('the local APIC’s ioctls', () => {
  it('CR8 and apic_base travel through KVM_SET_SREGS and kvm_run', () => {
    const m = realMachine('');
    const sregs = m.vcpu.getSregs();
    expect([sregs.cr8, sregs.apic_base]).toEqual([0, 0xfee0_0900]);
    m.vcpu.setSregs({ ...sregs, cr8: 5, apic_base: 0xfee0_0100 });
    expect(m.vcpu.getSregs()).toMatchObject({ cr8: 5, apic_base: 0xfee0_0100 });
    m.vcpu.kvmRun();
    expect([m.vcpu.run.cr8, m.vcpu.run.apic_base]).toEqual([5, 0xfee0_0100]);
    expect(m.vcpu.setSregs({ ...sregs, apic_base: 0xfee0_0901 })).toBe(-EINVAL);
  });

  it('a vCPU without in-kernel irqchip has none, but IA32_APIC_BASE', () => {
    const { vcpu } = realMachine('0f32', { ecx: 0x1b }, { devices: false });
    vcpu.kvmRun();
    expect(vcpu.getRegs()).toMatchObject({ eax: 0xfee0_0900, edx: 0, eip: CODE + 3 });
    expect([vcpu.getLapic(), vcpu.setLapic({ regs: new Uint8Array(1024) })]).toEqual([-EINVAL, -EINVAL]);
  });

  it('KVM_SET_LAPIC refuses anything but 1 KiB', () => {
    const { vcpu } = realMachine('');
    expect(vcpu.setLapic({ regs: new Uint8Array(4096) })).toBe(-EFAULT);
    expect(vcpu.setLapic(undefined as never)).toBe(-EFAULT);
  });

  it('MSRs go through KVM_GET_MSRS and KVM_SET_MSRS', () => {
    const { vcpu } = realMachine('');
    expect(
      vcpu.setMsrs([
        { index: 0x1b, data: 0xfed0_0900 },
        { index: 0x6e0, data: 5n },
      ]),
    ).toBe(2);
    expect(vcpu.getMsrs([0x1b, 0x6e0, 0x1234])).toEqual([
      { index: 0x1b, data: 0xfed0_0900n },
      { index: 0x6e0, data: 0n },
    ]);
    expect(vcpu.setMsrs([{ index: 0x1b, data: 0xfee0_0901 }])).toBe(0);
  });

  it('a disabled quirk masks LVT0 at the reset', () => {
    const vm = new Kvm().createVm();
    vm.enableCap({ cap: KVM_CAP_DISABLE_QUIRKS, args: [1] });
    vm.createIrqchip();
    const { regs } = (vm.createVcpu(0) as Vcpu).getLapic() as KvmLapicState;
    expect(new DataView(regs.buffer).getUint32(0x350, true)).toBe(0x1_0000);
  });

  it('a CPUID without TSC deadlines takes the mode from LVTT', () => {
    const m = apicMachine(mov(0x320, 0x7_0041));
    m.vcpu.setCpuid2([{ function: 1, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0 }]);
    m.vcpu.kvmRun();
    const { regs } = m.vcpu.getLapic() as KvmLapicState;
    expect(new DataView(regs.buffer).getUint32(0x320, true)).toBe(0x3_0041);
  });

  it('the IOAPIC reaches it as KVM_SET_IRQCHIP has programmed it', () => {
    const m = apicMachine(`${ENABLE}fb90`);
    const state = orThrow(m.vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP');
    state.redirtbl[20] = { low: 0x49, high: 0 };
    m.vm.setIrqchip(KVM_IRQCHIP_IOAPIC, state);
    m.vcpu.tickLimit = 1;
    m.vcpu.kvmRun();
    expect(m.vm.irqLine(20, 1)).toBe(1);
    m.vcpu.tickLimit = Number.POSITIVE_INFINITY;
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs().eip).toBe(handlerEnd(0x49));
  });

  it('a GSI that KVM_SET_GSI_ROUTING routes to a message reaches it', () => {
    const m = apicMachine(`${ENABLE}fb90`);
    const msi = { address_lo: 0xfee0_0000, address_hi: 0, data: 0x4a };
    expect(m.vm.setGsiRouting([{ gsi: 24, irqchip: 0, pin: 0, type: KVM_IRQ_ROUTING_MSI, msi }])).toBe(0);
    expect(m.vm.irqLine(24, 1)).toBe(0);
    m.vcpu.tickLimit = 1;
    m.vcpu.kvmRun();
    expect([m.vm.irqLine(24, 0), m.vm.irqLine(24, 1)]).toEqual([-1, 1]);
    m.vcpu.tickLimit = Number.POSITIVE_INFINITY;
    m.vcpu.kvmRun();
    expect(m.vcpu.getRegs().eip).toBe(handlerEnd(0x4a));
  });
});
