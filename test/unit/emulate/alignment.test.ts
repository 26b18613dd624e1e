import { describe, expect, it } from 'vitest';
import { KVM_EXIT_IO, KVM_EXIT_SHUTDOWN, type KvmSegment } from '../../../src/uapi/kvm.ts';
import { CODE, type Machine, realMachine } from '../kvm/real-machine.ts';

const AC = 1 << 18;
const IOPL3 = 3 << 12;
const AM = 1 << 18;

/** Level 3 with IOPL 3 and alignment checks on, no IDT. */
function checked(code: string): Machine {
  const machine = realMachine(code, { edx: 0x80, edi: 0x5001, eflags: AC | IOPL3 | 2 });
  const sregs = machine.vcpu.getSregs();
  const flat: KvmSegment = {
    ...sregs.ds,
    limit: 0xffff_ffff,
    type: 3,
    dpl: 3,
    s: 1,
    present: 1,
    db: 1,
    g: 1,
  };
  for (const name of ['ds', 'es', 'ss'] as const) sregs[name] = flat;
  machine.vcpu.setSregs({ ...sregs, cs: { ...flat, type: 11 }, cr0: 0x11 | AM, idt: { base: 0, limit: 0 } });
  return machine;
}

describe('INSW to an odd address with alignment checks on', () => {
  it('is written: KVM’s emulator makes no such check', () => {
    const { vm, vcpu } = checked('666d'); // insw
    vcpu.kvmRun();
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_IO);
    vcpu.run.pioData.set([0x34, 0x12]);
    vcpu.kvmRun();
    expect([...vm.memory.read(0x5001, 2)]).toEqual([0x34, 0x12]);
    expect(vcpu.getRegs().eip).toBe(CODE + 2);
  });

  it('and the next instruction is checked again', () => {
    const { vcpu } = checked('666d 8b07'.replace(' ', '')); // insw / mov eax,[edi]
    vcpu.kvmRun();
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.getRegs().eip]).toEqual([KVM_EXIT_SHUTDOWN, CODE + 2]);
  });
});
