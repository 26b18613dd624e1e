/**
 * A string-io case on a host's KVM: the third side next to the reference model and pio86. It runs what both agree about and says
 * whether the kernel agrees too: exits with their data in order, registers, flags, selectors and bases, all memory.
 *
 * One machine serves all cases. Registers travel in `kvm_run` and memory is shared, so that KVM_RUN is the only system call.
 */

import { X86_EFLAGS_RF, X86_EFLAGS_VM } from '../../cpu/registers.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import { EINTR, errnoName } from '../../uapi/errno.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_NAMES,
  type KvmSregs,
} from '../../uapi/kvm.ts';
import type { AccessLog } from '../access-log.ts';
import { MACHINE_RAM_BYTES } from '../case-layout.ts';
import { endOfCode } from '../case-memory.ts';
import { setCaseSregs } from '../case-sregs.ts';
import { PortWorld } from '../port-world.ts';
import type { ReferenceState } from '../reference-state.ts';
import {
  CASE_REGISTERS,
  CASE_SEGMENTS,
  type CaseDevice,
  isProtected,
  type StringIoCase,
} from '../string-io-case.ts';
import type { UndoRam } from '../undo-ram.ts';
import type { OracleHost, OracleMachine } from './oracle-host.ts';

/** Exits above those that the model has seen, before the guest is given up. */
const SPARE_EXITS = 16;
/** Signals that a case may take without an exit. */
const MAX_INTERRUPTIONS = 100;
/** KVM_RUNs that finish one access. */
const MAX_COMPLETIONS = 200;
const MAX_DIFFERENCES = 8;
const NO_DEVICES: readonly CaseDevice[] = [];
const NO_DIFFERENCES: readonly string[] = [];

/** What the model had at the end of a case. */
export interface AgreedEnd {
  readonly state: ReferenceState;
  readonly log: AccessLog;
  readonly ram: UndoRam;
  /** Exceptions taken. */
  readonly faults: number;
}

/** See the opening comment. */
export class StringIoWitness {
  /** Cases that ran on the host and were compared. */
  compared = 0;
  /** Cases of which one register was left out by the rule at `#isHostsEsp`. */
  excluded = 0;
  /** Cases that the host could not run, by reason. */
  readonly skipped = new Map<string, number>();
  readonly #host: OracleHost;
  readonly #ram: Uint8Array;
  readonly #ramBuffer: Buffer;
  readonly #machine: OracleMachine;
  readonly #powerOn: KvmSregs;
  readonly #ports = new PortWorld();
  /** Exit that ended the run under way. */
  #end = '';
  #isClean = true;
  /** Of the latest family: one object for all its cases. */
  #givenSegments: StringIoCase['segments'] | null = null;
  #flatSegments: StringIoCase['segments'] | null = null;
  #mayDiffer = false;

  /** @throws EmulatorError `E_IOCTL` when the host refuses the machine. */
  constructor(host: OracleHost) {
    this.#host = host;
    this.#ram = host.allocate(MACHINE_RAM_BYTES);
    this.#ramBuffer = Buffer.from(this.#ram.buffer, this.#ram.byteOffset, this.#ram.length);
    const region = {
      slot: 0,
      flags: 0,
      guest_phys_addr: 0,
      memory_size: MACHINE_RAM_BYTES,
      mem: this.#ram,
    };
    this.#machine = host.createMachine(
      (vm) => void orThrow(vm.setUserMemoryRegion(region), 'KVM_SET_USER_MEMORY_REGION'),
    );
    this.#powerOn = orThrow(this.#machine.vcpu.getSregs(), 'KVM_GET_SREGS');
  }

  /**
   * The case as a host can run it: ports without devices of ours in the kernel, userspace that drives KVM_RUN itself, the
   * host's path. Cases of a family stay one.
   */
  adapt(test: StringIoCase): StringIoCase {
    const path = this.#host.emulatesIo ? 'forced' : 'fast';
    const userspace = test.userspace === 'bus' ? 'exit' : test.userspace;
    return { ...test, path, userspace, devices: NO_DEVICES, segments: this.#segmentsOf(test) };
  }

  /**
   * A host that emulates everything delivers exceptions in software of its own: in protected mode at level 0 it pushes as if
   * the base of SS were 0. There it is 0.
   */
  #segmentsOf({ segments, mode, cpl }: StringIoCase): StringIoCase['segments'] {
    if (!this.#host.emulatesIo || !isProtected(mode) || cpl !== 0) return segments;
    if (this.#flatSegments === null || segments !== this.#givenSegments) {
      this.#givenSegments = segments;
      this.#flatSegments = { ...segments, ss: { ...segments.ss, selector: 0 } };
    }
    return this.#flatSegments;
  }

  /** Another family: `ram` is what all its cases start from. */
  setUp(ram: Uint8Array): void {
    this.#ram.set(ram);
    this.#machine.codeWritten(0, ram.length);
  }

  /** Runs a case that the model and pio86 agree about. @returns what the kernel has otherwise. */
  judge(test: StringIoCase, agreed: AgreedEnd): readonly string[] {
    if (this.#host.cannotRun.includes(test.mode)) return this.#skip(`mode ${test.mode}`);
    if (test.paging !== null && this.#host.cannotRun.includes('paging')) return this.#skip('paging');
    this.#ports.begin(test);
    this.#load(test);
    this.#mayDiffer = true;
    this.#end = this.#run(test, agreed.log.entries().length + SPARE_EXITS);
    this.#isClean = this.#end === 'HLT';
    if (!this.#isClean) this.#completePending();
    if (this.#end.startsWith('KVM_EXIT_INTERNAL_ERROR')) return this.#skip(this.#end);
    this.compared++;
    const differences = this.#differences(test, agreed);
    this.#mayDiffer = differences.length > 0;
    return differences;
  }

  /** Puts memory back. @param ram the model's, which has been put back; `count` stores had been made to it. */
  restore(ram: UndoRam, count: number): void {
    if (this.#mayDiffer) this.#ram.set(ram.bytes);
    else for (let i = 0; i < count; i++) this.#ram[ram.address(i)] = ram.bytes[ram.address(i)];
    this.#mayDiffer = false;
  }

  #skip(reason: string): readonly string[] {
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1);
    return NO_DIFFERENCES;
  }

  #load(test: StringIoCase): void {
    const { registers } = this.#machine;
    if (!this.#isClean) this.#machine.resetVcpu();
    const sregs = { ...this.#powerOn };
    setCaseSregs(sregs, test);
    registers.setSregs(sregs);
    const { eflags } = test.registers;
    registers.setRegs({
      ...test.registers,
      eflags: test.mode === 'v86' ? eflags | X86_EFLAGS_VM : eflags,
    });
  }

  #run(test: StringIoCase, maxExits: number): string {
    const { vcpu } = this.#machine;
    const { run } = vcpu;
    let moves = test.userspace === 'move';
    let interruptions = 0;
    for (let exits = 0; exits < maxExits; ) {
      const result = vcpu.kvmRun();
      if (result === -EINTR) {
        if (++interruptions > MAX_INTERRUPTIONS) return 'hung';
        continue;
      }
      if (result < 0) return `errno ${errnoName(result)}`;
      if (run.exit_reason === KVM_EXIT_HLT) return 'HLT';
      if (run.exit_reason !== KVM_EXIT_IO) return endText(run.exit_reason, run.internal.suberror);
      exits++;
      const { direction, port, size, count } = run.io;
      const data = run.pioData;
      if (direction === KVM_EXIT_IO_IN) this.#ports.userRead(port, size, count, data);
      else this.#ports.userWrite(port, size, count, data);
      if (moves) this.#moveRip(test);
      moves = false;
    }
    return 'more exits';
  }

  #moveRip(test: StringIoCase): void {
    const { registers } = this.#machine;
    const regs = registers.getRegs();
    regs.eip = endOfCode(test);
    regs.eflags &= ~X86_EFLAGS_RF;
    registers.setRegs(regs);
  }

  /**
   * A host that emulates everything delivers exceptions in software of its own. In real mode it cuts ESP to 16 bits there; KVM's
   * emulate_int_real and processors leave the upper half.
   */
  #isHostsEsp(test: StringIoCase, { state, faults }: AgreedEnd, esp: number): boolean {
    if (!this.#host.emulatesIo || test.mode !== 'real' || faults === 0) return false;
    if (esp === state.esp || esp !== (state.esp & 0xffff)) return false;
    this.excluded++;
    return true;
  }

  /** Finishes an access that is under way, without running on. */
  #completePending(): void {
    const { vcpu } = this.#machine;
    vcpu.run.immediate_exit = 1;
    for (let i = 0; i < MAX_COMPLETIONS && vcpu.kvmRun() === 0; i++);
    vcpu.run.immediate_exit = 0;
  }

  #differences(test: StringIoCase, agreed: AgreedEnd): readonly string[] {
    const { state, log, ram } = agreed;
    const found: string[] = [];
    const check = (what: string, host: string, own: string): void => {
      if (host !== own && found.length < MAX_DIFFERENCES) found.push(`${what}: host ${host}, pio86 ${own}`);
    };
    check('end', this.#end, 'HLT');
    if (!this.#ports.log.equals(log)) {
      const host = this.#ports.log.lines();
      const own = log.lines();
      for (let i = 0; i < Math.max(host.length, own.length); i++)
        check(`access ${i}`, host[i] ?? 'none', own[i] ?? 'none');
    }
    const regs = this.#machine.registers.getRegs();
    const sregs = this.#machine.registers.getSregs();
    for (const name of CASE_REGISTERS) {
      if (name === 'esp' && this.#isHostsEsp(test, agreed, regs.esp)) continue;
      if (regs[name] !== state[name]) check(name, hex(regs[name]), hex(state[name]));
    }
    if (sregs.cr2 !== state.cr2) check('cr2', hex(sregs.cr2), hex(state.cr2));
    for (const name of CASE_SEGMENTS) {
      const [host, own] = [sregs[name], state[name]];
      if (host.selector !== own.selector) check(name, hex(host.selector), hex(own.selector));
      else if (own.access !== 'null' && host.base !== own.base)
        check(`${name} base`, hex(host.base), hex(own.base));
    }
    if (this.#ramBuffer.compare(ram.bytes) !== 0) {
      const at = this.#ram.findIndex((byte, i) => byte !== ram.bytes[i]);
      check(`memory ${hex(at)}`, hex(this.#ram[at]), hex(ram.bytes[at]));
    }
    return found;
  }
}

function endText(reason: number, suberror: number): string {
  const name = KVM_EXIT_NAMES[reason] ?? `exit ${reason}`;
  return reason === KVM_EXIT_INTERNAL_ERROR ? `${name}, suberror ${suberror}` : name;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
