/**
 * Runs the steps of a devices case on a VM's in-kernel devices and on the naive models, and compares after each step what a
 * guest, the processor or userspace can see: the byte that was read, INTR, the vector, and the registers of both chips.
 */
import { IO_NOTHING_STORED, type IoSize } from '../../bus/io-device.ts';
import { Kvm } from '../../kvm/kvm.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import type { Vm } from '../../kvm/vm.ts';
import { KVM_PIO_BUS, KVM_PIT_SPEAKER_DUMMY } from '../../uapi/kvm.ts';
import type { DeviceStep } from './device-case.ts';
import { byteOf, NaivePic } from './naive-pic.ts';
import { NaivePit } from './naive-pit.ts';

const NO_DIFFERENCES: readonly string[] = [];

/** The naive machine: the models wired as in a PC. */
class NaiveDevices {
  readonly pic = new NaivePic();
  readonly pit = new NaivePit();

  constructor() {
    this.pit.onTick = () => {
      this.pic.drive('pit', 0, true);
      this.pic.drive('pit', 0, false);
    };
    this.pic.onEnd = (pin) => {
      if (pin === 0) this.pit.ended();
    };
    this.pic.onMask = (pin, masked) => {
      if (pin === 0) this.pit.maskChanged(masked);
    };
  }

  /** @returns what a read or an acknowledge gives, null for nothing. */
  run(step: DeviceStep): number | null {
    switch (step.kind) {
      case 'irq':
        this.pic.drive('userspace', step.gsi, step.level === 1);
        return null;
      case 'inta':
        return this.pic.acknowledge();
      case 'in':
        return this.#read(step.port, step.size);
      case 'out':
        this.#write(step.port, step.size, step.value);
        return null;
      default:
        return null;
    }
  }

  /** KVM: the 8259A wants bytes, a wider read gives 0; the others answer any size with their byte. */
  #read(port: number, size: number): number | null {
    if (isPit(port)) return this.pit.read(port);
    return size === 1 ? this.pic.read(port) : fits(port, size) ? 0 : null;
  }

  #write(port: number, size: number, value: number): void {
    if (isPit(port)) this.pit.write(port, value % 256);
    else if (size === 1) this.pic.write(port, value % 256);
  }
}

function isPit(port: number): boolean {
  return port < 0x80 && port >= 0x40;
}

/** Whether an access stays within the ports of its device: 2 of an 8259A, 4 of the PIT and of port 0x61. */
function fits(port: number, size: number): boolean {
  if (port >= 0x40 && port < 0x44) return port + size <= 0x44;
  if (port === 0x61) return true;
  return (port % 2) + size <= 2;
}

/** See the opening comment. */
export class DeviceJudge {
  /** Steps run. */
  steps = 0;
  readonly #vm = createVm();
  readonly #start = this.#vm.snapshot();

  /** @returns the first difference with the step where it shows, or nothing. */
  judge(steps: readonly DeviceStep[]): readonly string[] {
    const vm = this.#vm;
    vm.restore(this.#start);
    const naive = new NaiveDevices();
    for (const [i, step] of steps.entries()) {
      this.steps++;
      if (step.kind === 'wait') {
        vm.clock.advance(step.ticks);
        vm.clock.runDueAlarms();
        naive.pit.advance(vm.clock.nowNs);
      }
      // An access that reaches beyond its device is not its: the bus has other tests.
      const isAccess = step.kind === 'in' || step.kind === 'out';
      if (isAccess && !fits(step.port, step.size)) continue;
      const expected = naive.run(step);
      const got = runStep(vm, step);
      const differences = compare(vm, naive.pic, expected, got);
      if (differences.length > 0) return differences.map((line) => `step ${i + 1}: ${line}`);
    }
    return NO_DIFFERENCES;
  }
}

function createVm(): Vm {
  const vm = new Kvm().createVm();
  orThrow(vm.createIrqchip(), 'KVM_CREATE_IRQCHIP');
  orThrow(vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY }), 'KVM_CREATE_PIT2');
  // KVM: what ICW1 acknowledges depends on a processor that takes interrupts from the 8259A.
  orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
  return vm;
}

function runStep(vm: Vm, step: DeviceStep): number | null {
  const bus = vm.buses[KVM_PIO_BUS];
  switch (step.kind) {
    case 'irq':
      vm.irqLine(step.gsi, step.level);
      return null;
    case 'inta':
      return vm.pic?.readIrq() ?? null;
    case 'in': {
      const value = bus.fn.kvmIoBusRead(bus, step.port, step.size as IoSize);
      return value === IO_NOTHING_STORED ? null : value;
    }
    case 'out':
      bus.fn.kvmIoBusWrite(bus, step.port, step.size as IoSize, step.value);
      return null;
    default:
      return null;
  }
}

function compare(vm: Vm, naive: NaivePic, expected: number | null, got: number | null): string[] {
  const differences: string[] = [];
  const check = (what: string, want: number | null, have: number | null): void => {
    if (want !== have) differences.push(`${what}: expected ${hex(want)}, got ${hex(have)}`);
  };
  const { pic } = vm;
  if (pic === null) return ['no 8259A'];
  check('value', expected, got);
  check('INTR', naive.output ? 1 : 0, pic.output);
  for (const [i, name] of (['master', 'slave'] as const).entries()) {
    const chip = naive[name];
    const state = pic.state.pics[i];
    check(`${name} irr`, byteOf(chip.requested), state.irr);
    check(`${name} isr`, byteOf(chip.inService), state.isr);
    check(`${name} imr`, byteOf(chip.masked), state.imr);
  }
  return differences;
}

function hex(value: number | null): string {
  return value === null ? 'nothing' : `0x${value.toString(16)}`;
}
