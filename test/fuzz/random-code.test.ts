/**
 * Random bytes as a program: whatever a guest holds, the CPU stops within its budget and never throws; and the decode
 * cache changes nothing, also when the program writes over itself.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MmioPort } from '../../src/cpu/cpu.ts';
import { Kvm } from '../../src/kvm/kvm.ts';
import { orThrow } from '../../src/kvm/or-throw.ts';
import { KVM_EXIT_IO, KVM_PIT_SPEAKER_DUMMY } from '../../src/uapi/kvm.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_HLT,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_PREEMPTION_TIMER,
} from '../../src/uapi/vmx.ts';
import { BareCpu, type BareState, plantHandlers, RAM_BYTES } from './bare-cpu.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 800);
const CODE = 0x800;
const TICKS = 150;

const OPEN_BUS: MmioPort = { mmioRead: (_pa, size) => 2 ** (8 * size) - 1, mmioWrite() {} };

/** What a run shows: how it went and what it left. */
interface Outcome {
  exits: number[];
  gpr: number[];
  eip: number;
  eflags: number;
  selectors: number[];
}

/** Runs for at most TICKS ticks, stepping over exits as a lazy hypervisor would. */
function run(bare: BareCpu, state: BareState, code: readonly number[]): Outcome {
  const { cpu } = bare;
  bare.load(state);
  const exits: number[] = [];
  for (let left = TICKS; left > 0; ) {
    const reason = bare.run(left, left);
    left -= Math.max(1, cpu.retired);
    exits.push(reason, cpu.retired);
    if (reason === EXIT_REASON_IO_INSTRUCTION || reason === EXIT_REASON_CPUID)
      cpu.eip += cpu.exitInstructionLength;
    else if (reason === EXIT_REASON_EPT_VIOLATION) {
      cpu.mmio = OPEN_BUS;
      exits.push(cpu.exitGuestPhysicalAddress, bare.run(1, 1));
      cpu.mmio = null;
    } else if (reason !== EXIT_REASON_PREEMPTION_TIMER) break;
  }
  expect(code.length).toBeGreaterThan(0);
  return {
    exits,
    gpr: Array.from(cpu.gpr.subarray(0, 8)),
    eip: cpu.eip,
    eflags: bare.eflags,
    selectors: Array.from(cpu.segSelector.subarray(0, 6)),
  };
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
/** Registers that point into the code now and then, so that stores hit it. */
const pointer = fc.oneof(
  fc.integer({ min: CODE - 8, max: CODE + 40 }),
  fc.integer({ min: 0, max: 0xffff }),
  u32,
);
const state: fc.Arbitrary<BareState> = fc.record({
  gpr: fc.tuple(
    u32,
    pointer,
    pointer,
    pointer,
    fc.integer({ min: CODE, max: CODE + 80 }),
    pointer,
    pointer,
    pointer,
  ),
  selectors: fc.constantFrom(
    [0, 0, 0, 0, 0, 0],
    [0, 0, 0x2000, 0, 0x10, 0x80],
    [0xffff, 0, 0x9000, 0x1000, 0, 0],
  ),
  eip: fc.constant(CODE),
  eflags: fc.integer({ min: 0, max: 0x7fff }).map((flags) => (flags & ~0x100) | 2),
});
const bytes = fc.array(fc.integer({ min: 0, max: 0xff }), { minLength: 1, maxLength: 64 });
/** Stores, loads, jumps back and immediates: programs that rewrite themselves while they loop. */
const selfModifying = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        [0xaa],
        [0xab],
        [0x66, 0xab],
        [0xa4],
        [0xfe, 0x07],
        [0xff, 0x04],
        [0x00, 0x0f],
        [0x89, 0x07],
      ),
      fc.integer({ min: 0, max: 0xff }).map((byte) => [0xb0, byte]),
      fc.integer({ min: 0, max: 0xff }).map((byte) => [0x80, 0x07, byte]),
      fc.integer({ min: 0xd0, max: 0xfe }).map((back) => [0xeb, back]),
      fc.integer({ min: 0xd0, max: 0xfe }).map((back) => [0xe2, back]),
      fc.constantFrom(
        [0x40],
        [0x47],
        [0x4f],
        [0x93],
        [0x90],
        [0xf3, 0xaa],
        [0xf3, 0xa4],
        [0xfc],
        [0xfd],
        [0x60],
      ),
    ),
    { minLength: 3, maxLength: 30 },
  )
  .map((parts) => parts.flat());
const program = fc.oneof(bytes, selfModifying);

function plant(bare: BareCpu, code: readonly number[]): void {
  const { ram } = bare.memory;
  ram.fill(0);
  plantHandlers(ram);
  ram.set(code, CODE);
  bare.memory.code?.invalidatePages(0, RAM_BYTES);
}

describe('random code', () => {
  it('never throws and stops within its budget', () => {
    const bare = new BareCpu();
    let ended = 0;
    fc.assert(
      fc.property(program, state, (code, start) => {
        plant(bare, code);
        const { exits } = run(bare, start, code);
        if (exits.includes(EXIT_REASON_HLT)) ended++;
      }),
      { numRuns: NUM_RUNS },
    );
    expect(ended).toBeGreaterThan(0);
  });

  it('cannot break a whole machine either, whatever its devices are told', () => {
    const vm = new Kvm().createVm();
    vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: RAM_BYTES });
    vm.createIrqchip();
    vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY });
    const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
    const { ram } = vm.memory;
    const ends = new Set<number>();
    // mov dx, port; in or out: most accesses are to the kernel's devices.
    const access = fc
      .tuple(
        fc.constantFrom(0x20, 0x21, 0x40, 0x42, 0x43, 0x61, 0xa0, 0xa1, 0x4d0, 0x3f8),
        fc.constantFrom(0xec, 0xed, 0xee, 0xef, 0x6c, 0x6e),
        fc.integer({ min: 0, max: 0xff }),
      )
      .map(([port, opcode, al]) => [0xb0, al, 0xba, port & 0xff, port >> 8, opcode, 0xfb]);
    const guest = fc
      .tuple(fc.array(access, { maxLength: 12 }), program)
      .map(([accesses, tail]) => [...accesses.flat(), ...tail]);
    fc.assert(
      fc.property(guest, state, fc.boolean(), (code, start, isForced) => {
        ram.fill(0);
        plantHandlers(ram);
        ram.set(code, CODE);
        vm.memory.code?.invalidatePages(0, RAM_BYTES);
        vcpu.resetVcpu();
        vcpu.forceEmulation = isForced ? 1 : 0;
        const sregs = vcpu.getSregs();
        Object.assign(sregs.cs, { selector: 0, base: 0 });
        vcpu.setSregs(sregs);
        const [eax, ecx, edx, ebx, esp, ebp, esi, edi] = start.gpr;
        const { eip, eflags } = start;
        vcpu.setRegs({ eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags });
        const begin = vm.clock.ticks;
        vcpu.tickLimit = begin + TICKS;
        let exits = 0;
        while (vcpu.kvmRun() === 0 && vcpu.run.exit_reason === KVM_EXIT_IO) exits++;
        ends.add(vcpu.run.exit_reason);
        // A batch of INS may run past the limit, but not far.
        expect(vm.clock.ticks - begin).toBeLessThan(TICKS + 70_000);
        expect(exits).toBeLessThan(TICKS + 10);
      }),
      { numRuns: NUM_RUNS },
    );
    expect(ends.size).toBeGreaterThan(1);
  });

  it('does the same with the decode cache off', () => {
    const cached = new BareCpu();
    const plain = new BareCpu();
    plain.cpu.cache.enabled = false;
    fc.assert(
      fc.property(program, state, (code, start) => {
        plant(cached, code);
        plant(plain, code);
        expect(run(cached, start, code)).toEqual(run(plain, start, code));
        expect(Buffer.compare(cached.memory.ram, plain.memory.ram)).toBe(0);
      }),
      { numRuns: NUM_RUNS },
    );
    expect(cached.cpu.cache.dropped).toBeGreaterThan(0);
  });
});
