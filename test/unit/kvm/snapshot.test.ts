/** Vm.snapshot and Vm.restore, driven as an embedder drives a machine: exit by exit. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CPU_FIELDS, VCPU_FIELDS, VM_FIELDS } from '../../../src/kvm/snapshot.ts';
import { type FieldSpec, fieldKind } from '../../../src/kvm/state-fields.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_MMIO,
  KVM_MEM_LOG_DIRTY_PAGES,
  type KvmRegs,
} from '../../../src/uapi/kvm.ts';
import { bytesOf, CODE, type Machine, RAM, realMachine, TraceLog } from './real-machine.ts';

/** Everything that can be seen of a machine from outside. */
function seen({ vm, vcpu }: Machine): unknown {
  return {
    cpu: Object.entries(vcpu.cpu).filter(
      ([key, value]) =>
        typeof value === 'number' &&
        key !== 'attention' &&
        key !== 'ticksAtEntry' &&
        !CPU_FIELDS.wiring.includes(key),
    ),
    regs: vcpu.getRegs(),
    sregs: vcpu.getSregs(),
    run: Buffer.from(vcpu.run.buffer).toString('latin1'),
    stat: structuredClone({ ...vcpu.stat }),
    instructions: vcpu.instructions,
    clock: vm.clock.saveState(),
    pic: vm.pic?.saveState(),
    pit: vm.pit?.saveState(),
    ioapic: vm.ioapic?.saveState(),
    memory: createHash('sha1').update(vm.memory.ram).digest('hex'),
    ...(vm.memory.slots[0].dirtyBitmap !== null && { dirty: [...vm.memory.slots[0].dirtyBitmap] }),
  };
}

/** Runs to the next exit and answers it. @returns what the embedder saw. */
function exit({ vm, vcpu }: Machine, isAnswered = true): unknown {
  vcpu.tickLimit = vm.clock.ticks + (vm.clock.ticks % 3 === 0 ? 2 : 2_000);
  const r = vcpu.kvmRun();
  const { exit_reason: reason, io, pioData } = vcpu.run;
  if (reason !== KVM_EXIT_IO) return [r, reason, vm.clock.ticks];
  const len = io.size * io.count;
  if (io.direction === KVM_EXIT_IO_IN && isAnswered)
    for (let i = 0; i < len; i++) pioData[i] = (io.port * 7 + vm.clock.ticks + i) & 0xff;
  return [r, io.direction, io.port, io.size, io.count, vm.clock.ticks, ...pioData.subarray(0, len)];
}

/** Instructions of random guests: ports nobody in the kernel has, and the PIT and PIC. */
const FRAGMENTS = [
  ...['ba f8 03 ec', 'ba f8 03 ed', 'ba f8 03 ee', 'e4 40', 'e6 40', 'b0 34 e6 43', 'e4 61', 'b0 20 e6 20'],
  ...['ba 00 20 b9 05 00 bf 00 50 f3 6c', 'ba 00 20 b9 00 02 bf f0 5f f3 6d', 'ba 00 20 b9 03 00 f3 6e'],
  ...['66 ba 00 20 00 00 66 6d', '6e', '6c', 'ba 40 00 b9 04 00 f3 6c', 'e6 7e', 'fb', 'fa', 'f4'],
  ...['50 58', 'ff 06 00 60', 'aa', 'a4', 'f7 f3', 'cd 30', '9c 9d', '90', '01 d8', 'f9', 'fd', 'fc'],
  ...['80 36 10 7c 01', 'b0 00 e6 21', 'fb b0 10 e6 40 e6 40 f4', '8e d8', '1e 07'],
];
const programs = fc.array(fc.constantFrom(...FRAGMENTS), { minLength: 1, maxLength: 25 });

function guest(program: readonly string[], isLogged = false): Machine {
  const body = bytesOf(program.join(''));
  // Around and around: jmp back to the start.
  const back = 0x1_0000 - body.length - 3;
  const loop = `${Buffer.from(body).toString('hex')} e9 ${(back & 0xff).toString(16).padStart(2, '0')}${(back >> 8).toString(16).padStart(2, '0')}`;
  const machine = realMachine(loop, { ebx: 3, edi: 0x5000, esi: 0x5800 });
  // Handlers go back instead of halting.
  for (let vector = 0; vector < 256; vector++)
    machine.vm.memory.write(0x600 + 4 * vector, Uint8Array.of(0xcf));
  if (isLogged) {
    const flags = KVM_MEM_LOG_DIRTY_PAGES;
    machine.vm.setUserMemoryRegion({ slot: 0, flags, guest_phys_addr: 0, memory_size: RAM });
  }
  return machine;
}

function exits(machine: Machine, count: number): unknown[] {
  return Array.from({ length: count }, () => exit(machine));
}

describe('running on from a restore', () => {
  it('is what the first run was: exits, data, trace lines, registers, devices, memory, dirty log', () => {
    fc.assert(
      fc.property(
        programs,
        fc.nat(12),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (program, n, m, isLogged) => {
          const machine = guest(program, isLogged);
          exits(machine, n);
          const snapshot = machine.vm.snapshot();
          const atSnapshot = seen(machine);
          const runs = [0, 1, 2].map(() => {
            machine.vm.restore(snapshot);
            expect(seen(machine)).toEqual(atSnapshot);
            const trace = new TraceLog();
            machine.vcpu.trace = trace;
            const list = exits(machine, m);
            machine.vcpu.trace = null;
            return { list, end: seen(machine), lines: trace.lines.join('\n') };
          });
          expect(runs[1]).toEqual(runs[0]);
          expect(runs[2]).toEqual(runs[0]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is what a fresh machine does after as many exits, on this machine and on another', () => {
    fc.assert(
      fc.property(programs, fc.nat(12), fc.integer({ min: 1, max: 8 }), (program, n, m) => {
        const machine = guest(program);
        exits(machine, n);
        const snapshot = machine.vm.snapshot();
        exits(machine, m);
        const other = guest(['90']);
        exits(other, m);
        other.vm.restore(snapshot);
        machine.vm.restore(snapshot);
        const fresh = guest(program);
        exits(fresh, n);
        const expected = { list: exits(fresh, m), end: seen(fresh) };
        expect({ list: exits(machine, m), end: seen(machine) }).toEqual(expected);
        expect({ list: exits(other, m), end: seen(other) }).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  it('holds for several snapshots of one machine, in any order', () => {
    fc.assert(
      fc.property(programs, fc.array(fc.nat(30), { minLength: 2, maxLength: 12 }), (program, picks) => {
        const machine = guest(program);
        const taken: { snapshot: ReturnType<typeof machine.vm.snapshot>; state: unknown; next: unknown }[] =
          [];
        for (const pick of picks) {
          if (taken.length > 0 && pick % 3 !== 0) {
            const { snapshot, state, next } = taken[pick % taken.length];
            machine.vm.restore(snapshot);
            expect(seen(machine)).toEqual(state);
            expect(exit(machine)).toEqual(next);
          } else {
            const snapshot = machine.vm.snapshot();
            taken.push({ snapshot, state: seen(machine), next: exit(machine) });
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('a snapshot between an exit and its completion', () => {
  it.each<[string, string, Partial<KvmRegs>]>([
    ['IN, fast path', 'ec', { edx: 0x3f8 }],
    ['OUT, fast path', 'ee', { edx: 0x3f8, eax: 0x41 }],
    ['OUT to port 0x7E', 'e6 7e', { eax: 0x41 }],
    ['the first batch of REP INSB', 'f3 6c', { edx: 0x3f8, edi: 0x5000, ecx: 2000 }],
    ['one element of REP OUTSB', 'f3 6e', { edx: 0x3f8, esi: 0x5000, ecx: 5 }],
  ])('%s: each restore completes it with what userspace then answers', (_, code, regs) => {
    const machine = realMachine(code, regs);
    exit(machine, false);
    expect(machine.vcpu.run.exit_reason).toBe(KVM_EXIT_IO);
    const snapshot = machine.vm.snapshot();
    const ends = [0x11, 0x22, 0x11].map((answer) => {
      machine.vm.restore(snapshot);
      machine.vcpu.run.pioData.fill(answer, 0, 1024);
      const list: unknown[] = [];
      while (machine.vcpu.run.exit_reason !== KVM_EXIT_HLT) list.push(exit(machine));
      return { list, end: seen(machine) };
    });
    expect(ends[2]).toEqual(ends[0]);
    const isIn = code === 'ec' || code === 'f3 6c';
    if (isIn) expect(ends[1]).not.toEqual(ends[0]);
    else expect(ends[1].list).toEqual(ends[0].list);
  });
});

describe('a snapshot while KVM_EXIT_MMIO waits', () => {
  /** DS, ES and SS lie above the memory. */
  function holeMachine(code: string): Machine {
    const machine = realMachine(code, { eax: 0x1234_5678, ecx: 6, esi: 0xffe, edi: 0xffd, edx: 0x3f8 });
    const sregs = machine.vcpu.getSregs();
    sregs.ds.base = sregs.es.base = sregs.ss.base = 2 * RAM;
    machine.vcpu.setSregs(sregs);
    return machine;
  }

  function toEnd(machine: Machine): unknown[] {
    const list: unknown[] = [];
    const { vcpu } = machine;
    for (;;) {
      const { exit_reason: reason, mmio, io, pioData } = vcpu.run;
      if (reason === KVM_EXIT_HLT) return list;
      const isRead = reason === KVM_EXIT_MMIO ? mmio.is_write === 0 : io.direction === KVM_EXIT_IO_IN;
      const data = reason === KVM_EXIT_MMIO ? mmio.data : pioData;
      if (isRead) for (let i = 0; i < 16; i++) data[i] = 0x40 + i + list.length;
      list.push([reason, mmio.phys_addr, mmio.len, io.count, [...data.subarray(0, 16)]]);
      vcpu.kvmRun();
    }
  }

  it.each([
    ['a read', 'a1 00 10'],
    ['a doubleword read across a page', '66 a1 fe 0f'],
    ['a write', 'a3 00 10'],
    ['a read and a write', '01 06 00 10'],
    ['REP MOVSW', 'f3 a5'],
    ['PUSHA', 'bc 08 10 60'],
    ['REP INSW', 'f3 6d'],
    ['REP OUTSB', 'f3 6e'],
  ])('%s: at each of its exits, here and on another machine', (_, code) => {
    const first = holeMachine(code);
    first.vcpu.kvmRun();
    const count = toEnd(first).length;
    expect(count).toBeGreaterThan(0);
    const other = holeMachine('66 a1 fe 0f');
    other.vcpu.kvmRun();
    for (let at = 0; at < count; at++) {
      const machine = holeMachine(code);
      for (let i = 0; i <= at; i++) {
        if (i > 0 && machine.vcpu.run.exit_reason === KVM_EXIT_MMIO) machine.vcpu.run.mmio.data.fill(i);
        machine.vcpu.kvmRun();
      }
      const snapshot = machine.vm.snapshot();
      const list = toEnd(machine);
      const end = seen(machine);
      for (const each of [machine, other]) {
        each.vm.restore(snapshot);
        expect(toEnd(each)).toEqual(list);
        expect(seen(each)).toEqual(end);
      }
    }
  });
});

describe('a restore', () => {
  it('drops decoded code that has been written over, and only that', () => {
    // 7C00: inc byte [0x7C0D]; jmp 7C08   7C08: jmp 7C0C   7C0C: mov al,imm8; hlt
    const machine = realMachine('fe 06 0d 7c eb 02 90 90 eb 02 90 90 b0 10');
    const snapshot = machine.vm.snapshot();
    const run = (): number[] => {
      machine.vcpu.kvmRun();
      return [machine.vcpu.getRegs().eax & 0xff, machine.vcpu.cpu.cache.decoded];
    };
    const [first, decoded] = run();
    machine.vm.restore(snapshot);
    expect([first, run()]).toEqual([0x11, [0x11, decoded + 1]]);
  });

  it('brings back the shadow of STI', () => {
    const { vm, vcpu } = realMachine('fb 90');
    vcpu.tickLimit = 1;
    vcpu.kvmRun();
    const snapshot = vm.snapshot();
    const shadow = vcpu.cpu.interruptShadow;
    vcpu.tickLimit = 2;
    vcpu.kvmRun();
    const after = vcpu.cpu.interruptShadow;
    vm.restore(snapshot);
    expect([shadow, after, vcpu.cpu.interruptShadow]).toEqual([2, 0, 2]);
  });

  it('leaves what the embedder has set up', () => {
    const { vm, vcpu } = realMachine('90');
    const snapshot = vm.snapshot();
    const trace = new TraceLog();
    vcpu.trace = trace;
    vcpu.tickLimit = 1234;
    vcpu.forceEmulation = 1;
    const later = vm.clock.createAlarm(() => {});
    later.set(5_000);
    vm.restore(snapshot);
    expect([vcpu.trace, vcpu.observed, vcpu.tickLimit, vcpu.forceEmulation, later.deadlineNs]).toEqual([
      trace,
      1,
      1234,
      1,
      5_000,
    ]);
  });

  it.each<[string, Machine, string]>([
    [
      'fewer devices',
      realMachine('90', {}, { devices: false }),
      'snapshot: the machine has no pic, which the snapshot has',
    ],
    [
      'another tick rate',
      realMachine('90', {}, { ips: 5 }),
      'snapshot: its machine runs 100000000 ticks a second, this one 5',
    ],
    [
      'another processor',
      realMachine('90', {}, { cpu: 'p6' }),
      "snapshot: its processor is a max, the machine's is a p6",
    ],
  ])('is refused by a machine with %s, which stays as it is', (_, other, message) => {
    const { vm } = realMachine('90 90');
    const before = seen(other);
    expect(() => other.vm.restore(vm.snapshot())).toThrowError(message);
    expect(seen(other)).toEqual(before);
  });

  it('is refused by a machine with devices of its own, more memory or no vCPU', () => {
    const bare = realMachine('90', {}, { devices: false });
    const { vm } = realMachine('90');
    expect(() => vm.restore(bare.vm.snapshot())).toThrowError(
      'snapshot: the machine has a pic, which the snapshot has not',
    );
    const larger = realMachine('90');
    larger.vm.setUserMemoryRegion({ slot: 1, flags: 0, guest_phys_addr: RAM, memory_size: 4096 });
    expect(() => vm.restore(larger.vm.snapshot())).toThrowError(
      "snapshot: memory is slot 0 at 0x0+0x100000, slot 1 at 0x100000+0x1000, the machine's is slot 0 at 0x0+0x100000",
    );
    vm.vcpus.length = 0;
    expect(() => vm.restore(realMachine('90').vm.snapshot())).toThrowError(
      "snapshot: vCPUs are 0, the machine's are ",
    );
  });

  it('brings back a snapshot from before the code was there', () => {
    const machine = realMachine('b0 01');
    const snapshot = machine.vm.snapshot();
    machine.vm.memory.write(CODE, bytesOf('b0 02'));
    exit(machine);
    expect(machine.vcpu.getRegs().eax & 0xff).toBe(2);
    machine.vm.restore(snapshot);
    exit(machine);
    expect(machine.vcpu.getRegs().eax & 0xff).toBe(1);
  });
});

describe('what a snapshot holds', () => {
  const { vm, vcpu } = realMachine('ec', { edx: 0x3f8 });
  vcpu.kvmRun();
  const owners: [string, object, FieldSpec][] = [
    ['Cpu', vcpu.cpu, CPU_FIELDS],
    ['Vcpu', vcpu, VCPU_FIELDS],
    ['Vm', vm, VM_FIELDS],
  ];

  it.each(owners)('every field of %s is state, or named as wiring in kvm/snapshot.ts', (_, owner, spec) => {
    const unknown = Object.entries(owner).filter(([key, value]) => fieldKind(key, value, spec) === 'unknown');
    expect(unknown.map(([key]) => key)).toEqual([]);
  });

  const RECORDS: [object, string][] = [
    ...VCPU_FIELDS.records.map((key): [object, string] => [vcpu, key]),
    ...CPU_FIELDS.records.map((key): [object, string] => [vcpu.cpu, key]),
  ];

  it('records are flat', () => {
    for (const [owner, key] of RECORDS) {
      const record = (owner as unknown as Record<string, object>)[key] ?? {};
      const nested = Object.entries(record).filter(
        ([name, value]) => typeof value === 'object' && !ArrayBuffer.isView(value) && name !== 'insn',
      );
      expect([key, nested.map(([name]) => name)]).toEqual([key, []]);
    }
  });

  it.each<[string, string[]]>([
    ['cpu/cpu.ts', ['a20Mask']],
    ['kvm/vcpu.ts', ['trace', 'userspace', 'userspaceMmio']],
    ['kvm/vm.ts', ['trace', 'hooks', 'isClosed']],
  ])('%s hides no state in private fields', (file, wiring) => {
    const text = readFileSync(new URL(`../../../src/${file}`, import.meta.url), 'utf8');
    const fields = [...text.matchAll(/^ {2}(?:readonly )?#(\w+)(?=[:;]| =)/gm)].map((m) => m[1]);
    expect(fields.filter((field) => !wiring.includes(field ?? ''))).toEqual([]);
  });
});
