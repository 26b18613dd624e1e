/**
 * A small guest that touches ports and memory-mapped registers one instruction at a time, and one that waits for
 * interrupts: how the KVM device vectors are executed. Everything is a real guest instruction, IN and OUT on the
 * forced-emulation path; what no in-kernel device takes is answered with all ones. DS reaches all 4 GiB in real mode
 * (“unreal mode”), set as KVM_SET_SREGS allows it.
 */
import { ACTIVITY_ACTIVE, type Cpu } from '../cpu/cpu.ts';
import type { JitOptions } from '../jit/engine.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { type IoSize, KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IO_IN, type KvmRegs } from '../uapi/kvm.ts';

const RAM_BYTES = 0x1_0000;
const CODE_START = 0x7c00;
const STACK_TOP = 0x7000;
/** Interrupt handlers, eight bytes a vector. */
const HANDLERS = 0x1000;
/** What a handler writes its vector to, and what the waiting loop writes to. */
const VECTOR_PORT = 0x81;
const WAIT_PORT = 0x82;
const WAITS = 16;
const TICK_BUDGET = 1_000;
/** A line that interrupts for ever ends here. */
const MAX_EXITS = 400;
const X86_EFLAGS_IF = 0x200;
const LIMIT_4G = 0xffff_ffff;

/** What one IN, OUT or MOV did. */
export interface DeviceAccess {
  /** 1 when no in-kernel device took it: KVM_EXIT_IO, or the access came to userspace's memory bus. */
  readonly exited: number;
  /** EAX afterwards, unsigned. */
  readonly eax: number;
  /** False when the guest did not reach the HLT behind the instruction. */
  readonly ended: boolean;
}

/** One VM with an in-kernel interrupt controller and a vCPU that runs one instruction at a time. */
export class DevGuest {
  readonly vm: Vm;
  readonly #vcpu: Vcpu;
  /** Accesses that reached userspace's memory bus. */
  #mmioExits = 0;

  /** @param jit when code is generated; false: never. */
  constructor(jit: JitOptions | false = false) {
    this.vm = orThrow(new Kvm().createVm({ jit }), 'KVM_CREATE_VM');
    this.vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: RAM_BYTES });
    this.vm.createIrqchip();
    this.#vcpu = orThrow(this.vm.createVcpu(0), 'KVM_CREATE_VCPU');
    this.#vcpu.forceEmulation = 1;
    const sregs = this.#vcpu.getSregs();
    sregs.cs.selector = 0;
    sregs.cs.base = 0;
    sregs.ds = { ...sregs.ds, selector: 0, base: 0, limit: LIMIT_4G, g: 1 };
    this.#vcpu.setSregs(sregs);
    this.#vcpu.userspaceMmio = {
      read: (_addr, size) => {
        this.#mmioExits++;
        return 2 ** (8 * size) - 1;
      },
      write: () => {
        this.#mmioExits++;
      },
    };
  }

  get cpu(): Cpu {
    return this.#vcpu.cpu;
  }

  /** `out dx, al/ax/eax`. */
  out(port: number, size: IoSize, value: number): DeviceAccess {
    return this.#access(size === 1 ? [0xee] : size === 2 ? [0xef] : [0x66, 0xef], port, value);
  }

  /** `in al/ax/eax, dx` with EAX = 0 before. */
  in(port: number, size: IoSize): DeviceAccess {
    return this.#access(size === 1 ? [0xec] : size === 2 ? [0xed] : [0x66, 0xed], port, 0);
  }

  /** `mov [ebx], al/ax/eax`. */
  mmioWrite(addr: number, size: IoSize, value: number): DeviceAccess {
    const code = size === 1 ? [0x67, 0x88, 0x03] : size === 2 ? [0x67, 0x89, 0x03] : [0x66, 0x67, 0x89, 0x03];
    return this.#mmio(code, addr, value);
  }

  /** `mov al/ax/eax, [ebx]` with EAX = 0 before. */
  mmioRead(addr: number, size: IoSize): DeviceAccess {
    const code = size === 1 ? [0x67, 0x8a, 0x03] : size === 2 ? [0x67, 0x8b, 0x03] : [0x66, 0x67, 0x8b, 0x03];
    return this.#mmio(code, addr, 0);
  }

  /** Runs `out 0x82, al` sixteen times with IF = 1. @returns the vectors of the interrupts taken, in order. */
  takeInterrupts(): number[] {
    const { memory } = this.vm;
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + vector * 8;
      memory.write(vector * 4, Uint8Array.of(handler & 0xff, handler >> 8, 0, 0));
      // mov al, vector; out 0x81, al; iret
      memory.write(handler, Uint8Array.of(0xb0, vector, 0xe6, VECTOR_PORT, 0xcf));
    }
    for (let i = 0; i < WAITS; i++) memory.write(CODE_START + 2 * i, Uint8Array.of(0xe6, WAIT_PORT));
    memory.write(CODE_START + 2 * WAITS, Uint8Array.of(0xf4));
    this.#start({ eflags: X86_EFLAGS_IF });
    const taken: number[] = [];
    const { run } = this.#vcpu;
    let waits = 0;
    for (let exits = 0; waits < WAITS && exits < MAX_EXITS; exits++) {
      if (this.#vcpu.kvmRun() !== 0 || run.exit_reason !== KVM_EXIT_IO) break;
      if (run.io.port === VECTOR_PORT) taken.push(run.pioData[0]);
      else waits++;
    }
    return taken;
  }

  #access(code: readonly number[], port: number, eax: number): DeviceAccess {
    this.vm.memory.write(CODE_START, Uint8Array.of(...code, 0xf4));
    this.#start({ edx: port, eax });
    const { run } = this.#vcpu;
    let exited = 0;
    let result = this.#vcpu.kvmRun();
    if (result === 0 && run.exit_reason === KVM_EXIT_IO) {
      exited = 1;
      if (run.io.direction === KVM_EXIT_IO_IN) run.pioData.fill(0xff, 0, run.io.size * run.io.count);
      result = this.#vcpu.kvmRun();
    }
    const ended = result === 0 && run.exit_reason === KVM_EXIT_HLT;
    return { exited, eax: this.#vcpu.getRegs().eax, ended };
  }

  #mmio(code: readonly number[], addr: number, eax: number): DeviceAccess {
    this.vm.memory.write(CODE_START, Uint8Array.of(...code, 0xf4));
    this.#start({ ebx: addr, eax });
    this.#mmioExits = 0;
    const ended = this.#vcpu.kvmRun() === 0 && this.#vcpu.run.exit_reason === KVM_EXIT_HLT;
    return { exited: this.#mmioExits, eax: this.#vcpu.getRegs().eax, ended };
  }

  #start(registers: Readonly<Partial<KvmRegs>>): void {
    // The HLT of the last access left the processor halted; an embedder would say KVM_SET_MP_STATE.
    this.#vcpu.cpu.activityState = ACTIVITY_ACTIVE;
    const { eflags = 0, ...others } = registers;
    const regs = { ...this.#vcpu.getRegs(), eax: 0, edx: 0, esp: STACK_TOP, eip: CODE_START };
    this.#vcpu.setRegs({ ...regs, ...others, eflags: eflags | 2 });
    this.#vcpu.tickLimit = this.vm.clock.ticks + TICK_BUDGET;
  }
}
