/**
 * A small real-mode machine for tests: 1 MiB of RAM, code at 0000:7C00, stack at 0000:7000, every vector's handler a HLT
 * (vector v ends with EIP = 0x601 + 4·v).
 */
import type { KvmTracepoints, UserspaceBus } from '../../../src/emulate/kvm-vcpu.ts';
import { Kvm, type KvmOptions } from '../../../src/kvm/kvm.ts';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import type { Vm } from '../../../src/kvm/vm.ts';
import { KVM_PIT_SPEAKER_DUMMY, type KvmRegs } from '../../../src/uapi/kvm.ts';

export const CODE = 0x7c00;
export const STACK = 0x7000;
export const RAM = 0x10_0000;
const HANDLERS = 0x600;

export interface MachineOptions extends KvmOptions {
  /** Default: the irqchip and the PIT with its speaker port. */
  devices?: boolean;
  ips?: number;
}

export interface Machine {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/[0-9a-f]{2}/gi) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** `code` in hex, a HLT behind it. */
export function realMachine(
  code: string,
  regs: Partial<KvmRegs> = {},
  options: MachineOptions = {},
): Machine {
  const vm = orThrow(
    new Kvm(options).createVm(options.ips === undefined ? {} : { ips: options.ips }),
    'KVM_CREATE_VM',
  );
  vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: RAM });
  if (options.devices !== false) {
    vm.createIrqchip();
    vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY });
  }
  const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
  for (let vector = 0; vector < 256; vector++) {
    const at = HANDLERS + 4 * vector;
    vm.memory.write(4 * vector, Uint8Array.of(at & 0xff, at >> 8, 0, 0));
    vm.memory.write(at, Uint8Array.of(0xf4));
  }
  vm.memory.write(CODE, Uint8Array.of(...bytesOf(code), 0xf4));
  const sregs = vcpu.getSregs();
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  vcpu.setSregs(sregs);
  vcpu.setRegs({ ...vcpu.getRegs(), esp: STACK, eip: CODE, eflags: 2, edx: 0, ...regs });
  return { vm, vcpu };
}

/** Where EIP stands after the HLT of a vector's handler. */
export function handlerEnd(vector: number): number {
  return HANDLERS + 4 * vector + 1;
}

/** A board's bus that answers from `answers` (all ones when they run out) and logs `in|out port size value @tick`. */
export class LogBus implements UserspaceBus {
  readonly log: string[] = [];
  readonly answers: number[];
  readonly #vm: Vm;
  onAccess: (port: number) => void = () => {};

  constructor(vm: Vm, answers: number[] = []) {
    this.#vm = vm;
    this.answers = answers;
  }

  read(port: number, size: number): number {
    const mask = 2 ** (8 * size);
    const value = (this.answers.shift() ?? mask - 1) % mask;
    this.log.push(`in ${port.toString(16)} ${size} ${value.toString(16)} @${this.#vm.clock.ticks}`);
    this.onAccess(port);
    return value;
  }

  write(port: number, size: number, value: number): void {
    this.log.push(`out ${port.toString(16)} ${size} ${value.toString(16)} @${this.#vm.clock.ticks}`);
    this.onAccess(port);
  }
}

/** Tracepoints as short lines. */
export class TraceLog implements KvmTracepoints {
  readonly lines: string[] = [];
  kvm_pio(write: boolean, port: number, size: number, count: number, val: number): void {
    this.lines.push(
      `pio_${write ? 'write' : 'read'} ${port.toString(16)} ${size} ${count} ${val.toString(16)}`,
    );
  }
  kvm_exit(exitReason: number, rip: number, info1: number): void {
    this.lines.push(`exit ${exitReason} ${rip.toString(16)} ${info1.toString(16)}`);
  }
  kvm_entry(rip: number): void {
    this.lines.push(`entry ${rip.toString(16)}`);
  }
  kvm_userspace_exit(reason: number, errno: number): void {
    this.lines.push(`userspace ${reason} ${errno}`);
  }
  kvm_emulate_insn(csBase: number, rip: number, bytes: Uint8Array): void {
    this.lines.push(
      `emulate ${csBase.toString(16)}:${rip.toString(16)} ${Buffer.from(bytes).toString('hex')}`,
    );
  }
  kvm_inj_exception(vector: number): void {
    this.lines.push(`exception ${vector}`);
  }
  kvm_inj_virq(vector: number): void {
    this.lines.push(`virq ${vector.toString(16)}`);
  }
  kvm_set_irq(gsi: number, level: number, sourceId: number): void {
    this.lines.push(`set_irq ${gsi} ${level} ${sourceId}`);
  }
  kvm_pic_set_irq(chip: number, pin: number): void {
    this.lines.push(`pic_set_irq ${chip} ${pin}`);
  }
  kvm_ioapic_set_irq(low: number, _high: number, pin: number, coalesced: boolean): void {
    this.lines.push(`ioapic_set_irq ${pin} ${low.toString(16)}${coalesced ? ' coalesced' : ''}`);
  }
  kvm_ioapic_delayed_eoi_inj(low: number): void {
    this.lines.push(`ioapic_delayed_eoi_inj ${low.toString(16)}`);
  }
  kvm_ack_irq(irqchip: number, pin: number): void {
    this.lines.push(`ack_irq ${irqchip} ${pin}`);
  }
  kvm_apic(isWrite: boolean, reg: number, val: number): void {
    this.lines.push(`apic ${isWrite ? 'write' : 'read'} ${reg.toString(16)} ${val.toString(16)}`);
  }
  kvm_apic_ipi(icrLow: number, destId: number): void {
    this.lines.push(`apic_ipi ${icrLow.toString(16)} ${destId}`);
  }
  kvm_apic_accept_irq(apicid: number, deliveryMode: number, trigMode: number, vector: number): void {
    this.lines.push(`accept_irq ${apicid} ${deliveryMode.toString(16)} ${trigMode} ${vector.toString(16)}`);
  }
  kvm_eoi(apicid: number, vector: number): void {
    this.lines.push(`eoi ${apicid} ${vector.toString(16)}`);
  }
  kvm_msi_set_irq(address: number, data: number): void {
    this.lines.push(`msi ${address.toString(16)} ${data.toString(16)}`);
  }
}
