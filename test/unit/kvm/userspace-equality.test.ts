/**
 * A board's accesses may be made inside the exit handler, or after a materialised KVM_EXIT_IO by KVM_RUN itself, or by an
 * embedder who calls KVM_RUN again: the guest, the clock and the counts must not tell which.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { EINTR } from '../../../src/uapi/errno.ts';
import { type IoSize, KVM_EXIT_INTR, KVM_EXIT_IO, KVM_EXIT_IO_IN } from '../../../src/uapi/kvm.ts';
import { LogBus, realMachine } from './real-machine.ts';

/** The bus of this test answers from its access count, and asks for a stop on one port. */
const STOP_PORT = 0x301;
/** Ends a program that runs away. */
const MAX_TICKS = 3_000;

interface Program {
  code: number[];
  ecx: number;
  esi: number;
  edi: number;
  eflags: number;
  forceEmulation: number;
  slice: number;
}

const port = fc.constantFrom(0x7e, 0x80, 0x300, STOP_PORT, 0x20, 0x21, 0x40, 0x43, 0x61, 0x3f8);
const prefix = fc.constantFrom(0xf2, 0xf3, 0xf3, 0xf3, 0x66, 0x67, 0x26, 0x2e, 0x36);
const immediatePort = fc.constantFrom(0x7e, 0x80, 0x40, 0x43, 0x61, 0x20, 0x21);
const string = fc
  .tuple(fc.array(prefix, { maxLength: 3 }), fc.constantFrom(0x6c, 0x6d, 0x6e, 0x6f))
  .map(([prefixes, op]) => [...prefixes, op]);
const plain = fc
  .tuple(fc.array(prefix, { maxLength: 2 }), fc.constantFrom(0xec, 0xed, 0xee, 0xef))
  .map(([prefixes, op]) => [...prefixes, op]);
const immediate = fc.tuple(fc.constantFrom(0xe4, 0xe5, 0xe6, 0xe7), immediatePort).map(([op, p]) => [op, p]);
const movDx = port.map((p) => [0xba, p & 0xff, p >> 8]);
const movCx = fc.integer({ min: 0, max: 1500 }).map((n) => [0xb9, n & 0xff, n >> 8]);
const movDi = fc.integer({ min: 0, max: 0xffff }).map((n) => [0xbf, n & 0xff, n >> 8]);
const movSi = fc.integer({ min: 0, max: 0xffff }).map((n) => [0xbe, n & 0xff, n >> 8]);
const other = fc.constantFrom([0x40], [0xfb], [0xfa], [0xfc], [0xfd], [0x90], [0x0f, 0x31]);
const instruction = fc.oneof(
  { weight: 4, arbitrary: string },
  { weight: 3, arbitrary: plain },
  { weight: 2, arbitrary: immediate },
  { weight: 2, arbitrary: movDx },
  { weight: 1, arbitrary: movCx },
  { weight: 1, arbitrary: movDi },
  { weight: 1, arbitrary: movSi },
  { weight: 2, arbitrary: other },
);
const program: fc.Arbitrary<Program> = fc.record({
  code: fc.array(instruction, { minLength: 4, maxLength: 24 }).map((list) => list.flat()),
  ecx: fc.integer({ min: 0, max: 40 }),
  esi: fc.constantFrom(0x1000, 0xfff0, 0x1ffe),
  edi: fc.constantFrom(0x1000, 0xfff0, 0x1ffe, 3),
  eflags: fc.constantFrom(2, 0x202, 0x102, 0x402, 0x302, 0x602),
  forceEmulation: fc.constantFrom(0, 1),
  slice: fc.integer({ min: 1, max: 400 }),
});

class CountingBus extends LogBus {
  constructor(vm: Vm, vcpu: Vcpu) {
    super(vm);
    this.onAccess = (accessed) => {
      if (accessed === STOP_PORT) vcpu.requestStop();
    };
  }

  override read(accessed: number, size: IoSize): number {
    this.answers.push((Math.imul(this.log.length + 1, 0x9e37_79b1) ^ accessed) >>> 0);
    return super.read(accessed, size);
  }
}

/** An alarm of the PIT falls due with the tick of a port access: no exit of its own. */
const ALARM_AT_ACCESS: Program = {
  code: [0x40, 0xe7, 0x40, 0xb9, 0, 0, 0xe4, 0x7e, 0xb9, 0, 0],
  ecx: 0,
  esi: 0x1000,
  edi: 0x1000,
  eflags: 2,
  forceEmulation: 0,
  slice: 1,
};

type Driver = 'inline' | 'materialised' | 'embedder' | 'sliced';

function machine(of: Program): { vm: Vm; vcpu: Vcpu; bus: CountingBus } {
  const hex = Buffer.from(of.code).toString('hex');
  // 1 M ticks a second: the PIT's shortest period is 200 ticks.
  const { vm, vcpu } = realMachine(
    hex,
    { ecx: of.ecx, esi: of.esi, edi: of.edi, eflags: of.eflags },
    { ips: 1_000_000 },
  );
  const sregs = vcpu.getSregs();
  for (const seg of [sregs.es, sregs.ds]) {
    seg.base = 0x2_0000;
    seg.selector = 0x2000;
  }
  vcpu.setSregs(sregs);
  // Timer: vector 8 counts, ends the interrupt and goes back. Single step: IRET.
  vm.memory.write(4 * 8, Uint8Array.of(0, 0x20, 0, 0));
  vm.memory.write(0x2000, Uint8Array.of(0x50, 0x43, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf));
  vm.memory.write(4, Uint8Array.of(0, 0x21, 0, 0));
  vm.memory.write(0x2100, Uint8Array.of(0x45, 0xcf));
  const pic = orThrow(vm.getIrqchip(0), 'KVM_GET_IRQCHIP');
  vm.setIrqchip(0, { ...pic, irq_base: 8, imr: 0xfe });
  const pit = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
  pit.channels[0].mode = 2;
  pit.channels[0].count = 300;
  vm.setPit2(pit);
  vcpu.forceEmulation = of.forceEmulation;
  vcpu.tickLimit = MAX_TICKS;
  return { vm, vcpu, bus: new CountingBus(vm, vcpu) };
}

/** Runs to the end. @returns all that can be told apart. */
function outcome(of: Program, driver: Driver): object {
  const { vm, vcpu, bus } = machine(of);
  if (driver !== 'embedder') vcpu.userspace = bus;
  if (driver === 'materialised') vcpu.observed = 1;
  const stops: unknown[] = [];
  let end = '';
  while (end === '') {
    if (driver === 'sliced') vcpu.tickLimit = Math.min(MAX_TICKS, vm.clock.ticks + of.slice);
    const r = vcpu.kvmRun();
    const { exit_reason, io, pioData } = vcpu.run;
    if (r === 0 && exit_reason === KVM_EXIT_IO) {
      const size = io.size as IoSize;
      const view = new DataView(pioData.buffer, pioData.byteOffset);
      for (let i = 0; i < io.count; i++) {
        if (io.direction === KVM_EXIT_IO_IN) {
          const value = bus.read(io.port, size);
          for (let b = 0; b < size; b++) pioData[i * size + b] = Math.floor(value / 2 ** (8 * b)) & 0xff;
        } else {
          bus.write(
            io.port,
            size,
            size === 1 ? pioData[i] : size === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true),
          );
        }
      }
    } else if (r === -EINTR && exit_reason === KVM_EXIT_INTR && vm.clock.ticks < vcpu.tickLimit) {
      stops.push([vcpu.getRegs(), vm.clock.ticks]);
    } else if (r !== -EINTR || vm.clock.ticks >= MAX_TICKS) {
      end = `${r} ${exit_reason}`;
    }
  }
  const { byReason, ...stat } = vcpu.stat;
  return {
    end,
    // A slice may end just where a stop was asked for: the two then come as one.
    stops: driver === 'sliced' ? [] : stops,
    regs: vcpu.getRegs(),
    ticks: vm.clock.ticks,
    instructions: vcpu.instructions,
    log: bus.log,
    stat,
    byReason: [...byReason],
    memory: createHash('sha1').update(vm.memory.ram).digest('hex'),
    pic: orThrow(vm.getIrqchip(0), 'KVM_GET_IRQCHIP'),
    pit: orThrow(vm.getPit2(), 'KVM_GET_PIT2'),
    shadow: vcpu.cpu.interruptShadow,
  };
}

describe('who makes the accesses of the board', () => {
  const runs = Number(process.env.FUZZ_RUNS ?? 80);

  it.each(['materialised', 'embedder'] as const)('cannot be told: inline = %s', (driver) => {
    let accesses = 0;
    fc.assert(
      fc.property(program, (of) => {
        const inline = outcome(of, 'inline') as { log: string[] };
        accesses += inline.log.length;
        expect(outcome(of, driver)).toEqual(inline);
      }),
      { numRuns: runs, examples: [[ALARM_AT_ACCESS]] },
    );
    expect(accesses).toBeGreaterThan(runs);
  });

  it('cannot be told when the run is cut into slices', () => {
    fc.assert(
      fc.property(program, (of) => {
        expect(outcome(of, 'sliced')).toEqual({ ...outcome(of, 'inline'), stops: [] });
      }),
      { numRuns: runs },
    );
  });

  it('sees the time of the exit for all elements of one batch', () => {
    const of = { code: [0xf3, 0x6c], ecx: 4, esi: 0, edi: 0, eflags: 2, forceEmulation: 0, slice: 1 };
    const withPort = { ...of, code: [0xba, 0x80, 0, ...of.code] };
    const { log } = outcome(withPort, 'inline') as { log: string[] };
    expect(log.map((line) => line.split('@')[1])).toEqual(['1', '1', '1', '1']);
  });
});
