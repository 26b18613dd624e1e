/**
 * Port I/O without the exit: what `handle_io` and everything below it do, made in one step while the guest runs on.
 *
 * Only for a vCPU whose exits nobody observes ({@link exitsAreUnobserved}), and only for what a kernel's device or the
 * board's bus takes at once. Devices, clock, counters and registers end as the way through the exit leaves them; a test
 * compares the two (test/unit/kvm/userspace-equality.test.ts). What this does not take is made by the exit:
 *
 * | instruction | taken here | left to the exit |
 * |---|---|---|
 * | IN, OUT | any device of the PIO bus, then the board's bus | what would be KVM_EXIT_IO |
 * | REP OUTS | ports of the board, memory that is plain RAM | kernel devices, faults, MMIO |
 * | REP INS | ports of the board, upwards, into plain RAM | the same, and DF = 1 |
 */
import { KVM_IO_BUS_FUNCTIONS, kvmIoBusGetFirstDev, kvmIoBusRead, kvmIoBusWrite } from '../bus/io-bus.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import { isPlainRam, plainAddress } from '../cpu/access.ts';
import type { Cpu } from '../cpu/cpu.ts';
import {
  INLINE_DONE,
  INLINE_DONE_YIELD,
  INLINE_EXIT,
  INLINE_REPEAT,
  INLINE_REPEAT_YIELD,
  type InlinePortIo,
} from '../cpu/inline-port-io.ts';
import { PAGE_MASK, PAGE_SIZE } from '../cpu/memory.ts';
import { CX, DI, ECX, EDI, ESI, SI, X86_EFLAGS_DF, X86_EFLAGS_RF } from '../cpu/registers.ts';
import { type Insn, REP_NONE, SEG_ES } from '../decoder/insn.ts';
import { readAheadCount } from '../emulate/em-io.ts';
import type { UserspaceBus } from '../emulate/kvm-vcpu.ts';
import { userspacePio } from '../emulate/pio.ts';
import { type IoSize, KVM_PIO_BUS } from '../uapi/kvm.ts';
import { EXIT_REASON_IO_INSTRUCTION } from '../uapi/vmx.ts';
import { KVM_FUNCTIONS } from './functions.ts';
import { dmRequestForIrqInjection } from './inject.ts';
import { kvmCpuHasInterrupt } from './irq.ts';
import type { Vcpu } from './vcpu.ts';

/** Whether no trace, probe, debugger or embedder would see an exit for port I/O. */
export function exitsAreUnobserved(vcpu: Vcpu): boolean {
  return (
    vcpu.trace === null &&
    vcpu.observed === 0 &&
    vcpu.fn === KVM_FUNCTIONS &&
    vcpu.kvm.buses[KVM_PIO_BUS].fn === KVM_IO_BUS_FUNCTIONS &&
    vcpu.forceEmulation === 0 &&
    vcpu.guestDebug === 0 &&
    vcpu.cpu.emulatedHost === 0 &&
    vcpu.cpu.debug.armed === 0 &&
    !dmRequestForIrqInjection(vcpu)
  );
}

/** Port I/O of one vCPU. */
export class InlinePio implements InlinePortIo {
  readonly #vcpu: Vcpu;
  readonly #cpu: Cpu;

  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
    this.#cpu = vcpu.cpu;
  }

  output(port: number, size: number, value: number, remaining: number): number {
    const vcpu = this.#vcpu;
    const cpu = this.#cpu;
    vcpu.kvm.clock.ticks = cpu.ticksAtEntry + (cpu.startBudget - remaining);
    if (!kvmIoBusWrite(vcpu.kvm.buses[KVM_PIO_BUS], port, size as IoSize, value)) {
      if (vcpu.userspace === null) return INLINE_EXIT;
      vcpu.stat.userspace_io_exits++;
      vcpu.userspace.write(port, size as IoSize, value);
    }
    this.#countExits(1);
    return this.#mustYield() ? INLINE_DONE_YIELD : INLINE_DONE;
  }

  input(port: number, size: number, remaining: number): number {
    const vcpu = this.#vcpu;
    const cpu = this.#cpu;
    vcpu.kvm.clock.ticks = cpu.ticksAtEntry + (cpu.startBudget - remaining);
    let value = kvmIoBusRead(vcpu.kvm.buses[KVM_PIO_BUS], port, size as IoSize);
    if (value === IO_NOT_HANDLED) {
      if (vcpu.userspace === null) return INLINE_EXIT;
      vcpu.stat.userspace_io_exits++;
      value = vcpu.userspace.read(port, size as IoSize);
    }
    // KVM: `kvm_fast_pio_in` starts from RAX, or from 0 for four bytes; a device that stores nothing leaves that.
    if (size === 4) cpu.gpr[0] = value === IO_NOTHING_STORED ? 0 : value;
    else if (value === IO_NOTHING_STORED) value = 0;
    else if (size === 2) cpu.r16[0] = value;
    else cpu.r8[0] = value;
    this.#countExits(1);
    return this.#mustYield() ? INLINE_DONE_YIELD : INLINE_DONE;
  }

  string(insn: Insn, isIn: boolean, port: number, size: number, remaining: number): number {
    const vcpu = this.#vcpu;
    const { userspace } = vcpu;
    if (insn.rep === REP_NONE || userspace === null) return INLINE_EXIT;
    if (kvmIoBusGetFirstDev(vcpu.kvm.buses[KVM_PIO_BUS], port, size) >= 0) return INLINE_EXIT;
    const cpu = this.#cpu;
    const count = insn.addrMask === -1 ? cpu.gpr[ECX] >>> 0 : cpu.r16[CX];
    vcpu.kvm.clock.ticks = cpu.ticksAtEntry + (cpu.startBudget - remaining);
    if (count === 0) {
      this.#countEmulations(1);
      cpu.sysFlags &= ~X86_EFLAGS_RF;
      return INLINE_DONE;
    }
    const done = isIn
      ? this.#ins(userspace, insn, port, size as IoSize)
      : this.#outs(userspace, insn, port, size as IoSize, Math.min(count, remaining));
    if (done === 0) return INLINE_EXIT;
    cpu.sysFlags |= X86_EFLAGS_RF;
    cpu.inlineTicks = done;
    return this.#mustYield() ? INLINE_REPEAT_YIELD : INLINE_REPEAT;
  }

  /** One batch, as KVM asks userspace for it. @returns the number of elements, 0 to leave it to the exit. */
  #ins(userspace: UserspaceBus, insn: Insn, port: number, size: IoSize): number {
    const vcpu = this.#vcpu;
    const cpu = this.#cpu;
    if ((cpu.sysFlags & X86_EFLAGS_DF) !== 0) return 0;
    const count = readAheadCount(vcpu, insn, port, size);
    const bytes = count * size;
    const ea = cpu.gpr[EDI] & insn.addrMask;
    if (!isPlainRam(cpu, SEG_ES, ea, bytes, true)) return 0;
    const data = vcpu.ctxt.ioReadData;
    userspacePio(userspace, size, port, data, count, true);
    const { ram } = cpu.mem;
    for (let i = 0; i < bytes; i++) ram[plainAddress(cpu, SEG_ES, ea + i)] = data[i];
    vcpu.stat.userspace_io_exits++;
    this.#countEmulations(1);
    if (insn.addrMask === -1) {
      cpu.gpr[EDI] += bytes;
      cpu.gpr[ECX] -= count;
    } else {
      cpu.r16[DI] += bytes;
      cpu.r16[CX] -= count;
    }
    return count;
  }

  /** Elements one by one, each with its own time, until something is due. @returns how many. */
  #outs(userspace: UserspaceBus, insn: Insn, port: number, size: IoSize, most: number): number {
    const vcpu = this.#vcpu;
    const cpu = this.#cpu;
    const { clock } = vcpu.kvm;
    const start = clock.ticks;
    const by = (cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? -size : size;
    let done = 0;
    while (done < most) {
      const ea = cpu.gpr[ESI] & insn.addrMask;
      if (!isPlainRam(cpu, insn.seg, ea, size, false)) break;
      const at = plainAddress(cpu, insn.seg, ea);
      // The two pages of a crossing may lie anywhere.
      if ((at & PAGE_MASK) > PAGE_SIZE - size) break;
      const { ram } = cpu.mem;
      let value = ram[at];
      if (size !== 1) value |= ram[at + 1] << 8;
      if (size === 4) value = (value | (ram[at + 2] << 16) | (ram[at + 3] << 24)) >>> 0;
      clock.ticks = start + done;
      userspace.write(port, size, value);
      if (insn.addrMask === -1) {
        cpu.gpr[ESI] += by;
        cpu.gpr[ECX] -= 1;
      } else {
        cpu.r16[SI] += by;
        cpu.r16[CX] -= 1;
      }
      done++;
      if (this.#mustYield()) break;
    }
    vcpu.stat.userspace_io_exits += done;
    this.#countEmulations(done);
    return done;
  }

  #countExits(count: number): void {
    const { stat } = this.#vcpu;
    stat.exits += count;
    stat.byReason[EXIT_REASON_IO_INSTRUCTION] += count;
    stat.io_exits += count;
  }

  #countEmulations(count: number): void {
    this.#countExits(count);
    this.#vcpu.stat.insn_emulation += count;
  }

  /** Whether KVM_RUN has to look at something before the next instruction: an interrupt, an earlier alarm, a stop. */
  #mustYield(): boolean {
    const vcpu = this.#vcpu;
    const cpu = this.#cpu;
    return (
      cpu.attention !== 0 ||
      vcpu.kvm.clock.nextDeadlineTick < cpu.ticksAtEntry + cpu.startBudget ||
      kvmCpuHasInterrupt(vcpu) !== (cpu.interruptWindowExiting !== 0)
    );
  }
}
