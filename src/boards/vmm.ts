/**
 * A small VMM written against KVM's API alone (kvm/api.ts), so that the same board runs on pio86's own engine and on
 * the host's kernel: the kernel brings PIC, IOAPIC and PIT, the plan's devices stand in userspace and answer
 * KVM_EXIT_IO from the board's bus.
 *
 * Time belongs to the caller (`VmmTime`): the userspace devices see what it says, never a clock of their own.
 */
import { VirtualClock } from '../bus/clock.ts';
import { type ByteSink, NO_SINK } from '../bus/irq-line.ts';
import { I8042 } from '../devices/i8042.ts';
import { Serial16550A } from '../devices/serial.ts';
import { userspacePio } from '../emulate/pio.ts';
import { EmulatorError } from '../errors.ts';
import type { OrErrno, VcpuApi, VmApi } from '../kvm/api.ts';
import { orThrow } from '../kvm/or-throw.ts';
import { EINTR, errnoName } from '../uapi/errno.ts';
import {
  type IoSize,
  KVM_EXIT_HLT,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_MMIO,
  KVM_EXIT_NAMES,
  KVM_EXIT_SHUTDOWN,
  KVM_PIT_SPEAKER_DUMMY,
  type KvmRegs,
  type KvmSregs,
} from '../uapi/kvm.ts';
import type { KvmRun } from '../uapi/kvm-run.ts';
import { type BoardEnd, DEFAULT_MEMORY_BYTES, DEFAULT_RTC_SECONDS, type UnclaimedPolicy } from './board.ts';
import { BoardMemory } from './board-memory.ts';
import type { BoardDevice, BoardPlan, DeviceWiring } from './board-plan.ts';
import { createExtraDevices, type ExtraDevice } from './extra-devices.ts';
import { type KernelDeviceStates, readKernelDevices, writeKernelDevices } from './kernel-devices.ts';
import { checkedMemoryBytes, checkedRtcSeconds } from './memory-map.ts';
import { ownPorts } from './port-map.ts';
import { Unclaimed } from './unclaimed.ts';
import { UserBus } from './user-bus.ts';
import { VmmMemory } from './vmm-memory.ts';

/** What a VMM asks of a machine: `VmApi` and pio86's own `Vm` both have it. */
export type EngineVm = Pick<
  VmApi,
  | 'setUserMemoryRegion'
  | 'createIrqchip'
  | 'createPit2'
  | 'irqLine'
  | 'getIrqchip'
  | 'setIrqchip'
  | 'getPit2'
  | 'setPit2'
>;

/** What a VMM asks of a processor. */
export type EngineVcpu = Pick<VcpuApi, 'run' | 'kvmRun'> & {
  getRegs(): OrErrno<KvmRegs>;
  setRegs(regs: Readonly<KvmRegs>): unknown;
  getSregs(): OrErrno<KvmSregs>;
  setSregs(sregs: Readonly<KvmSregs>): number;
};

/** Where the machine comes from: `/dev/kvm` of pio86 or of the host. */
export interface Engine {
  readonly name: string;
  /** KVM_CREATE_VM. @throws EmulatorError when the engine refuses. */
  createVm(): EngineVm;
  /** KVM_CREATE_VCPU of the machine made last. @throws EmulatorError when the engine refuses. */
  createVcpu(): EngineVcpu;
  /** Zeroed memory that regions can use. @throws EmulatorError without any. */
  allocate(bytes: number): Uint8Array;
}

/** Whose time the userspace devices see. */
export interface VmmTime {
  /** Nanoseconds since the machine was made: asked at every exit, never less than before. */
  nowNs(): number;
}

/** Sees every exit before it is answered, and IN data after it was. */
export interface ExitTap {
  /** `run` holds the exit; for OUT the data too. */
  before(run: KvmRun, vcpu: EngineVcpu): void;
  /** KVM_EXIT_IO and KVM_EXIT_MMIO have been answered. @returns false to end the run. */
  after(run: KvmRun): boolean;
}

/** How a {@link Vmm} is built; what is left out is as in `BoardOptions`. */
export interface VmmOptions {
  readonly memoryBytes?: number;
  readonly rtcSeconds?: number;
  readonly serial?: ByteSink;
  readonly debug?: ByteSink;
  readonly unclaimed?: UnclaimedPolicy;
  readonly extraDevices?: readonly ExtraDevice[];
  readonly onWarning?: (line: string) => void;
  readonly time: VmmTime;
  readonly tap?: ExitTap;
}

/** A run's end, or an engine's error that no guest causes. */
export type VmmEnd = BoardEnd | { readonly kind: 'stopped' };

/** What {@link Vmm.reset} goes back to. */
interface PowerOnState {
  readonly devices: KernelDeviceStates;
  readonly regs: KvmRegs;
  readonly sregs: KvmSregs;
}

const SLICE: VmmEnd = { kind: 'slice' };
const NS_PER_S = 1_000_000_000;

/** A board on an engine. */
export class Vmm {
  readonly name: string;
  readonly vm: EngineVm;
  readonly vcpu: EngineVcpu;
  readonly memory: VmmMemory;
  readonly devices: ReadonlyMap<string, BoardDevice>;
  /** Time of the userspace devices: one tick is a nanosecond. */
  readonly clock = new VirtualClock(NS_PER_S);
  readonly #time: VmmTime;
  readonly #tap: ExitTap | null;
  readonly #bus: UserBus;
  readonly #mmio: BoardMemory;
  readonly #unclaimed: Unclaimed;
  readonly #initial: PowerOnState;
  #end: VmmEnd | null = null;
  #isInstalled = false;
  /** How often a device has driven an interrupt line: a sleeping guest may be awake the next time it runs. */
  irqChanges = 0;
  /** Exits of this machine, by KVM_EXIT_*. */
  readonly exits = new Map<number, number>();

  /** @throws EmulatorError `E_ARGUMENT` for an option out of range, `E_IOCTL` when the engine refuses. */
  constructor(engine: Engine, plan: BoardPlan, options: VmmOptions) {
    const memoryBytes = checkedMemoryBytes(options.memoryBytes ?? DEFAULT_MEMORY_BYTES);
    this.name = plan.name;
    this.#time = options.time;
    this.#tap = options.tap ?? null;
    this.vm = engine.createVm();
    orThrow(this.vm.createIrqchip(), 'KVM_CREATE_IRQCHIP');
    orThrow(this.vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY }), 'KVM_CREATE_PIT2');
    this.memory = new VmmMemory({ allocate: (bytes) => engine.allocate(bytes), vm: this.vm }, memoryBytes);
    this.vcpu = engine.createVcpu();
    this.#initial = this.#powerOnState();
    const wiring: DeviceWiring = {
      clock: this.clock,
      gsi: (n) => ({
        set: (level) => {
          this.irqChanges++;
          this.vm.irqLine(n, level);
        },
      }),
      serial: options.serial ?? NO_SINK,
      debug: options.debug ?? NO_SINK,
      rtcSeconds: checkedRtcSeconds(options.rtcSeconds ?? DEFAULT_RTC_SECONDS),
      memoryBytes,
      onExit: (code) => this.#stop({ kind: 'exit', code }),
      onReset: (source) => this.#stop({ kind: 'reset', source }),
      setA20: (isOpen) => this.memory.setA20(isOpen),
    };
    const devices = [
      ...plan.createDevices(wiring),
      ...createExtraDevices(options.extraDevices ?? [], wiring),
    ];
    this.devices = new Map(devices.map((device) => [device.name, device]));
    this.#unclaimed = new Unclaimed({
      policy: options.unclaimed ?? 'open-bus',
      onWarning: options.onWarning ?? (() => {}),
      onError: (message) => this.#stop({ kind: 'unclaimed', message }),
      where: () => this.where(),
    });
    this.#bus = new UserBus(ownPorts(this.devices).assignments, this.#unclaimed);
    this.#mmio = new BoardMemory(this.memory, this.devices, this.#unclaimed);
  }

  /** What loaders write to; before the first {@link run}. */
  get loadTarget() {
    const { vcpu, memory } = this;
    return {
      vm: { memory },
      vcpu: {
        getRegs: (): KvmRegs => this.regs(),
        getSregs: (): KvmSregs => this.sregs(),
        setRegs: (regs: Readonly<KvmRegs>): unknown => vcpu.setRegs(regs),
        setSregs: (sregs: Readonly<KvmSregs>): number => vcpu.setSregs(sregs),
      },
      addRom: (bytes: Uint8Array, gpa: number): void => memory.addRom(bytes, gpa),
    };
  }

  /** KVM_GET_REGS. @throws EmulatorError `E_IOCTL`. */
  regs(): KvmRegs {
    return orThrow(this.vcpu.getRegs(), 'KVM_GET_REGS');
  }

  /** KVM_GET_SREGS. @throws EmulatorError `E_IOCTL`. */
  sregs(): KvmSregs {
    return orThrow(this.vcpu.getSregs(), 'KVM_GET_SREGS');
  }

  /** CS:EIP as it stands. */
  where(): string {
    const hex = (value: number): string => value.toString(16).padStart(4, '0');
    return `${hex(this.sregs().cs.selector)}:${hex(this.regs().eip)}`;
  }

  /**
   * Runs until the guest ends, KVM_RUN is interrupted, or `maxExits` exits have been answered (both: `slice`).
   *
   * @throws EmulatorError `E_IOCTL` when KVM_RUN fails, with its errno.
   */
  run(maxExits = Number.POSITIVE_INFINITY): VmmEnd {
    if (!this.#isInstalled) {
      this.#isInstalled = true;
      this.memory.install();
    }
    this.#end = null;
    this.#unclaimed.rearm();
    for (let exits = 0; exits < maxExits; exits++) {
      const r = this.vcpu.kvmRun();
      this.#passTime();
      if (r === -EINTR) return SLICE;
      if (r < 0) throw new EmulatorError('E_IOCTL', `KVM_RUN: ${errnoName(r)} at ${this.where()}`);
      const end = this.#handleExit();
      if (end !== null) return end;
    }
    return SLICE;
  }

  /** Resets processor, the kernel's devices and the board's; memory and time stay. */
  reset(): void {
    for (const device of this.devices.values()) device.reset?.();
    writeKernelDevices(this.vm, this.#initial.devices);
    orThrow(this.vcpu.setSregs(this.#initial.sregs), 'KVM_SET_SREGS');
    this.vcpu.setRegs(this.#initial.regs);
  }

  #powerOnState(): PowerOnState {
    return { devices: readKernelDevices(this.vm), regs: this.regs(), sregs: this.sregs() };
  }

  /** A byte arrives on the serial line. @returns whether the UART's FIFO had room for it. */
  receiveSerial(byte: number): boolean {
    const serial = this.devices.get('serial');
    return serial instanceof Serial16550A && serial.receive(byte);
  }

  /** A byte of scan code set 2 comes from the keyboard. @returns whether there is one and it had room. */
  receiveScancode(byte: number): boolean {
    const keyboard = this.devices.get('i8042');
    return keyboard instanceof I8042 && keyboard.receiveScancode(byte);
  }

  /** Lets the userspace devices' time pass and their alarms ring, for a guest that sleeps. */
  skipToAlarm(): boolean {
    if (!this.clock.skipToDeadline()) return false;
    this.clock.runDueAlarms();
    return true;
  }

  /** Finishes the access that is under way without running the guest further. */
  completePending(): void {
    const { run } = this.vcpu;
    run.immediate_exit = 1;
    this.vcpu.kvmRun();
    run.immediate_exit = 0;
  }

  #passTime(): void {
    this.clock.ticks = Math.max(this.clock.ticks, Math.floor(this.#time.nowNs()));
    this.clock.runDueAlarms();
  }

  /** @returns why the run ends, or null to go on. */
  #handleExit(): VmmEnd | null {
    const { run } = this.vcpu;
    const reason = run.exit_reason;
    this.exits.set(reason, (this.exits.get(reason) ?? 0) + 1);
    this.#tap?.before(run, this.vcpu);
    switch (reason) {
      case KVM_EXIT_IO: {
        const { io } = run;
        userspacePio(
          this.#bus,
          io.size as IoSize,
          io.port,
          run.pioData,
          io.count,
          io.direction === KVM_EXIT_IO_IN,
        );
        return this.#answered();
      }
      case KVM_EXIT_MMIO:
        this.#answerMmio();
        return this.#answered();
      case KVM_EXIT_HLT:
        return { kind: run.if_flag !== 0 ? 'idle' : 'halted' };
      case KVM_EXIT_SHUTDOWN:
        return { kind: 'shutdown' };
      case KVM_EXIT_INTERNAL_ERROR:
        return {
          kind: 'internal-error',
          message: `${this.name}: the engine cannot emulate the instruction at ${this.where()} (KVM_EXIT_INTERNAL_ERROR, suberror ${run.internal.suberror})`,
        };
      default:
        return {
          kind: 'internal-error',
          message: `unexpected ${KVM_EXIT_NAMES[reason] ?? `exit ${reason}`} at ${this.where()}`,
        };
    }
  }

  #answered(): VmmEnd | null {
    const goesOn = this.#tap?.after(this.vcpu.run) ?? true;
    const end = this.#end ?? (goesOn ? null : { kind: 'stopped' as const });
    if (end !== null) this.completePending();
    return end;
  }

  #answerMmio(): void {
    const { mmio } = this.vcpu.run;
    // Up to 8 bytes leave at once: the buses here know 1, 2 and 4.
    for (let at = 0; at < mmio.len; ) {
      const left = mmio.len - at;
      const size: IoSize = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      const addr = mmio.phys_addr + at;
      if (mmio.is_write !== 0) this.#mmio.write(addr, size, littleEndian(mmio.data, at, size));
      else setLittleEndian(mmio.data, at, size, this.#mmio.read(addr, size));
      at += size;
    }
  }

  /** The guest ends the run; the first reason counts. */
  #stop(end: VmmEnd): void {
    this.#end ??= end;
  }
}

function littleEndian(data: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 0x100 + data[at + i];
  return value;
}

function setLittleEndian(data: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) data[at + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
}
