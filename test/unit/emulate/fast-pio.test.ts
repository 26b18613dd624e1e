import { describe, expect, it } from 'vitest';
import { IO_NOTHING_STORED, type IoDevice } from '../../../src/bus/io-device.ts';
import { KVM_X86_QUIRK_OUT_7E_INC_RIP } from '../../../src/emulate/kvm-vcpu.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import { EINTR } from '../../../src/uapi/errno.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  KVM_PIO_BUS,
} from '../../../src/uapi/kvm.ts';
import { CODE, handlerEnd, realMachine, TraceLog } from '../kvm/real-machine.ts';

const IN_AL = 'ec';
const IN_AX = 'ed';
const IN_EAX = '66ed';
const OUT_AL = 'ee';
const TF = 0x100;

/** The fields of KVM_EXIT_IO, and where the guest stands. */
function exit(vcpu: Vcpu): object {
  const { io, pioData } = vcpu.run;
  const data = [...pioData.subarray(0, io.size * io.count)];
  const { direction, size, port, count, data_offset } = io;
  return {
    reason: vcpu.run.exit_reason,
    direction,
    size,
    port,
    count,
    data_offset,
    data,
    eip: vcpu.getRegs().eip,
  };
}

function run(vcpu: Vcpu): number {
  expect(vcpu.kvmRun()).toBe(0);
  return vcpu.run.exit_reason;
}

describe('IN and OUT on the fast path', () => {
  it('leaves an OUT that nobody takes as KVM_EXIT_IO with RIP at the instruction, and skips it on the next run', () => {
    const { vcpu } = realMachine('66ef', { eax: 0x1234_5678, edx: 0xffff });
    run(vcpu);
    expect(exit(vcpu)).toEqual({
      reason: KVM_EXIT_IO,
      direction: KVM_EXIT_IO_OUT,
      size: 4,
      port: 0xffff,
      count: 1,
      data_offset: 4096,
      data: [0x78, 0x56, 0x34, 0x12],
      eip: CODE,
    });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eip).toBe(CODE + 3);
    expect(vcpu.stat.io_exits).toBe(1);
  });

  it('11: leaves an IN with RIP and EAX unchanged; both follow on the next run', () => {
    const { vcpu } = realMachine(IN_AL, { eax: 0xffff_ffff, edx: 0x80 });
    vcpu.run.pioData.fill(0x77);
    run(vcpu);
    expect(exit(vcpu)).toMatchObject({ direction: KVM_EXIT_IO_IN, size: 1, port: 0x80, count: 1, eip: CODE });
    expect(vcpu.getRegs().eax).toBe(0xffff_ffff);
    vcpu.run.pioData[0] = 0x5a;
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ eax: 0xffff_ff5a, eip: CODE + 2 });
  });

  it.each([
    [IN_AL, 0xffff_ff78],
    [IN_AX, 0xffff_5678],
    [IN_EAX, 0x1234_5678],
  ])('9, 10: %s merges the answer into EAX by its size', (code, eax) => {
    const { vcpu } = realMachine(code, { eax: 0xffff_ffff, edx: 0x80 });
    run(vcpu);
    vcpu.run.pioData.set([0x78, 0x56, 0x34, 0x12]);
    run(vcpu);
    expect(vcpu.getRegs().eax).toBe(eax);
  });

  it('16: reads 0 when userspace does not answer, whatever the page held before', () => {
    const { vcpu } = realMachine(IN_EAX, { eax: 0xffff_ffff, edx: 0x80 });
    vcpu.run.pioData.fill(0x77);
    run(vcpu);
    run(vcpu);
    expect(vcpu.getRegs().eax).toBe(0);
  });

  it('12: forgets an IN whose RIP userspace has moved', () => {
    const { vcpu, vm } = realMachine(IN_AL, { eax: 0x11, edx: 0x80 });
    vm.memory.write(0x500, Uint8Array.of(0xf4));
    run(vcpu);
    vcpu.run.pioData[0] = 0x5a;
    vcpu.setRegs({ ...vcpu.getRegs(), eip: 0x500 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ eax: 0x11, eip: 0x501 });
  });

  it('does not skip an OUT whose RIP userspace has moved', () => {
    const { vcpu, vm } = realMachine(OUT_AL, { edx: 0x80 });
    vm.memory.write(0x500, Uint8Array.of(0xf4));
    run(vcpu);
    vcpu.setRegs({ ...vcpu.getRegs(), eip: 0x500 });
    run(vcpu);
    expect(vcpu.getRegs().eip).toBe(0x501);
  });

  it('13: keeps an AH that userspace changed, and takes AL from the data', () => {
    const { vcpu } = realMachine(IN_AL, { eax: 0x1111, edx: 0x80 });
    run(vcpu);
    vcpu.run.pioData[0] = 0x5a;
    vcpu.setRegs({ ...vcpu.getRegs(), eax: 0x22ff });
    run(vcpu);
    expect(vcpu.getRegs().eax).toBe(0x225a);
  });

  it('14: completes an IN under immediate_exit and returns −EINTR without running the guest', () => {
    const { vcpu } = realMachine(IN_AL, { eax: 0, edx: 0x80 });
    const trace = new TraceLog();
    vcpu.trace = trace;
    run(vcpu);
    vcpu.run.pioData[0] = 0x5a;
    vcpu.run.immediate_exit = 1;
    expect(vcpu.kvmRun()).toBe(-EINTR);
    expect(vcpu.getRegs()).toMatchObject({ eax: 0x5a, eip: CODE + 1 });
    expect(trace.lines.at(-1)).toBe(`userspace ${KVM_EXIT_IO} ${-EINTR}`);
    vcpu.run.immediate_exit = 0;
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
  });

  it('15: stands behind an OUT to port 0x7E already at the exit', () => {
    const { vcpu, vm } = realMachine(OUT_AL, { edx: 0x7e });
    run(vcpu);
    expect(vcpu.getRegs().eip).toBe(CODE + 1);
    expect(vm.clock.ticks).toBe(0);
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eip).toBe(CODE + 2);
    expect(vm.clock.ticks).toBe(2);
  });

  it('15: stands at an OUT to port 0x7E with the quirk disabled', () => {
    const { vcpu } = realMachine(OUT_AL, { edx: 0x7e });
    vcpu.quirks &= ~KVM_X86_QUIRK_OUT_7E_INC_RIP;
    run(vcpu);
    expect(vcpu.getRegs().eip).toBe(CODE);
    run(vcpu);
    expect(vcpu.getRegs().eip).toBe(CODE + 2);
  });

  it('48: does not wrap IP at 64 KiB', () => {
    const { vcpu, vm } = realMachine('', { edx: 0x43, eip: 0xffff });
    vm.memory.write(0xffff, Uint8Array.of(0xec));
    vcpu.tickLimit = 1;
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(0x1_0000);
  });

  it('49: queues the single-step trap when a fast OUT is completed', () => {
    const { vcpu } = realMachine(`${OUT_AL}90`, { edx: 0x80, eflags: TF | 2 });
    run(vcpu);
    expect(vcpu.getRegs().eip).toBe(CODE);
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eip).toBe(handlerEnd(1));
    expect(vcpu.cpu.gpr[4] & 0xffff).toBe(0x7000 - 6);
    expect([...vcpu.kvm.memory.read(0x7000 - 6, 2)]).toEqual([(CODE + 1) & 0xff, CODE >> 8]);
  });

  it('50: ends the interrupt shadow of STI with the OUT', () => {
    const { vcpu } = realMachine('fbee', { edx: 0x80 }, { devices: false });
    run(vcpu);
    expect(vcpu.cpu.interruptShadow).not.toBe(0);
    vcpu.run.immediate_exit = 1;
    vcpu.kvmRun();
    expect(vcpu.cpu.interruptShadow).toBe(0);
  });
});

describe('in-kernel devices on the fast path', () => {
  it('1: leaves AL alone when the device stores nothing (PIT control port)', () => {
    const { vcpu } = realMachine(IN_AL, { eax: 0x1122_3344, edx: 0x43 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eax).toBe(0x1122_3344);
  });

  it('reads 0 into EAX when a 4-byte read is taken without storing', () => {
    const { vm, vcpu } = realMachine(IN_EAX, { eax: 0x1122_3344, edx: 0x300 });
    const silent: IoDevice = { name: 'silent', read: () => IO_NOTHING_STORED, write: () => true };
    vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], 0x300, 4, silent);
    run(vcpu);
    expect(vcpu.getRegs().eax).toBe(0);
  });

  it.each([
    ['2: IN AX,0x20 is taken and reads 0', 'e520', 0x20, 0x1122_0000, KVM_EXIT_HLT],
    ['4: IN EAX,0x20 leaves', '66e520', 0x20, 0x1122_3344, KVM_EXIT_IO],
    ['60: IN AL,0x64 leaves although the speaker covers it', 'e464', 0x64, 0x1122_3344, KVM_EXIT_IO],
  ])('%s', (_name, code, port, eax, reason) => {
    const { vcpu } = realMachine(code, { eax: 0x1122_3344 });
    expect(run(vcpu)).toBe(reason);
    expect(vcpu.getRegs().eax).toBe(eax);
    if (reason === KVM_EXIT_IO) expect(vcpu.run.io.port).toBe(port);
  });

  it.each([
    ['3: OUT 0x20,AX is swallowed', 'e720', KVM_EXIT_HLT],
    ['5: OUT 0x21,AX leaves', 'e721', KVM_EXIT_IO],
    ['6: OUT 0x43,AX leaves', 'e743', KVM_EXIT_IO],
    ['7: OUT 0x42,AX reaches the PIT', 'e742', KVM_EXIT_HLT],
  ])('%s', (_name, code, reason) => {
    const { vcpu } = realMachine(code, { eax: 0x1234 });
    expect(run(vcpu)).toBe(reason);
  });
});
