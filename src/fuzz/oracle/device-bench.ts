/**
 * A machine with KVM's in-kernel 8259A pair and 8254 that runs the steps of devices cases as a guest: the host's or pio86's, by the
 * same calls.
 *
 * The 8254 counts the host's nanoseconds, so its interrupt leads nowhere: GSI 0 has no route, and userspace drives pin 0 of the
 * 8259A by another GSI. All states are put back before each case.
 */
import { X86_EFLAGS_IF } from '../../cpu/registers.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import { EINTR, errnoName } from '../../uapi/errno.ts';
import {
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_NAMES,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  KVM_PIT_SPEAKER_DUMMY,
  type KvmIoapicState,
  type KvmIrqRoutingEntry,
  type KvmPicState,
  type KvmPitState2,
  type KvmSregs,
} from '../../uapi/kvm.ts';
import type { DeviceStep } from '../devices/device-case.ts';
import {
  END_PORT,
  GUEST_CODE,
  GUEST_RAM,
  GUEST_STACK,
  INTA_PORT,
  IRQ_PORT,
  slotOf,
  writeHandlers,
  writeProgram,
} from './device-program.ts';
import type { OracleHost, OracleMachine } from './oracle-host.ts';

/** The GSI that drives pin 0 of the 8259A in place of the timer's. */
const PIN_0_GSI = 23;
const PIC_PINS = 8;
/** Slave first: a request that it still has would be latched in the master again. */
const CHIPS = [KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_PIC_MASTER] as const;
/** Userspace's answer where no device is. */
const OPEN_BUS = 0x5a;
const MAX_INTERRUPTIONS = 100;
const MAX_EXITS = 256;

type ChipState = KvmPicState | KvmIoapicState;

/** What the steps left. */
export interface DeviceBenchEnd {
  /** `done`, or what came instead of it. */
  readonly end: string;
  readonly isInternalError: boolean;
  /** By step: what was read, or 0x100 + vector. */
  readonly values: readonly number[];
  /** What KVM_IRQ_LINE_STATUS answered, in order. */
  readonly lineStatuses: readonly number[];
  /** Accesses that no device in the kernel took, in order. */
  readonly exits: readonly string[];
  /** Slave, master. */
  readonly chips: readonly ChipState[];
  readonly pit: KvmPitState2;
}

/** See the opening comment. */
export class DeviceBench {
  readonly #ram: Uint8Array;
  readonly #machine: OracleMachine;
  readonly #sregs: KvmSregs;
  readonly #chips: readonly (readonly [number, ChipState])[];
  readonly #pit: KvmPitState2;
  readonly #raised = new Set<number>();
  #isClean = false;

  /** @throws EmulatorError `E_IOCTL` when the host refuses the machine. */
  constructor(host: OracleHost) {
    const ram = host.allocate(GUEST_RAM);
    this.#ram = ram;
    writeHandlers(ram);
    this.#machine = host.createMachine((vm) => {
      const region = { slot: 0, flags: 0, guest_phys_addr: 0, memory_size: GUEST_RAM, mem: ram };
      orThrow(vm.setUserMemoryRegion(region), 'KVM_SET_USER_MEMORY_REGION');
      orThrow(vm.createIrqchip(), 'KVM_CREATE_IRQCHIP');
      orThrow(vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY }), 'KVM_CREATE_PIT2');
      orThrow(vm.setGsiRouting(routes()), 'KVM_SET_GSI_ROUTING');
    });
    const { vm, vcpu } = this.#machine;
    this.#sregs = realModeSregs(orThrow(vcpu.getSregs(), 'KVM_GET_SREGS'));
    this.#chips = CHIPS.map((chip) => [chip, orThrow(vm.getIrqchip(chip), 'KVM_GET_IRQCHIP')]);
    this.#pit = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
  }

  /** Runs the steps; `wait` is none. */
  run(steps: readonly DeviceStep[]): DeviceBenchEnd {
    const { vm } = this.#machine;
    this.#reset(steps);
    const lines = steps.filter((step) => step.kind === 'irq');
    const lineStatuses: number[] = [];
    const exits: string[] = [];
    const onIrq = (): void => {
      const step = lines[lineStatuses.length];
      if (step === undefined) return;
      const gsi = step.gsi === 0 ? PIN_0_GSI : step.gsi;
      if (step.level === 1) this.#raised.add(gsi);
      else this.#raised.delete(gsi);
      lineStatuses.push(vm.irqLine(gsi, step.level));
    };
    const end = this.#run(onIrq, exits);
    this.#isClean = end === 'done';
    const { exit_reason } = this.#machine.vcpu.run;
    return {
      end,
      isInternalError: !this.#isClean && exit_reason === KVM_EXIT_INTERNAL_ERROR,
      values: steps.map((_, i) => slotOf(this.#ram, i)),
      lineStatuses,
      exits,
      chips: CHIPS.map((chip) => orThrow(vm.getIrqchip(chip), 'KVM_GET_IRQCHIP')),
      pit: orThrow(vm.getPit2(), 'KVM_GET_PIT2'),
    };
  }

  #reset(steps: readonly DeviceStep[]): void {
    const { vm, registers } = this.#machine;
    for (const gsi of this.#raised) vm.irqLine(gsi, 0);
    this.#raised.clear();
    orThrow(vm.setPit2(this.#pit), 'KVM_SET_PIT2');
    for (const [chip, state] of this.#chips) orThrow(vm.setIrqchip(chip, state), 'KVM_SET_IRQCHIP');
    if (!this.#isClean) {
      this.#machine.resetVcpu();
      registers.setSregs(this.#sregs);
    }
    this.#machine.codeWritten(GUEST_CODE, writeProgram(this.#ram, steps));
    const zeros = { eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, ebp: 0 };
    registers.setRegs({ ...zeros, eip: GUEST_CODE, esp: GUEST_STACK, eflags: 2 });
  }

  #run(onIrq: () => void, exits: string[]): string {
    const { vcpu, registers } = this.#machine;
    const { run } = vcpu;
    let interruptions = 0;
    for (let i = 0; i < MAX_EXITS; ) {
      const r = vcpu.kvmRun();
      if (r === -EINTR) {
        if (++interruptions > MAX_INTERRUPTIONS) return 'hung';
        continue;
      }
      if (r < 0) return `errno ${errnoName(r)}`;
      if (run.exit_reason !== KVM_EXIT_IO)
        return KVM_EXIT_NAMES[run.exit_reason] ?? `exit ${run.exit_reason}`;
      i++;
      const { direction, port, size, count } = run.io;
      if (port === END_PORT) return 'done';
      if (port === IRQ_PORT) {
        onIrq();
        continue;
      }
      if (port === INTA_PORT) {
        const regs = registers.getRegs();
        registers.setRegs({ ...regs, eflags: regs.eflags | X86_EFLAGS_IF });
        continue;
      }
      const data = run.pioData.subarray(0, size * count);
      if (direction === KVM_EXIT_IO_IN) data.fill(OPEN_BUS);
      const word = direction === KVM_EXIT_IO_IN ? 'in' : 'out';
      exits.push(`${word} 0x${port.toString(16)} ${Buffer.from(data).toString('hex')}`);
    }
    return 'more exits';
  }
}

/** Pins 1 to 15 by their numbers, pin 0 by another. */
function routes(): KvmIrqRoutingEntry[] {
  const entries: KvmIrqRoutingEntry[] = [{ gsi: PIN_0_GSI, irqchip: KVM_IRQCHIP_PIC_MASTER, pin: 0 }];
  for (let gsi = 1; gsi < 2 * PIC_PINS; gsi++) {
    const irqchip = gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
    entries.push({ gsi, irqchip, pin: gsi % PIC_PINS });
  }
  return entries;
}

function realModeSregs(sregs: KvmSregs): KvmSregs {
  const real = { ...sregs, cs: { ...sregs.cs, base: 0, selector: 0 } };
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss'] as const)
    real[name] = { ...real[name], base: 0, selector: 0 };
  return real;
}
