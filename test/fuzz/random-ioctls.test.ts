import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Eventfd } from '../../src/kvm/eventfd.ts';
import { Kvm } from '../../src/kvm/kvm.ts';
import { orThrow } from '../../src/kvm/or-throw.ts';
import type { Vcpu } from '../../src/kvm/vcpu.ts';
import type { Vm } from '../../src/kvm/vm.ts';
import { errnoName } from '../../src/uapi/errno.ts';

const NUM_RUNS = Number(process.env.PIO86_FUZZ_RUNS ?? 60);
const RAM_BYTES = 0x1_0000;

/** Values that no field expects: other types, edges, what is no number at all. */
const junk = fc.oneof(
  fc.constantFrom(
    undefined,
    null,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    -0.5,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 64,
    1n,
    -1n,
    1n << 70n,
    true,
    '',
    'x',
    Symbol.iterator,
  ),
  fc.constant([]),
  fc.constant({}),
  fc.integer(),
  fc.double(),
  fc.anything({ maxDepth: 2 }),
);

/** `value` as it is, or one of its parts replaced by junk or left out. */
function spoiled(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) {
    return fc.oneof({ weight: 3, arbitrary: fc.constant(value) }, { weight: 1, arbitrary: junk });
  }
  const keys = Object.keys(value);
  const oneChanged =
    keys.length === 0
      ? junk
      : fc
          .constantFrom(...keys)
          .chain((key) =>
            fc
              .oneof(spoiled((value as Record<string, unknown>)[key]), junk)
              .map((part) =>
                Array.isArray(value)
                  ? value.map((old, i) => (String(i) === key ? part : old))
                  : { ...value, [key]: part },
              ),
          );
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant(value) },
    { weight: 3, arbitrary: oneChanged },
    { weight: 1, arbitrary: junk },
  );
}

interface Call {
  readonly on: 'kvm' | 'vm' | 'vcpu';
  readonly name: string;
  readonly args: readonly unknown[];
}

/** A call whose arguments start from good ones. */
function call(on: Call['on'], name: string, ...good: fc.Arbitrary<unknown>[]): fc.Arbitrary<Call> {
  const args = good.map((arbitrary) => arbitrary.chain(spoiled));
  return fc.tuple(...args).map((values) => ({ on, name, args: values }));
}

const byte = fc.integer({ min: 0, max: 255 });
const u32 = fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0xffff_ffff }));
const slot = fc.integer({ min: 0, max: 4 });
const page = fc.integer({ min: 0, max: 12 }).map((n) => n * 4096);
const machine = new Kvm().createVm();
machine.createIrqchip();
machine.createPit2({ flags: 1 });
const sample = orThrow(machine.createVcpu(0), 'KVM_CREATE_VCPU');
const pic = orThrow(machine.getIrqchip(0), 'KVM_GET_IRQCHIP');
const ioapic = orThrow(machine.getIrqchip(2), 'KVM_GET_IRQCHIP');
const pit = orThrow(machine.getPit2(), 'KVM_GET_PIT2');

const FD = new Eventfd();

const region = fc.record({
  slot,
  flags: fc.constantFrom(0, 0, 2),
  guest_phys_addr: page.map((gpa) => gpa + RAM_BYTES),
  memory_size: fc.constantFrom(0, 4096, 8192),
});
const randomSregs = fc
  .record({
    cr0: fc.constantFrom(0x10, 0x11, 0x6000_0010, 0x8000_0011, 0x2000_0000),
    cr4: u32,
    cr2: u32,
    base: u32,
  })
  .map(({ base, ...control }) => ({ ...sample.getSregs(), ...control, gdt: { base, limit: 0xff } }));
const randomRegs = fc
  .record({ eax: u32, ecx: u32, edi: u32, esp: u32, eflags: u32, eip: fc.integer({ min: 0, max: 0x100 }) })
  .map((regs) => ({ ...sample.getRegs(), ...regs }));
const randomEvents = fc
  .record({
    injected: fc.constantFrom(0, 1),
    nr: byte,
    pending: fc.constantFrom(0, 1),
    irq: byte,
    masked: fc.constantFrom(0, 1),
    flags: fc.constantFrom(0, 1, 4, 5, 0xd),
  })
  .map(({ injected, nr, pending, irq, masked, flags }) => ({
    ...sample.getVcpuEvents(),
    flags,
    exception: { injected, nr: nr % 34, has_error_code: 0, pending: 0, error_code: 0 },
    interrupt: { injected: pending, nr: irq, soft: 0, shadow: irq & 3 },
    nmi: { injected: masked, pending, masked },
  }));

const anyCall: fc.Arbitrary<Call> = fc.oneof(
  call('kvm', 'checkExtension', u32),
  call('kvm', 'allocateMemory', fc.constantFrom(0, 4096, 100)),
  { weight: 4, arbitrary: call('vm', 'setUserMemoryRegion', region) },
  call('vm', 'createIrqchip'),
  call('vm', 'createPit2', fc.constantFrom({ flags: 1 }, { flags: 0 })),
  call('vm', 'createVcpu', fc.constantFrom(0, 1, 5000)),
  call('vm', 'irqLine', fc.integer({ min: 0, max: 30 }), fc.constantFrom(0, 1)),
  call('vm', 'getIrqchip', fc.integer({ min: 0, max: 4 })),
  call('vm', 'setIrqchip', fc.integer({ min: 0, max: 2 }), fc.constantFrom<unknown>(pic, ioapic)),
  call('vm', 'getPit2'),
  call('vm', 'reinjectControl', fc.constant({ pit_reinject: 1 })),
  call('vm', 'setGsiRouting', fc.constant([{ gsi: 3, irqchip: 2, pin: 3 }])),
  call(
    'vm',
    'ioeventfd',
    fc.integer({ min: 0, max: 7 }).map((flags) => ({ datamatch: 5, addr: 0x80, len: 1, fd: FD, flags })),
  ),
  call(
    'vm',
    'irqfd',
    fc.integer({ min: 0, max: 3 }).map((flags) => ({ fd: FD, gsi: 5, flags, resamplefd: FD })),
  ),
  call('vm', 'registerCoalescedMmio', fc.constant({ addr: 0x80, size: 4, pio: 1 })),
  call('vm', 'unregisterCoalescedMmio', fc.constant({ addr: 0x80, size: 4, pio: 1 })),
  call('kvm', 'eventfd', u32),
  { weight: 3, arbitrary: call('vm', 'setPit2', fc.constant(pit)) },
  call('vm', 'checkExtension', u32),
  call(
    'vm',
    'enableCap',
    fc.constantFrom<unknown>({ cap: 213, args: [8] }, { cap: 116, args: [1n] }, { cap: 164, args: [1] }),
  ),
  call('vcpu', 'setRegs', randomRegs),
  { weight: 2, arbitrary: call('vcpu', 'setSregs', randomSregs) },
  { weight: 2, arbitrary: call('vcpu', 'setVcpuEvents', randomEvents) },
  call(
    'vcpu',
    'interrupt',
    byte.map((irq) => ({ irq })),
  ),
  call('vcpu', 'nmi'),
  call(
    'vcpu',
    'setMpState',
    fc.integer({ min: 0, max: 5 }).map((mp_state) => ({ mp_state })),
  ),
  call('vcpu', 'setDebugregs', fc.constant({ db: [1, 2, 3, 4], dr6: 0xffff_0ff0, dr7: 0x400, flags: 0 })),
  call('vcpu', 'setMsrs', fc.constant([{ index: 0x10, data: 5n }])),
  call('vcpu', 'getMsrs', fc.constant([0x10, 0x11])),
  call(
    'vcpu',
    'setCpuid2',
    fc.constant([{ function: 0, index: 0, flags: 0, eax: 1, ebx: 2, ecx: 3, edx: 4 }]),
  ),
  { weight: 4, arbitrary: call('vcpu', 'kvmRun') },
);

/** Everything that userspace can see. */
function stateOf(vm: Vm, vcpu: Vcpu | undefined): unknown {
  return structuredClone({
    slots: vm.memory.slots.map((s) => ({
      slot: s.slot,
      gpa: s.gpa,
      size: s.mem.length,
      readOnly: s.readOnly,
    })),
    buses: vm.buses.map((bus) => [
      [...bus.range.addr],
      [...bus.range.len],
      bus.range.dev.map((device) => device.name),
    ]),
    chips: [vm.getIrqchip(0), vm.getIrqchip(1), vm.getIrqchip(2), vm.getPit2()],
    routes: vm.routing?.getRouting(),
    events: [vm.events.ioeventfds.length, vm.events.irqfds.length, vm.events.coalescedZones.length],
    quirks: [vm.disabledQuirks, vm.exceptionPayloadEnabled],
    vcpu: vcpu && [
      vcpu.getRegs(),
      vcpu.getSregs(),
      vcpu.getMpState(),
      vcpu.getDebugregs(),
      vcpu.getVcpuEvents(),
      vcpu.cpuidEntries,
    ],
  });
}

function checkInvariants(vm: Vm): void {
  const slots = [...vm.memory.slots].sort((a, b) => a.gpa - b.gpa);
  slots.forEach((s, i) => {
    const next = slots[i + 1];
    if (next !== undefined) expect(s.gpa + s.mem.length).toBeLessThanOrEqual(next.gpa);
  });
  for (const bus of vm.buses) {
    expect([bus.range.addr.length, bus.range.len.length, bus.range.dev.length]).toEqual([
      bus.dev_count,
      bus.dev_count,
      bus.dev_count,
    ]);
    // Ranges that overlap may stand in any order, as in KVM; of two others the lower one comes first.
    for (let i = 0; i < bus.dev_count; i++) {
      for (let j = i + 1; j < bus.dev_count; j++) {
        const isBelow = bus.range.len[j] > 0 && bus.range.addr[j] + bus.range.len[j] <= bus.range.addr[i];
        expect(isBelow && bus.range.len[i] > 0).toBe(false);
      }
    }
  }
  expect(vm.vcpus.length).toBeLessThanOrEqual(1);
}

/** Makes the call. @returns what it answered. */
function perform(kvm: Kvm, vm: Vm, vcpu: Vcpu | undefined, { on, name, args }: Call): unknown {
  const target = on === 'kvm' ? kvm : on === 'vm' ? vm : vcpu;
  if (target === undefined) return 0;
  const method = (target as unknown as Record<string, (...args: readonly unknown[]) => unknown>)[name];
  return method?.apply(target, [...args]);
}

/** in al,0x60; out 0x80,al; rep insb; mov ax,[0xfff0]; mov [0xfff2],ax; hlt; jmp back. */
const GUEST = Uint8Array.of(
  0xe4,
  0x60,
  0xe6,
  0x80,
  0xf3,
  0x6c,
  0xa1,
  0xf0,
  0xff,
  0xa3,
  0xf2,
  0xff,
  0xf4,
  0xeb,
  0xf1,
);

/** Most machines have a vCPU from the start, half of them an irqchip. */
const beginning = fc.constantFrom<readonly Call[]>(
  [],
  [{ on: 'vm', name: 'createVcpu', args: [0] }],
  [
    { on: 'vm', name: 'createIrqchip', args: [] },
    { on: 'vm', name: 'createPit2', args: [{ flags: 1 }] },
    { on: 'vm', name: 'createVcpu', args: [0] },
  ],
);

function freshVm(kvm: Kvm): Vm {
  const vm = kvm.createVm();
  vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: RAM_BYTES });
  vm.memory.write(0, GUEST);
  return vm;
}

describe('random sequences of ioctls', () => {
  it('never throw, answer with a known errno, change nothing where they fail, and keep the machine sound', () => {
    const results = new Map<string, number>();
    fc.assert(
      fc.property(beginning, fc.array(anyCall, { minLength: 8, maxLength: 40 }), (first, then) => {
        const kvm = new Kvm();
        const vm = freshVm(kvm);
        for (const one of [...first, ...then]) {
          const vcpu = vm.vcpus[0];
          if (vcpu !== undefined) vcpu.tickLimit = vm.clock.ticks + 200;
          const before = stateOf(vm, vcpu);
          const r = perform(kvm, vm, vcpu, one);
          if (typeof r === 'number') {
            expect(Number.isInteger(r)).toBe(true);
            // −1 is what KVM_IRQ_LINE_STATUS reports for a masked line.
            if (r < 0 && one.name !== 'irqLine') expect(errnoName(r)).toMatch(/^E[A-Z0-9]+$/);
            if (r < 0 && one.name !== 'kvmRun' && one.name !== 'irqLine')
              expect(stateOf(vm, vcpu)).toEqual(before);
          } else {
            expect(typeof r).toBe('object');
          }
          const key = `${one.name} ${typeof r === 'number' && r < 0 ? errnoName(r) : 'ok'}`;
          results.set(key, (results.get(key) ?? 0) + 1);
          checkInvariants(vm);
        }
      }),
      { numRuns: NUM_RUNS },
    );
    // The generator reaches both sides of every setter.
    for (const name of [
      'setUserMemoryRegion',
      'setVcpuEvents',
      'setSregs',
      'setRegs',
      'createVcpu',
      'setPit2',
    ]) {
      expect(results.get(`${name} ok`) ?? 0).toBeGreaterThan(0);
      expect([...results.keys()].filter((key) => key.startsWith(`${name} E`))).not.toEqual([]);
    }
  });

  it('read registers back as they were set', () => {
    fc.assert(
      fc.property(randomRegs, randomEvents, (regs, events) => {
        const vm = freshVm(new Kvm());
        const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
        expect(vcpu.setRegs(regs)).toBe(0);
        const { eflags, ...others } = regs;
        expect(vcpu.getRegs()).toMatchObject(others);
        expect(vcpu.getRegs().eflags).toBe((eflags & 0x3f_7fd5) | 2);
        if (vcpu.setVcpuEvents(events) !== 0) return;
        const back = vcpu.getVcpuEvents();
        expect(back.interrupt).toMatchObject({ injected: events.interrupt.injected });
        expect(back.nmi).toMatchObject({ injected: events.nmi.injected, masked: events.nmi.masked });
      }),
      { numRuns: NUM_RUNS },
    );
  });
});
