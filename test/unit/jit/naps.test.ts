/** Where generated code does not get far: its heads rest, and wake; port I/O that is an exit does not keep it from what is before. */
import { expect, it } from 'vitest';
import { kvmIoBusRegisterDev } from '../../../src/bus/io-bus.ts';
import { Jit, type JitOptions } from '../../../src/jit/engine.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { KVM_EXIT_IO, KVM_PIO_BUS } from '../../../src/uapi/kvm.ts';
import { CODE, realMachine } from '../kvm/real-machine.ts';

const PORT = 0x300;

/** Counts what the interpreter hands over. */
class CountingJit extends Jit {
  calls = 0;
  ticks = 0;

  override run(cpu: Parameters<Jit['run']>[0], left: number): number {
    const remaining = super.run(cpu, left);
    this.calls++;
    this.ticks += left - remaining;
    return remaining;
  }

  /** What has been counted since the last time. */
  take(): { calls: number; ticks: number } {
    const { calls, ticks } = this;
    this.calls = 0;
    this.ticks = 0;
    return { calls, ticks };
  }
}

function machine(
  code: string,
  options: JitOptions,
): { vm: Vm; vcpu: Vcpu; jit: CountingJit; rerun(): number } {
  const { vm, vcpu } = realMachine(code, { edx: PORT }, { devices: false });
  const jit = new CountingJit(options);
  vcpu.cpu.generator = jit;
  vcpu.tickLimit = 200_000_000;
  const begin = vcpu.getRegs();
  const rerun = (): number => {
    vcpu.setRegs(begin);
    let exits = 0;
    while (vcpu.kvmRun() === 0 && vcpu.run.exit_reason === KVM_EXIT_IO) exits++;
    return exits;
  };
  return { vm, vcpu, jit, rerun };
}

/** Takes every byte and is one of KVM's own for whoever asks. */
function kernelDevice(vm: Vm): void {
  const device = { name: 'test', ops: 'test_ops', read: () => 0, write: () => true };
  expect(kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], PORT, 1, device)).toBe(0);
}

// l: out dx, al; dec cx; jnz l
const OUT_LOOP = 'ee 49 75 fc';

it('a loop that is left at each of its accesses rests, tries again after each nap, and is entered when that is worth it', () => {
  const napTicks = 1 << 20;
  const { vm, jit, rerun } = machine(OUT_LOOP, { threshold: 1, napTicks });
  expect(rerun()).toBe(0x1_0000);
  const { calls } = jit.take();
  // 33 calls end in debt; naps are of 256 + 3 ticks a run.
  expect(calls).toBeGreaterThan(33 * 8);
  expect(calls).toBeLessThan(33 * 40);
  kernelDevice(vm);
  for (let i = 0; i < 20; i++) expect(rerun()).toBe(0);
  expect(jit.take().ticks).toBeGreaterThan(12 * 3 * 0x1_0000);
});

it('a loop whose debt may be infinite never rests', () => {
  const { jit, rerun } = machine(OUT_LOOP, { threshold: 1, maxDebt: Number.POSITIVE_INFINITY });
  rerun();
  expect(jit.take().calls).toBeGreaterThan(0xf000);
});

it('generated code goes as far as an access that is an exit, and beyond it while it is none', () => {
  // m: mov cx, 1000; l: inc ax; dec cx; jnz l; out dx, al; dec bx; jnz m
  const { vm, vcpu, jit, rerun } = machine('bb 40 00 b9 e8 03 40 49 75 fc ee 4b 75 f5', {
    threshold: 1,
    napTicks: 1000,
  });
  const ticks = 0x40 * 3005;
  kernelDevice(vm);
  const made: number[] = [];
  for (let phase = 0; phase < 20; phase++) {
    vcpu.observed = phase & 1;
    expect(rerun()).toBe(0);
    jit.take();
    expect(rerun()).toBe(0);
    expect(jit.take().ticks).toBeGreaterThan(ticks * 0.95);
    made.push(jit.functions);
  }
  // Once for either state.
  expect(made[1]).toBeGreaterThan(made[0]);
  expect(made.at(-1)).toBe(made[3]);
});

it.each([
  ['the access is the head', OUT_LOOP, 3],
  // l: inc ax; jmp m; ...; m: out dx, al; dec cx; jnz l
  ['what is before the access is too little for a function', '40 eb 05 90 90 90 90 90 ee 49 75 f4', 5],
  // What is before the loop is written to under the observer.
  ['its page has been written to', '90 eb 0d 90 90 90 90 90 90 90 90 90 90 90 90 90 ee 49 75 fc', 3],
])('a loop is generated again after any number of observers: %s', (name, code, length) => {
  const { vm, vcpu, jit, rerun } = machine(code, { threshold: 1, napTicks: 10_000 });
  kernelDevice(vm);
  const runs = (observed: number, times: number): void => {
    vcpu.observed = observed;
    for (let i = 0; i < times; i++) expect(rerun()).toBe(0);
  };
  for (let i = 0; i < 6; i++) {
    runs(1, 1);
    if (name.includes('written')) vm.memory.write(CODE, Uint8Array.of(0x90));
    runs(0, 2);
  }
  jit.take();
  runs(0, 1);
  expect(jit.take().ticks).toBeGreaterThan(0x1_0000 * length - 20_000);
});
