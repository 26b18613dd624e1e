import { describe, expect, it } from 'vitest';
import { kvmIoBusUnregisterDev } from '../../../src/bus/io-bus.ts';
import { IO_NOT_HANDLED, type IoDevice } from '../../../src/bus/io-device.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_IO,
  KVM_PIO_BUS,
  type KvmRegs,
} from '../../../src/uapi/kvm.ts';
import { CODE, handlerEnd, LogBus, type Machine, realMachine, STACK, TraceLog } from '../kvm/real-machine.ts';

const DF = 0x400;
const TF = 0x100;
const RF = 0x1_0000;
const REP_INSB = 'f36c';
const REP_INSW = 'f36d';
const REP_INSD = 'f3666d';
const REP_OUTSB = 'f36e';
const USER_PORT = 0x80;

/** A machine whose ES and DS stand at 0x20000, beyond code and stack. */
function stringMachine(code: string, regs: Partial<KvmRegs>): Machine {
  const machine = realMachine(code, { edx: USER_PORT, ...regs });
  const { vcpu } = machine;
  const sregs = vcpu.getSregs();
  for (const seg of [sregs.es, sregs.ds]) {
    seg.base = 0x2_0000;
    seg.selector = 0x2000;
  }
  vcpu.setSregs(sregs);
  return machine;
}

function run(vcpu: Vcpu): number {
  expect(vcpu.kvmRun()).toBe(0);
  return vcpu.run.exit_reason;
}

/** Runs to the HLT, answering every IN with counting bytes. @returns `count` of each exit. */
function countsToHalt(vcpu: Vcpu): number[] {
  const counts: number[] = [];
  let next = 1;
  while (run(vcpu) === KVM_EXIT_IO) {
    const { io, pioData } = vcpu.run;
    counts.push(io.count);
    for (let i = 0; i < io.count * io.size; i++) pioData[i] = next++;
  }
  return counts;
}

/** An in-kernel device on port 0x300 that counts up and logs. */
class Counter implements IoDevice {
  readonly name = 'counter';
  readonly log: number[] = [];
  readonly ticks: number[] = [];
  next = 1;
  readonly #vm: Vm;

  constructor(vm: Vm) {
    this.#vm = vm;
    vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], 0x300, 4, this);
  }

  read(): number {
    this.ticks.push(this.#vm.clock.ticks);
    return this.next++ & 0xff;
  }

  write(_addr: number, _size: number, value: number): boolean {
    this.ticks.push(this.#vm.clock.ticks);
    this.log.push(value);
    return true;
  }
}

describe('OUTS', () => {
  it('17: leaves one element at a time; RIP stays at the instruction until a pass with count 0', () => {
    const { vcpu, vm } = stringMachine(REP_OUTSB, { ecx: 5, esi: 0x10 });
    vm.memory.write(0x2_0010, Uint8Array.of(1, 2, 3, 4, 5));
    for (let k = 1; k <= 5; k++) {
      expect(run(vcpu)).toBe(KVM_EXIT_IO);
      expect([vcpu.run.io.count, vcpu.run.pioData[0]]).toEqual([1, k]);
      expect(vcpu.getRegs()).toMatchObject({ ecx: 5 - k, esi: 0x10 + k, eip: CODE });
    }
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eip).toBe(CODE + 3);
    expect(vm.clock.ticks).toBe(7);
  });

  it('18: stands behind an OUTSB without REP at the exit', () => {
    const { vcpu } = stringMachine('6e', { esi: 7 });
    run(vcpu);
    expect(vcpu.getRegs()).toMatchObject({ eip: CODE + 1, esi: 8 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
  });

  it('18: is committed before userspace sees it, and its tick passes on the next KVM_RUN', () => {
    const { vcpu, vm } = stringMachine('6e', {});
    run(vcpu);
    expect(vm.clock.ticks).toBe(0);
    run(vcpu);
    expect(vm.clock.ticks).toBe(2);
  });

  it('leaves RF set with REP, for there is more to come, and clear without', () => {
    const rep = stringMachine(REP_OUTSB, { ecx: 2 }).vcpu;
    run(rep);
    expect(rep.getRegs().eflags).toBe(RF | 2);
    const once = stringMachine('6e', { eflags: RF | 2 }).vcpu;
    run(once);
    expect(once.getRegs().eflags).toBe(2);
  });

  it('49: loses the single-step trap when it leaves for userspace', () => {
    const { vcpu } = stringMachine('6e', { eflags: TF | 2 });
    run(vcpu);
    // The trap that follows is the HLT's own.
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect([...vcpu.kvm.memory.read(STACK - 6, 2)]).toEqual([(CODE + 2) & 0xff, CODE >> 8]);
  });

  it('keeps the single-step trap when a kernel device takes it', () => {
    const { vcpu, vm } = stringMachine('6e', { eflags: TF | 2, edx: 0x300 });
    new Counter(vm);
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eip).toBe(handlerEnd(1));
    expect([...vcpu.kvm.memory.read(STACK - 6, 2)]).toEqual([(CODE + 1) & 0xff, CODE >> 8]);
    // And TF itself.
    expect(vm.memory.view.getUint16(STACK - 2, true)).toBe(TF | 2);
  });

  it.each([
    [2048, [1024, 1024]],
    [1500, [476, 1024]],
  ])('30: %i elements to a kernel device take emulations of %j, and one with count 0', (count, batches) => {
    const { vcpu, vm } = stringMachine(REP_OUTSB, { ecx: count, edx: 0x300 });
    const device = new Counter(vm);
    const left: number[] = [];
    vcpu.trace = new (class extends TraceLog {
      override kvm_emulate_insn(): void {
        left.push(vcpu.cpu.gpr[1]);
      }
    })();
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(device.log.length).toBe(count);
    expect(left.map((ecx, i) => ecx - (left[i + 1] ?? ecx)).filter((n) => n > 0)).toEqual(batches);
    expect(left.at(-1)).toBe(0);
    expect(device.ticks).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(vm.clock.ticks).toBe(count + 2);
  });

  it('37: raises #SS for a source beyond the stack segment, before any port write', () => {
    const { vcpu, vm } = stringMachine('36666f', { esi: 0xfffd });
    const bus = new LogBus(vm);
    vcpu.userspace = bus;
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ eip: handlerEnd(12), esi: 0xfffd });
    expect(bus.log).toEqual([]);
  });

  it('reads through the segment override', () => {
    const { vcpu, vm } = stringMachine('266e', { esi: 4 });
    const sregs = vcpu.getSregs();
    sregs.es.base = 0x3_0000;
    vcpu.setSregs(sregs);
    vm.memory.write(0x3_0004, Uint8Array.of(0xe5));
    run(vcpu);
    expect(vcpu.run.pioData[0]).toBe(0xe5);
  });

  it('commits the elements before a fault and stands at the instruction', () => {
    const { vcpu, vm } = stringMachine('f36f', { ecx: 4, esi: 0xfffb });
    const bus = new LogBus(vm);
    vcpu.userspace = bus;
    vm.memory.write(0x2_fffb, Uint8Array.of(1, 2, 3, 4, 5));
    run(vcpu);
    expect(bus.log.map((line) => line.split(' ').slice(0, 4).join(' '))).toEqual([
      'out 80 2 201',
      'out 80 2 403',
    ]);
    expect(vcpu.getRegs()).toMatchObject({ eip: handlerEnd(13), ecx: 2, esi: 0xffff });
    expect([...vm.memory.read(STACK - 6, 2)]).toEqual([CODE & 0xff, CODE >> 8]);
  });
});

describe('INS', () => {
  it.each([
    ['19: REP INSB of 3000 at a page start', REP_INSB, 3000, 0x1000, 0, [1024, 1024, 952]],
    ['20: REP INSW of 1000 at a page start', REP_INSW, 1000, 0x1000, 0, [512, 488]],
    ['21: REP INSD counts bytes of the page as elements', REP_INSD, 100, 0x1ff8, 0, [8, 92]],
    ['22: REP INSB on the last byte of a page', REP_INSB, 10, 0x1fff, 0, [1, 9]],
    ['23: REP INSB downwards from a page start', REP_INSB, 10, 0x2000, DF, [1, 9]],
    ['24: REP INSB downwards from offset 5', REP_INSB, 10, 0x2005, DF, [5, 1, 4]],
  ])('%s leaves in batches', (_name, code, ecx, edi, eflags, counts) => {
    const { vcpu } = stringMachine(code, { ecx, edi, eflags: eflags | 2 });
    expect(countsToHalt(vcpu)).toEqual(counts);
    expect(vcpu.getRegs().ecx).toBe(0);
  });

  it('commits nothing before the answer, everything of the batch after it', () => {
    const { vcpu, vm } = stringMachine(REP_INSW, { ecx: 3, edi: 0x100 });
    run(vcpu);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 3, edi: 0x100, eip: CODE });
    expect([...vm.memory.read(0x2_0100, 6)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(vm.clock.ticks).toBe(0);
    vcpu.run.pioData.set([1, 2, 3, 4, 5, 6]);
    vcpu.run.immediate_exit = 1;
    vcpu.kvmRun();
    expect(vcpu.getRegs()).toMatchObject({ ecx: 0, edi: 0x106, eip: CODE });
    expect([...vm.memory.read(0x2_0100, 7)]).toEqual([1, 2, 3, 4, 5, 6, 0]);
    expect(vm.clock.ticks).toBe(3);
  });

  it('writes downwards element by element with DF = 1', () => {
    const { vcpu, vm } = stringMachine(REP_INSW, { ecx: 3, edi: 0x104, eflags: DF | 2 });
    countsToHalt(vcpu);
    expect([...vm.memory.read(0x2_0100, 6)]).toEqual([5, 6, 3, 4, 1, 2]);
    expect(vcpu.getRegs().edi).toBe(0xfe);
  });

  it('25: does no I/O with count 0, moves RIP and takes one tick', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 0x7777_0000 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ eip: CODE + 3, ecx: 0x7777_0000 });
    expect(vm.clock.ticks).toBe(2);
  });

  it('29: changes only the low halves with 16-bit addresses', () => {
    const { vcpu } = stringMachine(REP_INSB, { ecx: 0x1234_0002, edi: 0x5678_ffff });
    countsToHalt(vcpu);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 0x1234_0000, edi: 0x5678_0001 });
  });

  it('uses ECX and EDI with a 67h prefix', () => {
    const { vcpu } = stringMachine('67f36c', { ecx: 2, edi: 0x200 });
    expect(countsToHalt(vcpu)).toEqual([2]);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 0, edi: 0x202 });
  });

  it('31: reads a kernel device once an element, one tick apart, in one traced batch', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 4, edi: 0x100, edx: 0x300 });
    const device = new Counter(vm);
    const trace = new TraceLog();
    vcpu.trace = trace;
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(device.ticks).toEqual([0, 1, 2, 3]);
    expect([...vm.memory.read(0x2_0100, 4)]).toEqual([1, 2, 3, 4]);
    expect(trace.lines.filter((line) => line.startsWith('pio'))).toEqual(['pio_read 300 1 4 1']);
    // Four iterations, the pass with count 0, the HLT.
    expect(vm.clock.ticks).toBe(6);
  });

  it('reads ahead no more than it was told to, and no more than it has to', () => {
    for (const [maxInsBatch, counts] of [
      [0, [10]],
      [4, [4, 4, 2]],
      [10, [10]],
      [100, [10]],
    ] as const) {
      const { vcpu } = stringMachine(REP_INSB, { ecx: 10, edi: 0x1000 });
      vcpu.maxInsBatch = maxInsBatch;
      expect(countsToHalt(vcpu)).toEqual(counts);
    }
  });

  it('takes one element without REP, whatever CX holds', () => {
    const { vcpu } = stringMachine('6c', { ecx: 5, edi: 0x100 });
    expect(countsToHalt(vcpu)).toEqual([1]);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 5, edi: 0x101 });
  });

  it('takes as many ticks downwards as upwards', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 4, edi: 0x104, edx: 0x300, eflags: DF | 2 });
    const device = new Counter(vm);
    run(vcpu);
    expect(device.ticks).toEqual([0, 1, 2, 3]);
    expect(vm.clock.ticks).toBe(6);
  });

  it('34: refuses a whole block that runs beyond the limit, after the port reads', () => {
    const { vcpu, vm } = stringMachine(REP_INSW, { ecx: 100, edi: 0xfff8, edx: 0x300 });
    const device = new Counter(vm);
    run(vcpu);
    expect(device.ticks.length).toBe(8);
    expect(vcpu.getRegs()).toMatchObject({ eip: handlerEnd(13), ecx: 100, edi: 0xfff8 });
    expect([...vm.memory.read(0x2_fff8, 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('35: wraps DI between blocks', () => {
    const { vcpu } = stringMachine(REP_INSB, { ecx: 100, edi: 0xfff8 });
    expect(countsToHalt(vcpu)).toEqual([8, 92]);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 0, edi: 92 });
  });

  it('wraps DI between elements in batches of one', () => {
    const { vcpu, vm } = stringMachine(REP_INSW, { ecx: 8, edi: 0xfff8, edx: 0x300 });
    new Counter(vm);
    vcpu.maxInsBatch = 1;
    run(vcpu);
    expect(vcpu.getRegs()).toMatchObject({ eip: CODE + 3, ecx: 0, edi: 8 });
  });

  it('loses what was read ahead when a downward element faults', () => {
    const { vcpu, vm } = stringMachine(REP_INSW, { ecx: 8, edi: 0x4, edx: 0x300, eflags: DF | 2 });
    const device = new Counter(vm);
    run(vcpu);
    // Four read at once; 4, 2 and 0 stored; 0xfffe is within the limit, then the next batch begins at 0xfffc.
    expect(vcpu.getRegs()).toMatchObject({ eip: CODE + 3, ecx: 0 });
    expect(device.next).toBe(9);
  });

  it('77: reads zeros without an exit when the device vanishes in the middle of a batch', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 4, edi: 0x100, edx: 0x300 });
    const device = new Counter(vm);
    const bus = vm.buses[KVM_PIO_BUS];
    const read = device.read.bind(device);
    device.read = () => {
      if (device.next === 2) kvmIoBusUnregisterDev(bus, device);
      return read();
    };
    vm.memory.write(0x2_0100, Uint8Array.of(9, 9, 9, 9));
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect([...vm.memory.read(0x2_0100, 4)]).toEqual([1, 2, 0, 0]);
    expect(vm.clock.ticks).toBe(6);
  });

  it('leaves the whole access to userspace when the first element is refused', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 4, edx: 0x300 });
    new Counter(vm).read = () => IO_NOT_HANDLED;
    expect(run(vcpu)).toBe(KVM_EXIT_IO);
    expect(vcpu.run.io.count).toBe(4);
  });
});

describe('userspace that changes registers while INS waits', () => {
  it('takes the count from the new CX: fewer elements', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 5, edi: 0x100 });
    run(vcpu);
    vcpu.run.pioData.set([1, 2, 3, 4, 5]);
    vcpu.setRegs({ ...vcpu.getRegs(), ecx: 3 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 0, edi: 0x103 });
    expect([...vm.memory.read(0x2_0100, 5)]).toEqual([1, 2, 3, 0, 0]);
  });

  it('takes the count from the new CX: more elements, the rest as the cache holds them', () => {
    const { vcpu, vm } = stringMachine(REP_INSB, { ecx: 2, edi: 0x100 });
    vcpu.ctxt.ioReadData.fill(0xaa);
    run(vcpu);
    vcpu.run.pioData.set([1, 2]);
    vcpu.setRegs({ ...vcpu.getRegs(), ecx: 4 });
    run(vcpu);
    expect([...vm.memory.read(0x2_0100, 5)]).toEqual([1, 2, 0xaa, 0xaa, 0]);
  });

  it('stores where DI pointed when the instruction was decoded', () => {
    const { vcpu, vm } = stringMachine('6c', { edi: 0x100 });
    run(vcpu);
    vcpu.run.pioData[0] = 0x5a;
    vcpu.setRegs({ ...vcpu.getRegs(), edi: 0x200 });
    run(vcpu);
    expect([...vm.memory.read(0x2_0100, 1), ...vm.memory.read(0x2_0200, 1)]).toEqual([0x5a, 0]);
    expect(vcpu.getRegs().edi).toBe(0x201);
  });

  it('overrides RIP and flags that userspace set', () => {
    const { vcpu } = stringMachine('6c', { edi: 0x100, eflags: 3 });
    run(vcpu);
    vcpu.setRegs({ ...vcpu.getRegs(), eip: 0x500, eflags: 2 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ eip: CODE + 2, eflags: 3 });
  });

  it('keeps waiting with CX = 0, and is answered again', () => {
    const { vcpu } = stringMachine(REP_INSB, { ecx: 2, edi: 0x100 });
    run(vcpu);
    vcpu.setRegs({ ...vcpu.getRegs(), ecx: 0 });
    expect(run(vcpu)).toBe(KVM_EXIT_IO);
    vcpu.setRegs({ ...vcpu.getRegs(), ecx: 2 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ ecx: 0, edi: 0x102, eip: CODE + 3 });
  });
});

describe('IN and OUT through the emulator', () => {
  it.each(['f3', 'f2'])('47: %s before a plain IN enlarges the exit; only the first byte counts', (rep) => {
    const { vcpu } = stringMachine(`${rep}ec`, { ecx: 5, eax: 0x1122_3344 });
    vcpu.forceEmulation = 1;
    run(vcpu);
    expect(vcpu.run.io.count).toBe(5);
    vcpu.run.pioData.set([0xa1, 0xa2]);
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs()).toMatchObject({ eax: 0x1122_33a1, ecx: 5, eip: CODE + 3 });
  });

  it('takes one element without REP, whatever CX holds', () => {
    const { vcpu } = stringMachine('ec', { ecx: 5 });
    vcpu.forceEmulation = 1;
    run(vcpu);
    expect(vcpu.run.io.count).toBe(1);
  });

  it('leaves with count 1 for the same bytes on the fast path', () => {
    const { vcpu } = stringMachine('f3ec', { ecx: 5 });
    run(vcpu);
    expect(vcpu.run.io.count).toBe(1);
  });

  it('1: reads the stale byte of the read-ahead cache where the device stores nothing', () => {
    const { vcpu } = stringMachine('e480e443', {});
    vcpu.forceEmulation = 1;
    run(vcpu);
    vcpu.run.pioData[0] = 0x5a;
    vcpu.setRegs({ ...vcpu.getRegs(), eax: 0x1100 });
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eax).toBe(0x115a);
  });

  it('stands behind an OUT at its exit', () => {
    const { vcpu } = stringMachine('ee', { eax: 0x42 });
    vcpu.forceEmulation = 1;
    run(vcpu);
    expect([vcpu.getRegs().eip, vcpu.run.pioData[0]]).toEqual([CODE + 1, 0x42]);
  });
});

describe('an exit that carries no instruction', () => {
  it('cannot be emulated: KVM_EXIT_INTERNAL_ERROR, and the trace says so', () => {
    const { vcpu } = stringMachine('', {});
    const seen: unknown[] = [];
    vcpu.trace = new (class extends TraceLog {
      override kvm_emulate_insn(...args: unknown[]): void {
        seen.push(args);
      }
    })();
    expect(vcpu.fn.kvmEmulateInstruction(vcpu, 0)).toBe(0);
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_INTERNAL_ERROR);
    expect(vcpu.internalErrorMessage).toBe('the exit carries no instruction to emulate');
    expect(seen).toEqual([[0, CODE, new Uint8Array(0), true]]);
  });

  it('is told from one that does', () => {
    const { vcpu } = stringMachine(REP_OUTSB, { ecx: 1 });
    const seen: unknown[] = [];
    vcpu.trace = new (class extends TraceLog {
      override kvm_emulate_insn(...args: unknown[]): void {
        seen.push(args);
      }
    })();
    run(vcpu);
    expect(seen).toEqual([[0, CODE, Uint8Array.of(0xf3, 0x6e), false]]);
  });
});

describe('the cache of elements read ahead', () => {
  it('is handed on as a block, as much of it as is left', () => {
    const { vcpu } = stringMachine(REP_INSB, { ecx: 8 });
    run(vcpu);
    const { ctxt } = vcpu;
    ctxt.ioReadPos = 4;
    ctxt.ioReadEnd = 12;
    expect(vcpu.fn.pioInEmulated(vcpu, 2, USER_PORT, ctxt.val)).toBe(1);
    expect(ctxt).toMatchObject({ dstAt: 4, dstCount: 4, ioReadPos: 12 });
  });

  it('is handed on element by element downwards, no byte beside it touched', () => {
    const { vcpu } = stringMachine(REP_INSB, { ecx: 8, eflags: DF | 2 });
    run(vcpu);
    const { ctxt } = vcpu;
    ctxt.ioReadData.set([1, 2, 3, 4], 4);
    ctxt.ioReadPos = 4;
    ctxt.ioReadEnd = 12;
    const element = new Uint8Array(4);
    expect(vcpu.fn.pioInEmulated(vcpu, 2, USER_PORT, element)).toBe(1);
    expect([[...element], ctxt.dstCount, ctxt.ioReadPos]).toEqual([[1, 2, 0, 0], 0, 6]);
  });
});

describe('string I/O and memory-mapped addresses', () => {
  it('INS makes one access without REP, bytes with it', () => {
    for (const [code, log] of [
      ['666d', ['out 200000 4 1 @0']],
      ['f3666d', ['out 200000 1 1 @0', 'out 200001 1 0 @0', 'out 200002 1 0 @0', 'out 200003 1 0 @0']],
    ] as const) {
      const { vcpu, vm } = realMachine(code, { edx: 0x300, edi: 0, ecx: 1 });
      new Counter(vm);
      const sregs = vcpu.getSregs();
      sregs.es.base = 0x20_0000;
      vcpu.setSregs(sregs);
      const bus = new LogBus(vm);
      vcpu.userspaceMmio = bus;
      expect(run(vcpu)).toBe(KVM_EXIT_HLT);
      expect(bus.log).toEqual(log);
    }
  });

  it('stores INS data to a hole through the board, and reads OUTS data from it', () => {
    const { vcpu, vm } = realMachine('6c6e', { edx: 0x300, edi: 0, esi: 0 });
    const device = new Counter(vm);
    const sregs = vcpu.getSregs();
    sregs.es.base = 0x20_0000;
    sregs.ds.base = 0x20_0000;
    vcpu.setSregs(sregs);
    const bus = new LogBus(vm, [0x77]);
    vcpu.userspaceMmio = bus;
    expect(run(vcpu)).toBe(KVM_EXIT_HLT);
    expect(bus.log).toEqual(['out 200000 1 1 @0', 'in 200000 1 77 @1']);
    expect(device.log).toEqual([0x77]);
    expect(vcpu.stat.mmio_exits).toBe(2);
  });
});
