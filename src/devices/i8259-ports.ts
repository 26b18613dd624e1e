/**
 * The ports of the 8259A pair: command and data registers at 0x20, 0x21, 0xa0, 0xa1, edge/level control at
 * 0x4d0, 0x4d1 (Linux: arch/x86/kvm/i8259.c; Intel 8259A data sheet, “Initialization Command Words”, “Operation
 * Command Words”, “Poll Command”; 82371SB (PIIX3) data sheet, “ELCR1, ELCR2”).
 *
 * Access sizes: a byte. KVM swallows a wider write that lies within a device, and answers a wider read with 0:
 * neither changes the controller, and neither leaves the kernel.
 */
import { IO_NOT_HANDLED } from '../bus/io-device.ts';
import type { IoSize, KvmPicState } from '../uapi/kvm.ts';
import { PIC_NO_PRIORITY } from './i8259-priority.ts';
import type { KvmPic } from './i8259-state.ts';
import { PIC_CASCADE_PIN } from './i8259-state.ts';

/** First command port of each chip, and the first ELCR port. */
export const PIC_MASTER_BASE = 0x20;
export const PIC_SLAVE_BASE = 0xa0;
export const PIC_ELCR_BASE = 0x4d0;

/** A command byte with bit 4 set is ICW1; else with bit 3 set OCW3; else OCW2. */
const ICW1_SELECT = 0x10;
const OCW3_SELECT = 0x08;

/** ICW1: an ICW4 will come. Bits 1 (single) and 3 (level) are not implemented by KVM. */
const ICW1_IC4 = 0x01;

const OCW3_READ_REGISTER = 0x02;
const OCW3_POLL = 0x04;
const OCW3_ENABLE_SPECIAL_MASK = 0x40;

/** OCW2, bits 7:5. Value 2 does nothing. */
const OCW2_CLEAR_ROTATE_IN_AUTO_EOI = 0;
const OCW2_NON_SPECIFIC_EOI = 1;
const OCW2_SPECIFIC_EOI = 3;
const OCW2_SET_ROTATE_IN_AUTO_EOI = 4;
const OCW2_ROTATE_ON_NON_SPECIFIC_EOI = 5;
const OCW2_SET_PRIORITY = 6;
const OCW2_ROTATE_ON_SPECIFIC_EOI = 7;

/** What a write to the data port means (`init_state`). */
const INIT_DONE = 0;
const INIT_ICW2 = 1;
const INIT_ICW3 = 2;
const INIT_ICW4 = 3;

/** Poll answer: an interrupt waits, its pin is in bits 2:0. */
const POLL_INTERRUPT = 0x80;
/** Poll answer when none waits. */
const POLL_NONE = 0x07;

/**
 * ICW1: the chip begins its initialization. Level requests survive, in-service bits too.
 *
 * @kvm kvm_pic_reset(s) arch/x86/kvm/i8259.c
 */
export function kvmPicReset(pic: KvmPic, s: KvmPicState): void {
  const edgeIrr = s.irr & ~s.elcr;
  s.last_irr = 0;
  s.irr &= s.elcr;
  s.imr = 0;
  s.priority_add = 0;
  s.special_mask = 0;
  s.read_reg_select = 0;
  if (s.init4 === 0) {
    s.special_fully_nested_mode = 0;
    s.auto_eoi = 0;
  }
  s.init_state = INIT_ICW2;
  // KVM: ISR is kept, but for the pins whose edge was pending; 8259A data sheet: ICW1 says nothing of ISR.
  if (edgeIrr === 0 || !pic.acceptsPicIntr()) return;
  for (let irq = 0; irq < 8; irq++) {
    if ((edgeIrr & (1 << irq)) !== 0) pic.fn.picClearIsr(pic, s, irq);
  }
}

function writeOcw2(pic: KvmPic, s: KvmPicState, val: number): void {
  const cmd = val >> 5;
  let irq = val & 7;
  switch (cmd) {
    case OCW2_CLEAR_ROTATE_IN_AUTO_EOI:
    case OCW2_SET_ROTATE_IN_AUTO_EOI:
      s.rotate_on_auto_eoi = cmd >> 2;
      return;
    case OCW2_NON_SPECIFIC_EOI:
    case OCW2_ROTATE_ON_NON_SPECIFIC_EOI: {
      const priority = pic.fn.getPriority(s, s.isr);
      if (priority === PIC_NO_PRIORITY) return;
      irq = (priority + s.priority_add) & 7;
      if (cmd === OCW2_ROTATE_ON_NON_SPECIFIC_EOI) s.priority_add = (irq + 1) & 7;
      pic.fn.picClearIsr(pic, s, irq);
      break;
    }
    case OCW2_SPECIFIC_EOI:
      pic.fn.picClearIsr(pic, s, irq);
      break;
    case OCW2_SET_PRIORITY:
      s.priority_add = (irq + 1) & 7;
      break;
    case OCW2_ROTATE_ON_SPECIFIC_EOI:
      s.priority_add = (irq + 1) & 7;
      pic.fn.picClearIsr(pic, s, irq);
      break;
    default:
      return;
  }
  pic.fn.picUpdateIrq(pic);
}

function writeCommand(pic: KvmPic, s: KvmPicState, val: number): void {
  if ((val & ICW1_SELECT) !== 0) {
    s.init4 = val & ICW1_IC4;
    pic.fn.kvmPicReset(pic, s);
  } else if ((val & OCW3_SELECT) !== 0) {
    if ((val & OCW3_POLL) !== 0) s.poll = 1;
    if ((val & OCW3_READ_REGISTER) !== 0) s.read_reg_select = val & 1;
    if ((val & OCW3_ENABLE_SPECIAL_MASK) !== 0) s.special_mask = (val >> 5) & 1;
  } else {
    writeOcw2(pic, s, val);
  }
}

function writeMask(pic: KvmPic, s: KvmPicState, val: number): void {
  if (s.imr !== val) changeMask(pic, s, val);
  pic.fn.picUpdateIrq(pic);
}

function changeMask(pic: KvmPic, s: KvmPicState, val: number): void {
  const changed = s.imr ^ val;
  s.imr = val;
  const firstPin = s === pic.master ? 0 : 8;
  for (let irq = 0; irq < 8; irq++) {
    if ((changed & (1 << irq)) !== 0) pic.fireMaskNotifiers(firstPin + irq, (val & (1 << irq)) !== 0);
  }
}

/** A word of the initialisation sequence behind ICW1. */
function writeInitWord(opaque: KvmPicState, val: number): void {
  switch (opaque.init_state) {
    case INIT_ICW2:
      opaque.irq_base = val & 0xf8;
      opaque.init_state = INIT_ICW3;
      break;
    case INIT_ICW3:
      // KVM: the cascade is wired as in a PC, whatever ICW3 says.
      opaque.init_state = opaque.init4 !== 0 ? INIT_ICW4 : INIT_DONE;
      break;
    case INIT_ICW4:
      // Bits 0 (8086 mode), 2 and 3 (buffered mode) are ignored.
      opaque.special_fully_nested_mode = (val >> 4) & 1;
      opaque.auto_eoi = (val >> 1) & 1;
      opaque.init_state = INIT_DONE;
      break;
    // KVM_SET_IRQCHIP can store any byte here: such a chip ignores its data port until the next ICW1.
  }
}

/**
 * Writes a byte to one chip: `addr` even the command port, odd the data port.
 *
 * @param pic the pair that `opaque` belongs to.
 * @kvm pic_ioport_write(opaque, addr, val) arch/x86/kvm/i8259.c
 */
export function picIoportWrite(pic: KvmPic, opaque: KvmPicState, addr: number, val: number): void {
  if ((addr & 1) === 0) writeCommand(pic, opaque, val);
  else if (opaque.init_state === INIT_DONE) writeMask(pic, opaque, val);
  else writeInitWord(opaque, val);
}

/**
 * The answer to a poll command.
 *
 * KVM: the request is dropped and its in-service bit cleared; 8259A data sheet: a poll is an acknowledge, which
 * sets the in-service bit.
 *
 * @param addr1 the port that was read; bit 7 tells the slave.
 * @kvm pic_poll_read(s, addr1) arch/x86/kvm/i8259.c
 */
export function picPollRead(pic: KvmPic, s: KvmPicState, addr1: number): number {
  const irq = pic.fn.picGetIrq(pic, s);
  if (irq < 0) {
    pic.fn.picUpdateIrq(pic);
    return POLL_NONE;
  }
  const isSlave = addr1 >> 7 !== 0;
  if (isSlave) {
    const master = pic.master;
    master.isr &= ~(1 << PIC_CASCADE_PIN);
    master.irr &= ~(1 << PIC_CASCADE_PIN);
  }
  s.irr &= ~(1 << irq);
  pic.fn.picClearIsr(pic, s, irq);
  if (isSlave || irq !== PIC_CASCADE_PIN) pic.fn.picUpdateIrq(pic);
  return POLL_INTERRUPT | irq;
}

/**
 * Reads a byte of one chip: a waiting poll answers on either port; else the command port shows IRR or ISR, the
 * data port IMR.
 *
 * @kvm pic_ioport_read(opaque, addr) arch/x86/kvm/i8259.c
 */
export function picIoportRead(pic: KvmPic, opaque: KvmPicState, addr: number): number {
  if (opaque.poll !== 0) {
    const ret = pic.fn.picPollRead(pic, opaque, addr);
    opaque.poll = 0;
    return ret;
  }
  if ((addr & 1) !== 0) return opaque.imr;
  return opaque.read_reg_select !== 0 ? opaque.isr : opaque.irr;
}

/**
 * Which pins are level-triggered; the pins that must be edge-triggered stay so. Nothing is evaluated anew.
 *
 * @kvm elcr_ioport_write(opaque, val) arch/x86/kvm/i8259.c
 */
export function elcrIoportWrite(opaque: KvmPicState, val: number): void {
  opaque.elcr = val & opaque.elcr_mask;
}

/**
 * Which pins are level-triggered.
 *
 * @kvm elcr_ioport_read(opaque) arch/x86/kvm/i8259.c
 */
export function elcrIoportRead(opaque: KvmPicState): number {
  return opaque.elcr;
}

/**
 * A write to any port of the pair.
 *
 * @returns whether the pair took it.
 * @kvm picdev_write(s, addr, len, val) arch/x86/kvm/i8259.c
 */
export function picdevWrite(s: KvmPic, addr: number, len: IoSize, val: number): boolean {
  // KVM: “non byte write” is logged and swallowed.
  if (len !== 1) return true;
  const base = addr & ~1;
  if (base !== PIC_MASTER_BASE && base !== PIC_SLAVE_BASE) return elcrWrite(s, addr, val);
  s.fn.picIoportWrite(s, base === PIC_MASTER_BASE ? s.master : s.slave, addr, val);
  return true;
}

/** Apart from {@link picdevWrite}, and that without a switch: what a guest's OUT meets has to be short for V8 to inline all of it. */
function elcrWrite(s: KvmPic, addr: number, val: number): boolean {
  if ((addr & ~1) !== PIC_ELCR_BASE) return false;
  s.fn.elcrIoportWrite(s.state.pics[addr & 1], val);
  return true;
}

/**
 * A read of any port of the pair.
 *
 * @kvm picdev_read(s, addr, len, val) arch/x86/kvm/i8259.c (as: value returned)
 */
export function picdevRead(s: KvmPic, addr: number, len: IoSize): number {
  // KVM: “non byte read” is logged and answered with zeros; a waiting poll is not consumed.
  if (len !== 1) return 0;
  const base = addr & ~1;
  if (base !== PIC_MASTER_BASE && base !== PIC_SLAVE_BASE) return elcrRead(s, addr);
  return s.fn.picIoportRead(s, base === PIC_MASTER_BASE ? s.master : s.slave, addr);
}

function elcrRead(s: KvmPic, addr: number): number {
  if ((addr & ~1) !== PIC_ELCR_BASE) return IO_NOT_HANDLED;
  return s.fn.elcrIoportRead(s.state.pics[addr & 1]);
}
