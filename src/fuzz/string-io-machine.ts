/**
 * The emulator's side of a fuzz case: one VM, reused for all cases, driven as an embedder drives KVM.
 */
import { kvmIoBusRegisterDev, kvmIoBusUnregisterDev } from '../bus/io-bus.ts';
import type { IoDevice } from '../bus/io-device.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_NAMES,
  KVM_PIO_BUS,
  type KvmRegs,
} from '../uapi/kvm.ts';
import type { PortWorld } from './port-world.ts';
import { Prng } from './prng.ts';
import { CASE_RAM_BYTES, CASE_REGISTERS, CASE_SEGMENTS, type StringIoCase } from './string-io-case.ts';

/** 32 handlers of one HLT each, four bytes apart; vector v goes to number v & 31. */
const HANDLERS = 0x600;
const HLT = 0xf4;
/** Seed of the RAM's contents: always the same, so that a reproducer need not carry it. */
const RAM_SEED = 0x70_696f;
/** A case of REP OUTS with CX = 0xffff needs 65,536 ticks an instruction. */
const TICK_BUDGET = 4_000_000;
const AR_DATA = 3;
const AR_CODE = 11;

/** How a case ended, and the registers then. */
export interface MachineEnd {
  /** `HLT`, or what came instead of it. */
  readonly end: string;
  readonly registers: KvmRegs;
  readonly codeSelector: number;
}

/** See the opening comment. */
export class StringIoMachine {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  #devices: IoDevice[] = [];

  constructor() {
    this.vm = new Kvm().createVm();
    this.vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: CASE_RAM_BYTES });
    this.vcpu = orThrow(this.vm.createVcpu(0), 'KVM_CREATE_VCPU');
    const { ram } = this.vm.memory;
    const random = new Prng(RAM_SEED, 0);
    for (let i = 0; i < ram.length; i++) ram[i] = random.next() >>> 24;
    for (let vector = 0; vector < 256; vector++) {
      ram.set([(vector & 31) * 4, HANDLERS >> 8, 0, 0], vector * 4);
    }
    for (let i = 0; i < 32; i++) ram[HANDLERS + i * 4] = HLT;
  }

  /** Registers, segments, ports as the case says. The code is already in RAM. */
  load(test: StringIoCase, ports: PortWorld): void {
    const { vcpu } = this;
    vcpu.resetVcpu();
    // A new vCPU's read-ahead buffer is all zero.
    vcpu.ctxt.ioReadData.fill(0);
    vcpu.forceEmulation = test.path === 'forced' ? 1 : 0;
    vcpu.userspace = test.userspace === 'bus' ? ports : null;
    const sregs = vcpu.getSregs();
    sregs.cr0 = 0x10;
    for (const name of CASE_SEGMENTS) {
      const { selector, limit } = test.segments[name];
      const type = name === 'cs' ? AR_CODE : AR_DATA;
      sregs[name] = {
        selector,
        base: selector * 16,
        limit,
        type,
        present: 1,
        dpl: 0,
        db: 0,
        s: 1,
        l: 0,
        g: limit > 0xf_ffff ? 1 : 0,
        avl: 0,
        unusable: 0,
      };
    }
    vcpu.setSregs(sregs);
    const regs = vcpu.getRegs();
    for (const name of CASE_REGISTERS) regs[name] = test.registers[name];
    vcpu.setRegs(regs);
    const bus = this.vm.buses[KVM_PIO_BUS];
    for (const device of this.#devices) kvmIoBusUnregisterDev(bus, device);
    const wired = ports.ioDevices();
    for (const { base, len, device } of wired) kvmIoBusRegisterDev(bus, base, len, device);
    this.#devices = wired.map(({ device }) => device);
  }

  /** Runs to the HLT; exits are answered by `ports`. */
  run(ports: PortWorld): MachineEnd {
    const { vcpu } = this;
    const { run } = vcpu;
    vcpu.tickLimit = this.vm.clock.ticks + TICK_BUDGET;
    let result = vcpu.kvmRun();
    while (result === 0 && run.exit_reason === KVM_EXIT_IO) {
      const { direction, port, size, count } = run.io;
      if (direction === KVM_EXIT_IO_IN) ports.userRead(port, size, count, run.pioData);
      else ports.userWrite(port, size, count, run.pioData);
      result = vcpu.kvmRun();
    }
    const isHalt = result === 0 && run.exit_reason === KVM_EXIT_HLT;
    const other =
      result === 0 ? (KVM_EXIT_NAMES[run.exit_reason] ?? String(run.exit_reason)) : `errno ${result}`;
    return {
      end: isHalt ? 'HLT' : other,
      registers: vcpu.getRegs(),
      codeSelector: vcpu.getSregs().cs.selector,
    };
  }
}
