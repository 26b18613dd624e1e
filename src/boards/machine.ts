/**
 * A board: KVM's machine (in-kernel PIC and PIT, memory, one vCPU) with the board's own devices on a second bus, run
 * in slices. What devices there are is the plan's business (kvm.ts, pc.ts).
 */
import { DEFAULT_IPS } from '../bus/clock.ts';
import { NO_SINK } from '../bus/irq-line.ts';
import { I8042 } from '../devices/i8042.ts';
import { Serial16550A } from '../devices/serial.ts';
import { EmulatorError } from '../errors.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_SHUTDOWN,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  KVM_PIT_SPEAKER_DUMMY,
  type KvmIoapicState,
  type KvmPicState,
  type KvmPitState2,
} from '../uapi/kvm.ts';
import {
  type Board,
  type BoardEnd,
  type BoardOptions,
  type BoardSnapshot,
  DEFAULT_MEMORY_BYTES,
  DEFAULT_RTC_SECONDS,
  type PortRange,
} from './board.ts';
import { BoardMemory } from './board-memory.ts';
import type { BoardDevice, BoardPlan, DeviceWiring } from './board-plan.ts';
import { createExtraDevices } from './extra-devices.ts';
import { GsiLine } from './gsi-line.ts';
import { addRom, checkedMemoryBytes, checkedRtcSeconds, checkedTickRate } from './memory-map.ts';
import { kernelPorts, ownPorts } from './port-map.ts';
import { Unclaimed } from './unclaimed.ts';
import { UserBus } from './user-bus.ts';

const SLICE: BoardEnd = { kind: 'slice' };
const HALTED: BoardEnd = { kind: 'halted' };
const IDLE: BoardEnd = { kind: 'idle' };
const SHUTDOWN: BoardEnd = { kind: 'shutdown' };
const A20_OPEN_MASK = -1;
const A20_CLOSED_MASK = ~0x10_0000;

/** The board that a plan describes. */
export class Machine implements Board {
  readonly name: string;
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  readonly devices: ReadonlyMap<string, BoardDevice>;
  readonly portMap: readonly PortRange[];
  readonly #bus: UserBus;
  readonly #unclaimed: Unclaimed;
  readonly #picStates: readonly [KvmPicState, KvmPicState];
  readonly #ioapicState: KvmIoapicState;
  readonly #pitState: KvmPitState2;
  readonly #lines: GsiLine[] = [];
  /** Why the guest asked for the end of this run. */
  #end: BoardEnd | null = null;

  /** @throws EmulatorError `E_ARGUMENT` for a memory size, tick rate or time out of range. */
  constructor(plan: BoardPlan, options: BoardOptions) {
    const memoryBytes = checkedMemoryBytes(options.memoryBytes ?? DEFAULT_MEMORY_BYTES);
    const rtcSeconds = checkedRtcSeconds(options.rtcSeconds ?? DEFAULT_RTC_SECONDS);
    this.name = plan.name;
    const ips = checkedTickRate(options.ips ?? DEFAULT_IPS);
    const cpu = options.cpu === undefined ? {} : { cpu: options.cpu };
    this.vm = orThrow(
      (options.kvm ?? new Kvm()).createVm({ ips, ...cpu, jit: options.jit ?? true }),
      'KVM_CREATE_VM',
    );
    const { vm } = this;
    orThrow(vm.createIrqchip(), 'KVM_CREATE_IRQCHIP');
    orThrow(vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY }), 'KVM_CREATE_PIT2');
    orThrow(
      vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: memoryBytes }),
      'KVM_SET_USER_MEMORY_REGION',
    );
    this.vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
    this.#picStates = [
      orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER), 'KVM_GET_IRQCHIP'),
      orThrow(vm.getIrqchip(KVM_IRQCHIP_PIC_SLAVE), 'KVM_GET_IRQCHIP'),
    ];
    this.#ioapicState = orThrow(vm.getIrqchip(KVM_IRQCHIP_IOAPIC), 'KVM_GET_IRQCHIP');
    this.#pitState = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
    const wiring: DeviceWiring = {
      clock: vm.clock,
      gsi: (n) => this.#createLine(n),
      serial: options.serial ?? NO_SINK,
      debug: options.debug ?? NO_SINK,
      rtcSeconds,
      memoryBytes,
      onExit: (code) => this.#stop({ kind: 'exit', code }),
      onReset: (source) => this.#stop({ kind: 'reset', source }),
      setA20: (isOpen) => this.#setA20(isOpen),
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
      where: () => this.#where(),
    });
    const { assignments, ranges } = ownPorts(this.devices);
    this.#bus = new UserBus(assignments, this.#unclaimed);
    this.portMap = [...kernelPorts(vm), ...ranges].sort((a, b) => a.base - b.base);
    this.vcpu.userspace = this.#bus;
    this.vcpu.userspaceMmio = new BoardMemory(vm.memory, this.devices, this.#unclaimed);
    this.vcpu.forceEmulation = options.forceEmulation === true ? 1 : 0;
  }

  deviceAt(port: number): string | null {
    for (const { base, len, device } of this.portMap) if (port >= base && port < base + len) return device;
    return null;
  }

  addRom(bytes: Uint8Array, gpa: number): void {
    addRom(this.vm, bytes, gpa);
  }

  run(maxTicks: number): BoardEnd {
    const { vcpu } = this;
    this.#end = null;
    this.#unclaimed.rearm();
    vcpu.tickLimit = this.vm.clock.ticks + maxTicks;
    const r = vcpu.kvmRun();
    if (this.#end !== null) return this.#end;
    if (r < 0) return SLICE;
    switch (vcpu.run.exit_reason) {
      case KVM_EXIT_HLT:
        return vcpu.run.if_flag !== 0 ? IDLE : HALTED;
      case KVM_EXIT_SHUTDOWN:
        return SHUTDOWN;
      default: // KVM_EXIT_INTERNAL_ERROR: all others are answered from the board's buses
        return { kind: 'internal-error', message: vcpu.internalErrorMessage };
    }
  }

  receiveSerial(byte: number): boolean {
    const serial = this.devices.get('serial');
    return serial instanceof Serial16550A && serial.receive(byte);
  }

  receiveScancode(byte: number): boolean {
    const keyboard = this.devices.get('i8042');
    return keyboard instanceof I8042 && keyboard.receiveScancode(byte);
  }

  reset(): void {
    for (const device of this.devices.values()) device.reset?.();
    this.vm.setPit2(this.#pitState);
    this.vm.setIrqchip(KVM_IRQCHIP_PIC_MASTER, this.#picStates[0]);
    this.vm.setIrqchip(KVM_IRQCHIP_PIC_SLAVE, this.#picStates[1]);
    this.vm.setIrqchip(KVM_IRQCHIP_IOAPIC, this.#ioapicState);
    this.vcpu.resetVcpu();
  }

  saveDevices(): Record<string, unknown> {
    const states: Record<string, unknown> = {};
    for (const [name, device] of this.devices)
      if (device.saveState !== undefined) states[name] = device.saveState();
    return states;
  }

  loadDevices(states: Readonly<Record<string, unknown>>): void {
    for (const [name, device] of this.devices) {
      if (device.loadState !== undefined && states[name] !== undefined) device.loadState(states[name]);
    }
  }

  snapshot(): BoardSnapshot {
    return {
      board: this.name,
      vm: this.vm.snapshot(),
      devices: this.saveDevices(),
      lines: this.#lines.map((line) => line.saveState()),
      unclaimed: this.#unclaimed.saveState(),
    };
  }

  restore(snapshot: BoardSnapshot): void {
    const { vm, devices, lines, unclaimed } = snapshot;
    if (snapshot.board !== this.name) {
      throw new EmulatorError('E_ARGUMENT', `snapshot: of a board ${snapshot.board}, not ${this.name}`);
    }
    const theirs = Object.keys(devices).join();
    const ours = Object.keys(this.saveDevices()).join();
    if (theirs !== ours) {
      throw new EmulatorError('E_ARGUMENT', `snapshot: its devices are ${theirs}, the board's are ${ours}`);
    }
    this.vm.restore(vm);
    // The wires first: a device that drives its wire as it loads then changes nothing.
    for (let i = 0; i < lines.length; i++) this.#lines[i].loadState(lines[i]);
    this.loadDevices(devices);
    this.#unclaimed.loadState(unclaimed);
    this.vm.clock.loadState(vm.clock);
  }

  #createLine(gsi: number): GsiLine {
    const line = new GsiLine(this.vm, gsi);
    this.#lines.push(line);
    return line;
  }

  /** The guest ends the run; the first reason counts. */
  #stop(end: BoardEnd): void {
    this.#end ??= end;
    this.vcpu.requestStop();
  }

  #setA20(isOpen: boolean): void {
    const { cpu } = this.vcpu;
    cpu.a20Mask = isOpen ? A20_OPEN_MASK : A20_CLOSED_MASK;
    cpu.raiseAttention();
  }

  /** CS:IP, as it stands when the board is asked. */
  #where(): string {
    const { selector } = this.vcpu.getSregs().cs;
    const { eip } = this.vcpu.getRegs();
    return `${selector.toString(16).padStart(4, '0')}:${eip.toString(16).padStart(4, '0')}`;
  }
}
