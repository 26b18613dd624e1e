/**
 * The two cascaded 8259A interrupt controllers of a PC, with the edge/level control registers, as KVM models them
 * in the kernel (Linux: arch/x86/kvm/i8259.c; Intel 8259A data sheet).
 *
 * This file is the outside: ports, pins, INTA, notifiers, state. How a request becomes a vector is in
 * i8259-priority.ts, what the ports mean in i8259-ports.ts.
 */
import type { IoDevice } from '../bus/io-device.ts';
import { EmulatorError } from '../errors.ts';
import { KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, type KvmPicState } from '../uapi/kvm.ts';
import * as iodev from './i8259-iodev.ts';
import * as ports from './i8259-ports.ts';
import * as priority from './i8259-priority.ts';
import {
  copyPicState,
  initialPicState,
  type KvmPic,
  type KvmPicPairState,
  PIC_ELCR_MASK_MASTER,
  PIC_ELCR_MASK_SLAVE,
  PIC_NUM_PINS,
  type PicFunctions,
  type PicTrace,
} from './i8259-state.ts';

/** The functions of i8259.c as they are, without probes. */
export const PIC_FUNCTIONS: Readonly<PicFunctions> = {
  picIrqRequest: priority.picIrqRequest,
  picClearIsr: priority.picClearIsr,
  picSetIrq1: priority.picSetIrq1,
  getPriority: priority.getPriority,
  picGetIrq: priority.picGetIrq,
  picUpdateIrq: priority.picUpdateIrq,
  kvmPicSetIrq: priority.kvmPicSetIrq,
  picIntack: priority.picIntack,
  kvmPicReadIrq: priority.kvmPicReadIrq,
  kvmPicReset: ports.kvmPicReset,
  picIoportWrite: ports.picIoportWrite,
  picPollRead: ports.picPollRead,
  picIoportRead: ports.picIoportRead,
  elcrIoportWrite: ports.elcrIoportWrite,
  elcrIoportRead: ports.elcrIoportRead,
  picdevWrite: ports.picdevWrite,
  picdevRead: ports.picdevRead,
  picdevMasterWrite: iodev.picdevMasterWrite,
  picdevMasterRead: iodev.picdevMasterRead,
  picdevSlaveWrite: iodev.picdevSlaveWrite,
  picdevSlaveRead: iodev.picdevSlaveRead,
  picdevEclrWrite: iodev.picdevEclrWrite,
  picdevEclrRead: iodev.picdevEclrRead,
};

/** What the pair is wired to. */
export interface Pic8259Options {
  /** Told when INTR, the wire to the processor, changes. */
  onOutput?: (level: number) => void;
  /** Whether some processor takes interrupts from here; decides what ICW1 acknowledges. Default: yes. */
  acceptsPicIntr?: () => boolean;
}

/** The pair. Pins are 0–7 (master) and 8–15 (slave). */
export class Pic8259 implements KvmPic {
  readonly state: KvmPicPairState = {
    pics: [initialPicState(PIC_ELCR_MASK_MASTER), initialPicState(PIC_ELCR_MASK_SLAVE)],
    output: 0,
    irq_states: new Array<number>(PIC_NUM_PINS).fill(0),
  };
  readonly master: KvmPicState = this.state.pics[0];
  readonly slave: KvmPicState = this.state.pics[1];
  readonly ownFn: PicFunctions = PIC_FUNCTIONS;
  fn: PicFunctions = PIC_FUNCTIONS;
  trace: PicTrace | null = null;
  readonly onOutput: (level: number) => void;
  readonly acceptsPicIntr: () => boolean;
  /** Ports 0x20, 0x21. */
  readonly devMaster: IoDevice;
  /** Ports 0xa0, 0xa1. */
  readonly devSlave: IoDevice;
  /** Ports 0x4d0, 0x4d1. */
  readonly devEclr: IoDevice;
  readonly #ackNotifiers: (() => void)[][] = Array.from({ length: PIC_NUM_PINS }, () => []);
  readonly #maskNotifiers: ((masked: boolean) => void)[][] = Array.from({ length: PIC_NUM_PINS }, () => []);

  constructor(options: Pic8259Options = {}) {
    this.onOutput = options.onOutput ?? (() => {});
    this.acceptsPicIntr = options.acceptsPicIntr ?? (() => true);
    this.devMaster = iodev.createMasterDev(this);
    this.devSlave = iodev.createSlaveDev(this);
    this.devEclr = iodev.createEclrDev(this);
  }

  /** INTR: 1 while a request waits that the processor may take. */
  get output(): number {
    return this.state.output;
  }

  /** Source `sourceId` drives `pin`. @returns −1 masked, 0 coalesced, 1 taken. */
  setIrq(pin: number, sourceId: number, level: number): number {
    return this.fn.kvmPicSetIrq(this, pin, sourceId, level);
  }

  /** The INTA cycle. @returns the vector, a spurious one when no request is left. */
  readIrq(): number {
    return this.fn.kvmPicReadIrq(this) & 0xff;
  }

  /** `notify` runs whenever an interrupt of `pin` ends (EOI, automatic EOI, poll). */
  addAckNotifier(pin: number, notify: () => void): void {
    this.#ackNotifiers[checkedPin(pin)].push(notify);
  }

  /** `notify` runs whenever the mask bit of `pin` changes. */
  addMaskNotifier(pin: number, notify: (masked: boolean) => void): void {
    this.#maskNotifiers[checkedPin(pin)].push(notify);
  }

  notifyAckedIrq(pin: number): void {
    const notifiers = this.#ackNotifiers[pin];
    for (let i = 0; i < notifiers.length; i++) notifiers[i]();
  }

  fireMaskNotifiers(pin: number, masked: boolean): void {
    const notifiers = this.#maskNotifiers[pin];
    for (let i = 0; i < notifiers.length; i++) notifiers[i](masked);
  }

  /** KVM_GET_IRQCHIP for KVM_IRQCHIP_PIC_MASTER or KVM_IRQCHIP_PIC_SLAVE. */
  getState(chip: number): KvmPicState {
    return { ...this.state.pics[checkedChip(chip)] };
  }

  /** KVM_SET_IRQCHIP: stores the sixteen bytes as they are, then evaluates the requests. */
  setState(chip: number, state: Readonly<KvmPicState>): void {
    copyPicState(this.state.pics[checkedChip(chip)], state);
    this.fn.picUpdateIrq(this);
  }

  /** Plain-data copy of everything, for snapshots. */
  saveState(): KvmPicPairState {
    const { pics, output, irq_states } = this.state;
    return { pics: [{ ...pics[0] }, { ...pics[1] }], output, irq_states: [...irq_states] };
  }

  /** Restores what {@link saveState} returned. */
  loadState(saved: Readonly<KvmPicPairState>): void {
    copyPicState(this.state.pics[0], saved.pics[0]);
    copyPicState(this.state.pics[1], saved.pics[1]);
    for (let pin = 0; pin < PIC_NUM_PINS; pin++) this.state.irq_states[pin] = saved.irq_states[pin];
    this.state.output = saved.output;
    this.onOutput(saved.output);
  }
}

function checkedPin(pin: number): number {
  if (Number.isInteger(pin) && pin >= 0 && pin < PIC_NUM_PINS) return pin;
  throw new EmulatorError('E_ARGUMENT', `i8259: pin ${pin} is not 0–${PIC_NUM_PINS - 1}`);
}

function checkedChip(chip: number): number {
  if (chip === KVM_IRQCHIP_PIC_MASTER || chip === KVM_IRQCHIP_PIC_SLAVE) return chip;
  throw new EmulatorError('E_ARGUMENT', `i8259: chip ${chip} is not 0 (master) or 1 (slave)`);
}
