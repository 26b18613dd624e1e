/** The run loop: budget and ticks, exits, random bytes, and slices that change nothing. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVITY_ACTIVE, ACTIVITY_SHUTDOWN, FAULT_NONE, type MmioPort } from '../../../src/cpu/cpu.ts';
import { getEflags } from '../../../src/cpu/flags.ts';
import { STATUS_FLAGS } from '../../../src/cpu/registers.ts';
import { SEG_CS } from '../../../src/decoder/insn.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_HLT,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_PREEMPTION_TIMER,
  EXIT_REASON_TRIPLE_FAULT,
} from '../../../src/uapi/vmx.ts';
import { type Registers, TestCpu } from './driver.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 400);

describe('the budget', () => {
  it('is used up exactly by a loop', () => {
    const test = new TestCpu().reset({}).poke('eip', 'eb fe');
    for (const budget of [1, 2, 1000, 1 << 20]) {
      expect(test.run(budget)).toBe(EXIT_REASON_PREEMPTION_TIMER);
      expect(test.cpu.retired).toBe(budget);
    }
  });

  it.each([0, -1])('of %i runs nothing', (budget) => {
    const test = new TestCpu().reset({}).poke('eip', '40');
    expect(test.run(budget)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect([test.cpu.retired, test.state.eip]).toEqual([0, 0x100]);
  });

  it('of more than 2^20 may come back early, with what it has used', () => {
    const test = new TestCpu().reset({}).poke('eip', 'eb fe');
    expect(test.run(0x3fff_ffff)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.cpu.retired).toBe(1 << 20);
  });

  it('counts a fault as a tick, so that a guest that only faults ends', () => {
    // Every vector leads back to the UD2.
    const test = new TestCpu()
      .reset({})
      .poke('eip', '0f 0b')
      .poke(6 * 4, '00 01 00 10');
    expect(test.run(50)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.cpu.retired).toBe(50);
    expect(test.state.esp & 0xffff).toBe(0x1000 - 300);
  });

  it('is left at once when something asks for attention', () => {
    const test = new TestCpu().reset({}).poke('eip', 'fa fa fa');
    test.cpu.raiseAttention();
    test.run(2);
    expect(test.state.eip).toBe(0x102);
  });
});

describe('an exit', () => {
  it('leaves no fault behind', () => {
    const test = new TestCpu().reset({}).poke('eip', '0f 0b');
    test.run(1);
    expect(test.cpu.fault).toBe(FAULT_NONE);
  });

  it('counts what ran before it', () => {
    const test = new TestCpu().reset({ ecx: 5 }).poke('eip', '40 e2 fd f4');
    expect(test.run(1000)).toBe(EXIT_REASON_HLT);
    expect(test.cpu.retired).toBe(10);
    expect(test.state.eip).toBe(0x103);
  });
});

describe('several CPUs', () => {
  it('run side by side without touching each other', () => {
    const tests = [0, 1, 2].map((i) => new TestCpu().reset({ eax: i }).poke('eip', '83 c0 03 eb fb'));
    for (let round = 0; round < 10; round++) for (const test of tests) test.run(20);
    expect(tests.map((test) => test.state.eax)).toEqual([300, 301, 302]);
  });
});

const ONES: MmioPort = { mmioRead: (_pa, size) => 2 ** (8 * size) - 1, mmioWrite() {} };

/** Runs `ticks` in slices, going past exits the same way each time. @returns the reasons of all exits. */
function drive(test: TestCpu, ticks: number, slice: number): number[] {
  const { cpu } = test;
  const exits: number[] = [];
  for (let left = ticks; left > 0; ) {
    const budget = Math.min(slice, left);
    const reason = test.run(budget);
    if (cpu.retired > budget || cpu.retired < 0) throw new Error(`${cpu.retired} ticks of ${budget}`);
    left -= cpu.retired;
    if (reason === EXIT_REASON_PREEMPTION_TIMER) continue;
    exits.push(reason, left);
    if (reason === EXIT_REASON_IO_INSTRUCTION || reason === EXIT_REASON_CPUID || reason === EXIT_REASON_HLT) {
      cpu.eip += cpu.exitInstructionLength;
      cpu.interruptShadow = 0;
      left--;
      continue;
    }
    if (reason !== EXIT_REASON_EPT_VIOLATION) break;
    cpu.mmio = ONES;
    const again = test.run(1);
    cpu.mmio = null;
    left -= Math.max(1, cpu.retired);
    if (again !== EXIT_REASON_PREEMPTION_TIMER) exits.push(again);
    if (again === EXIT_REASON_EPT_VIOLATION || again === EXIT_REASON_TRIPLE_FAULT) break;
    if (again !== EXIT_REASON_PREEMPTION_TIMER) cpu.eip += cpu.exitInstructionLength;
  }
  return exits;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const selector = fc.constantFrom(0x1000, 0x0ff0, 0x2000, 0xf000, 0xffff);
const start: fc.Arbitrary<Partial<Registers>> = fc.record({
  eax: u32,
  ebx: fc.oneof(fc.integer({ min: 0, max: 0x300 }), u32),
  ecx: fc.oneof(fc.integer({ min: 0, max: 20 }), u32),
  edx: u32,
  esp: fc.oneof(fc.integer({ min: 0x100, max: 0x300 }), fc.integer({ min: 0, max: 8 }), u32),
  ebp: fc.oneof(fc.integer({ min: 0, max: 0x300 }), u32),
  esi: fc.oneof(fc.integer({ min: 0, max: 0x300 }), u32),
  edi: fc.oneof(fc.integer({ min: 0, max: 0x300 }), u32),
  ds: selector,
  es: selector,
  ss: selector,
  eflags: fc.integer({ min: 0, max: 0xffff }).map((n) => (n & 0x7fd7) | 2),
});
/** Opcodes that set CR0.PE leave real mode. */
const bytes = fc
  .array(fc.integer({ min: 0, max: 0xff }), { minLength: 1, maxLength: 40 })
  .map((list) => list.map((byte, i) => (byte === 0x0f && [0x01, 0x22].includes(list[i + 1]) ? 0x90 : byte)));

describe('random bytes', () => {
  it('never throw, keep to the budget and leave a well-formed state', () => {
    const test = new TestCpu();
    const reasons = new Set<number>();
    fc.assert(
      fc.property(bytes, start, (code, state) => {
        test.reset(state).poke('eip', code);
        for (const reason of drive(test, 150, 40)) reasons.add(reason);
        const { cpu } = test;
        expect([...cpu.gpr.subarray(8)]).toEqual(Array(8).fill(0));
        expect(cpu.sysFlags & (STATUS_FLAGS | 2)).toBe(2);
        expect(getEflags(cpu) & 0xffc0_8028).toBe(0);
        for (let seg = 0; seg < 6; seg++) {
          expect(cpu.segBase[seg]).toBe(cpu.segSelector[seg] << 4);
          expect(cpu.segLimit[seg]).toBe(0xffff);
        }
        expect(cpu.eip >>> 0).toBeLessThanOrEqual(0x1_000f);
        for (const field of [
          cpu.eip,
          cpu.sysFlags,
          cpu.cr0,
          cpu.idtBase,
          cpu.gdtBase,
          cpu.retired,
          cpu.fault,
        ]) {
          expect(field).toBe(field | 0);
        }
        expect([ACTIVITY_ACTIVE, ACTIVITY_SHUTDOWN]).toContain(cpu.activityState);
        expect(cpu.segAttr[SEG_CS] & 0x4000).toBe(0);
      }),
      { numRuns: NUM_RUNS },
    );
    for (const reason of [EXIT_REASON_IO_INSTRUCTION, EXIT_REASON_HLT, EXIT_REASON_TRIPLE_FAULT]) {
      expect([...reasons]).toContain(reason);
    }
  });

  it('do the same in slices of any size', () => {
    const machines = [new TestCpu(), new TestCpu(), new TestCpu()];
    fc.assert(
      fc.property(bytes, start, (code, state) => {
        const ends = [1000, 1, 3].map((slice, i) => {
          const test = machines[i].reset(state).poke('eip', code);
          return { exits: drive(test, 100, slice), state: test.state, shadow: test.cpu.interruptShadow };
        });
        expect(ends[1]).toEqual(ends[0]);
        expect(ends[2]).toEqual(ends[0]);
        expect(Buffer.compare(machines[0].memory.ram, machines[1].memory.ram)).toBe(0);
        expect(Buffer.compare(machines[0].memory.ram, machines[2].memory.ram)).toBe(0);
      }),
      { numRuns: NUM_RUNS },
    );
  });
});
