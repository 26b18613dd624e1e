/** Where generated code does not get far: its heads rest, and wake; port I/O that is an exit does not keep it from what is before. */
import { expect, it } from 'vitest';
import { kvmIoBusRegisterDev } from '../../../src/bus/io-bus.ts';
import { Jit, type JitOptions } from '../../../src/jit/engine.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { KVM_EXIT_IO, KVM_PIO_BUS } from '../../../src/uapi/kvm.ts';
import { realMachine } from '../kvm/real-machine.ts';

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

it('it does not rest where that is not asked for', () => {
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
  const rates: number[] = [];
  for (let phase = 0; phase < 60; phase++) {
    vcpu.observed = phase & 1;
    expect(rerun()).toBe(0);
    jit.take();
    expect(rerun()).toBe(0);
    rates.push(jit.take().ticks / ticks);
    made.push(jit.functions);
  }
  for (const rate of rates) expect(rate).toBeGreaterThan(0.95);
  // Made anew each time it helps, but not for ever.
  expect(made[1]).toBeGreaterThan(made[0]);
  expect(made[2]).toBeGreaterThan(made[1]);
  expect(made.at(-1)).toBe(made.at(-20));
});
