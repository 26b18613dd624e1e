/**
 * State of the two cascaded 8259A interrupt controllers, and how their functions reach each other
 * (Linux: arch/x86/kvm/i8259.c, `struct kvm_pic`; Intel 8259A data sheet).
 *
 * Everything that a snapshot must hold is in {@link KvmPicPairState}; the rest is wiring.
 */
import type { IoSize, KvmPicState } from '../uapi/kvm.ts';

/** Pins of the pair: 0–7 on the master, 8–15 on the slave. */
export const PIC_NUM_PINS = 16;

/** Master pin that the slave's output drives. */
export const PIC_CASCADE_PIN = 2;

/** Pins that may be made level-triggered: not 0, 1 and 2 on the master, not 8 and 13 on the slave. */
export const PIC_ELCR_MASK_MASTER = 0xf8;
export const PIC_ELCR_MASK_SLAVE = 0xde;

/** The pair as plain data. */
export interface KvmPicPairState {
  /** Master, slave. */
  pics: [KvmPicState, KvmPicState];
  /** INTR, the wire to the processor. */
  output: number;
  /** A bitmap of the source ids that hold up each of the 16 pins. */
  irq_states: number[];
}

/** Tracepoints `kvm_pic_set_irq` and `kvm_ack_irq`. */
export interface PicTrace {
  /** `pin` is 0–7 within `chip`; `elcr` and `imr` are the chip's whole registers. */
  picSetIrq(chip: number, pin: number, elcr: number, imr: number, coalesced: boolean): void;
  /** `pin` is 0–15. */
  ackIrq(irqchip: number, pin: number): void;
}

/** `struct kvm_pic`: the state, and what it is wired to. */
export interface KvmPic {
  readonly state: KvmPicPairState;
  /** `state.pics`, each by its name: to V8 a field that never changes is a constant. */
  readonly master: KvmPicState;
  readonly slave: KvmPicState;
  /** The mirrored functions, plain or traced. */
  fn: PicFunctions;
  /** The table without anybody's probes: while it is `fn`, nobody sees which of the functions are called. */
  readonly ownFn: PicFunctions;
  trace: PicTrace | null;
  /** Told when INTR changes. */
  readonly onOutput: (level: number) => void;
  /** Whether some processor takes interrupts from here (KVM: `kvm_apic_accept_pic_intr`). */
  readonly acceptsPicIntr: () => boolean;
  /** The interrupt on `pin` (0–15) has ended. */
  notifyAckedIrq(pin: number): void;
  /** The mask bit of `pin` (0–15) has changed. */
  fireMaskNotifiers(pin: number, masked: boolean): void;
}

/** The mirrored functions of i8259.c that call each other. */
export interface PicFunctions {
  picIrqRequest(pic: KvmPic, level: number): void;
  picClearIsr(pic: KvmPic, s: KvmPicState, irq: number): void;
  picSetIrq1(s: KvmPicState, irq: number, level: number): number;
  getPriority(s: KvmPicState, mask: number): number;
  picGetIrq(pic: KvmPic, s: KvmPicState): number;
  picUpdateIrq(s: KvmPic): void;
  kvmPicSetIrq(s: KvmPic, irq: number, irqSourceId: number, level: number): number;
  picIntack(pic: KvmPic, s: KvmPicState, irq: number): void;
  kvmPicReadIrq(s: KvmPic): number;
  kvmPicReset(pic: KvmPic, s: KvmPicState): void;
  picIoportWrite(pic: KvmPic, opaque: KvmPicState, addr: number, val: number): void;
  picPollRead(pic: KvmPic, s: KvmPicState, addr1: number): number;
  picIoportRead(pic: KvmPic, opaque: KvmPicState, addr: number): number;
  elcrIoportWrite(opaque: KvmPicState, val: number): void;
  elcrIoportRead(opaque: KvmPicState): number;
  picdevWrite(s: KvmPic, addr: number, len: IoSize, val: number): boolean;
  picdevRead(s: KvmPic, addr: number, len: IoSize): number;
  picdevMasterWrite(dev: KvmPic, addr: number, len: IoSize, val: number): boolean;
  picdevMasterRead(dev: KvmPic, addr: number, len: IoSize): number;
  picdevSlaveWrite(dev: KvmPic, addr: number, len: IoSize, val: number): boolean;
  picdevSlaveRead(dev: KvmPic, addr: number, len: IoSize): number;
  picdevEclrWrite(dev: KvmPic, addr: number, len: IoSize, val: number): boolean;
  picdevEclrRead(dev: KvmPic, addr: number, len: IoSize): number;
}

/** One chip as KVM_CREATE_IRQCHIP makes it. */
export function initialPicState(elcrMask: number): KvmPicState {
  return {
    last_irr: 0,
    irr: 0,
    imr: 0,
    isr: 0,
    priority_add: 0,
    irq_base: 0,
    read_reg_select: 0,
    poll: 0,
    special_mask: 0,
    init_state: 0,
    auto_eoi: 0,
    rotate_on_auto_eoi: 0,
    special_fully_nested_mode: 0,
    init4: 0,
    elcr: 0,
    elcr_mask: elcrMask,
  };
}

/** Copies the sixteen bytes of `struct kvm_pic_state`. */
export function copyPicState(to: KvmPicState, from: Readonly<KvmPicState>): void {
  to.last_irr = from.last_irr & 0xff;
  to.irr = from.irr & 0xff;
  to.imr = from.imr & 0xff;
  to.isr = from.isr & 0xff;
  to.priority_add = from.priority_add & 0xff;
  to.irq_base = from.irq_base & 0xff;
  to.read_reg_select = from.read_reg_select & 0xff;
  to.poll = from.poll & 0xff;
  to.special_mask = from.special_mask & 0xff;
  to.init_state = from.init_state & 0xff;
  to.auto_eoi = from.auto_eoi & 0xff;
  to.rotate_on_auto_eoi = from.rotate_on_auto_eoi & 0xff;
  to.special_fully_nested_mode = from.special_fully_nested_mode & 0xff;
  to.init4 = from.init4 & 0xff;
  to.elcr = from.elcr & 0xff;
  to.elcr_mask = from.elcr_mask & 0xff;
}
