import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KVM_EXIT_HLT, KVM_EXIT_IO } from '../../../src/uapi/kvm.ts';
import { CPU_BASED_UNCOND_IO_EXITING, CPU_BASED_USE_IO_BITMAPS } from '../../../src/uapi/vmx.ts';
import {
  IO_BITMAP_BYTES,
  nestedVmxCheckIoBitmaps,
  nestedVmxExitHandledIo,
  setIoBitmapPorts,
} from '../../../src/vmx/io-bitmaps.ts';
import {
  CODE,
  handlerEnd,
  LogBus,
  type Machine,
  type MachineOptions,
  realMachine,
} from '../kvm/real-machine.ts';

const UNCOND = CPU_BASED_UNCOND_IO_EXITING;
const BITMAPS = CPU_BASED_USE_IO_BITMAPS;

/** Bitmaps with the bits of `ports`. */
function controls(cpuBasedVmExecControl: number, ports: readonly number[]) {
  const ioBitmapA = new Uint8Array(IO_BITMAP_BYTES);
  const ioBitmapB = new Uint8Array(IO_BITMAP_BYTES);
  for (const port of ports) {
    const bitmap = port < 0x8000 ? ioBitmapA : ioBitmapB;
    bitmap[(port & 0x7fff) >> 3] |= 1 << (port & 7);
  }
  return { cpuBasedVmExecControl, ioBitmapA, ioBitmapB };
}

describe('which accesses exit', () => {
  it.each([
    ['neither control: none', 0, false],
    ['unconditional: all', UNCOND, true],
    ['bitmaps in use without the bit: no', BITMAPS, false],
    ['bitmaps in use win over unconditional', BITMAPS | UNCOND, false],
  ])('%s', (_, control, exits) => {
    expect(nestedVmxExitHandledIo(controls(control, [0x81]), 0x80, 1)).toBe(exits);
    expect(nestedVmxExitHandledIo(controls(control & BITMAPS, [0x80]), 0x80, 1)).toBe(
      (control & BITMAPS) !== 0,
    );
  });

  it.each<[string, number[], number, number, boolean]>([
    ['any port of a doubleword', [0x63], 0x60, 4, true],
    ['not the one behind it', [0x64], 0x60, 4, false],
    ['bits of two bytes', [0x68], 0x67, 2, true],
    ['bitmap A ends at 0x7fff', [0x7fff], 0x7fff, 1, true],
    ['bitmap B begins at 0x8000', [0x8000], 0x8000, 1, true],
    ['a doubleword in both bitmaps', [0x8001], 0x7ffe, 4, true],
    ['port 0x8000 is not port 0', [0], 0x8000, 1, false],
    ['the last port alone', [], 0xffff, 1, false],
  ])('%s', (_, ports, port, size, exits) => {
    expect(nestedVmxCheckIoBitmaps(controls(BITMAPS, ports), port, size)).toBe(exits);
  });

  it('76: an access that runs past port 0xffff exits whatever the bitmaps say', () => {
    const none = controls(BITMAPS, []);
    expect(nestedVmxExitHandledIo(none, 0xffff, 4)).toBe(true);
    expect(nestedVmxExitHandledIo(none, 0xfffd, 4)).toBe(true);
    expect(nestedVmxExitHandledIo(none, 0xfffc, 4)).toBe(false);
  });

  it('exits when the bitmap of the port cannot be read', () => {
    const half = { ...controls(BITMAPS, []), ioBitmapB: null };
    expect(nestedVmxExitHandledIo(half, 0x7fff, 1)).toBe(false);
    expect(nestedVmxExitHandledIo(half, 0x7fff, 2)).toBe(true);
  });

  it('is the plain rule: some port of the access has its bit set or does not exist', () => {
    const ports = fc.uniqueArray(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 });
    const near = fc.tuple(ports, fc.nat(), fc.integer({ min: -4, max: 4 }), fc.constantFrom(1, 2, 4));
    fc.assert(
      fc.property(near, ([set, pick, offset, size]) => {
        const around = set.length === 0 ? 0xffff : (set[pick % set.length] ?? 0);
        const port = Math.min(0xffff, Math.max(0, around + offset));
        const touched = Array.from({ length: size }, (_, i) => port + i);
        const wanted = touched.some((p) => p > 0xffff || set.includes(p));
        expect(nestedVmxCheckIoBitmaps(controls(BITMAPS, set), port, size)).toBe(wanted);
      }),
    );
  });
});

describe('a vCPU with I/O bitmaps', () => {
  /** Only ports 0x60–0x64 exit; the board and the “physical” ports answer from buses of their own. */
  function machine(
    code: string,
    regs = {},
    options: MachineOptions = { devices: false },
  ): Machine & { physical: LogBus } {
    const { vm, vcpu } = realMachine(code, regs, options);
    const physical = new LogBus(vm, [0x1122_3344, 0x55, 0x66]);
    vcpu.vmcs.setPorts(0x60, 0x64, true);
    vcpu.vmcs.cpuBasedVmExecControl = BITMAPS;
    vcpu.vmcs.nonExitingPort = physical;
    return { vm, vcpu, physical };
  }

  it('has KVM’s setting at first: every access exits and the processor does not ask', () => {
    const { vcpu } = realMachine('e680', {}, { devices: false });
    expect([vcpu.vmcs.cpuBasedVmExecControl, vcpu.cpu.ioIntercept]).toEqual([UNCOND, null]);
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.run.io.port]).toEqual([KVM_EXIT_IO, 0x80]);
    vcpu.vmcs.cpuBasedVmExecControl = BITMAPS;
    vcpu.vmcs.cpuBasedVmExecControl = UNCOND;
    expect(vcpu.cpu.ioIntercept).toBeNull();
  });

  it('exits for the ports whose bit is set', () => {
    const { vcpu, physical } = machine('e661', {});
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.run.io.port, physical.log]).toEqual([KVM_EXIT_IO, 0x61, []]);
  });

  it.each<[string, string, object, string[], object]>([
    ['OUT', 'b05ae680', {}, ['out 80 1 5a'], { eip: CODE + 5 }],
    ['IN AL keeps the rest of EAX', 'e480', { eax: 0x8765_4321 }, ['in 80 1 44'], { eax: 0x8765_4344 }],
    ['IN AX', 'e580', { eax: 0x8765_4321 }, ['in 80 2 3344'], { eax: 0x8765_3344 }],
    ['IN EAX', '66e580', { eax: 1 }, ['in 80 4 11223344'], { eax: 0x1122_3344 }],
    ['OUTSB', '6e', { edx: 0x80, esi: 0x2000 }, ['out 80 1 a1'], { esi: 0x2001 }],
    [
      'REP OUTSW',
      'f36f',
      { edx: 0x80, esi: 0x2000, ecx: 2 },
      ['out 80 2 b2a1', 'out 80 2 d4c3'],
      { esi: 0x2004, ecx: 0 },
    ],
    [
      'STD; REP OUTSB',
      'fdf36e',
      { edx: 0x80, esi: 0x2001, ecx: 2 },
      ['out 80 1 b2', 'out 80 1 a1'],
      { esi: 0x1fff, ecx: 0 },
    ],
    [
      'REP INSB',
      'f36c',
      { edx: 0x80, edi: 0x3000, ecx: 2 },
      ['in 80 1 44', 'in 80 1 55'],
      { edi: 0x3002, ecx: 0 },
    ],
    ['REP OUTSB with count 0', 'f36e', { edx: 0x80, ecx: 0 }, [], { ecx: 0 }],
  ])('%s at another port goes to the physical ports and does not exit', (_, code, regs, log, out) => {
    const { vm, vcpu, physical } = machine(code, regs);
    vm.memory.write(0x2000, Uint8Array.of(0xa1, 0xb2, 0xc3, 0xd4));
    vcpu.kvmRun();
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
    expect(physical.log.map((line) => line.replace(/ @.*/, ''))).toEqual(log);
    expect(vcpu.getRegs()).toMatchObject({ ...out, eip: CODE + code.length / 2 + 1 });
    expect([vcpu.stat.io_exits, vcpu.stat.non_exiting_io]).toEqual([0, log.length]);
  });

  it('stores what REP INSB has read', () => {
    const { vm, vcpu } = machine('f36c', { edx: 0x80, edi: 0x3000, ecx: 3 });
    vcpu.kvmRun();
    expect([...vm.memory.read(0x3000, 4)]).toEqual([0x44, 0x55, 0x66, 0]);
  });

  it('reads all ones and drops writes when nobody stands for the physical ports', () => {
    const { vcpu } = machine('e680e580', { eax: 0 });
    vcpu.vmcs.nonExitingPort = null;
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.getRegs().eax]).toEqual([KVM_EXIT_HLT, 0xffff]);
  });

  it('checks the destination of INS before the port is read', () => {
    const { vcpu, physical } = machine('6d', { edx: 0x80, edi: 0xffff });
    vcpu.kvmRun();
    expect([vcpu.getRegs().eip, physical.log]).toEqual([handlerEnd(13), []]);
  });

  it('takes one tick an instruction and an iteration, and ends in the middle of a REP at the limit', () => {
    const { vm, vcpu } = machine('f36e', { edx: 0x80, ecx: 10 });
    vcpu.tickLimit = 4;
    vcpu.kvmRun();
    expect([vm.clock.ticks, vcpu.getRegs()]).toMatchObject([4, { ecx: 6, eip: CODE }]);
    vcpu.tickLimit = Number.POSITIVE_INFINITY;
    vcpu.kvmRun();
    expect(vm.clock.ticks).toBe(10 + 1 + 1);
  });

  it('single-steps native accesses: a trap an iteration', () => {
    const { vm, vcpu } = machine('f36e90', { edx: 0x80, ecx: 2, ebx: 0, eflags: 0x102 });
    vm.memory.write(0x604, Uint8Array.of(0x43, 0xcf)); // vector 1: inc bx; iret
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.getRegs()]).toMatchObject([KVM_EXIT_HLT, { ecx: 0, ebx: 3 }]);
  });

  it('76: OUT 0xFFFF,EAX exits with all bits clear, as port 0xffff size 4', () => {
    const { vcpu, physical } = machine('66ef', { edx: 0xffff });
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.run.io.port, vcpu.run.io.size]).toEqual([KVM_EXIT_IO, 0xffff, 4]);
    expect(physical.log).toEqual([]);
  });

  it('sets and clears ranges across both bitmaps', () => {
    const { vcpu } = machine('90');
    vcpu.vmcs.setPorts(0x7ff0, 0x8010, true);
    expect([0x7fef, 0x7ff0, 0x8010, 0x8011].map((p) => vcpu.vmcs.exits(p, 1))).toEqual([
      false,
      true,
      true,
      false,
    ]);
    vcpu.vmcs.setPorts(0x7fff, 0x8000, false);
    expect([0x7ffe, 0x7fff, 0x8000, 0x8001].map((p) => vcpu.vmcs.exits(p, 1))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it('keeps exits as they were for the ports that exit', () => {
    const { vcpu } = machine('e460', { eax: 0 });
    vcpu.userspace = { read: () => 0x77, write() {} };
    vcpu.kvmRun();
    expect([vcpu.getRegs().eax, vcpu.stat.io_exits]).toEqual([0x77, 1]);
  });
});

describe('setIoBitmapPorts', () => {
  it('begins bitmap B at port 0x8000', () => {
    const made = controls(BITMAPS, []);
    setIoBitmapPorts(made, 0x8000, 0x8000, true);
    expect([made.ioBitmapA[0], made.ioBitmapB[0]]).toEqual([0, 1]);
    setIoBitmapPorts(made, 0x7fff, 0x8001, true);
    expect([made.ioBitmapA[IO_BITMAP_BYTES - 1], made.ioBitmapA[0], made.ioBitmapB[0]]).toEqual([0x80, 0, 3]);
    setIoBitmapPorts(made, 0x8000, 0x8000, false);
    expect([made.ioBitmapA[IO_BITMAP_BYTES - 1], made.ioBitmapB[0]]).toEqual([0x80, 2]);
  });

  it('ends at port 0xffff', () => {
    const made = controls(BITMAPS, []);
    setIoBitmapPorts(made, 0xffff, 0x1_0000, true);
    expect([made.ioBitmapB[IO_BITMAP_BYTES - 1], made.ioBitmapB[0]]).toEqual([0x80, 0]);
  });

  it('leaves out a bitmap that is not there', () => {
    const made = { ...controls(BITMAPS, []), ioBitmapA: null };
    setIoBitmapPorts(made, 0x7ff8, 0x8007, true);
    expect(made.ioBitmapB[0]).toBe(0xff);
  });
});

describe('the controls of a vCPU', () => {
  it('are saved as they are and loaded back, the copy being one', () => {
    const { vcpu } = realMachine('f4', {}, { devices: false });
    const { vmcs } = vcpu;
    vmcs.cpuBasedVmExecControl = BITMAPS;
    vmcs.setPorts(0x80, 0x80, true);
    vmcs.setPorts(0x8080, 0x8080, true);
    const saved = vmcs.saveState();
    vmcs.cpuBasedVmExecControl = UNCOND;
    vmcs.setPorts(0, 0xffff, false);
    expect(saved).toEqual(controls(BITMAPS, [0x80, 0x8080]));
    vmcs.loadState(saved);
    expect(vmcs.saveState()).toEqual(saved);
    expect(vcpu.cpu.ioIntercept).not.toBeNull();
    vmcs.loadState({ cpuBasedVmExecControl: UNCOND, ioBitmapA: null, ioBitmapB: null });
    expect(vmcs.saveState()).toEqual({ ...saved, cpuBasedVmExecControl: UNCOND });
    expect(vcpu.cpu.ioIntercept).toBeNull();
  });
});
