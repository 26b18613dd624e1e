/**
 * From an interrupt pin to a vector: request, priority, cascade, acknowledge (Linux: arch/x86/kvm/i8259.c;
 * Intel 8259A data sheet, “Interrupt Sequence”, “Fully Nested Mode”, “Automatic Rotation”).
 */
import type { KvmPicState } from '../uapi/kvm.ts';
import { KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE } from '../uapi/kvm.ts';
import type { KvmPic } from './i8259-state.ts';
import { PIC_CASCADE_PIN } from './i8259-state.ts';
import { __kvmIrqLineState } from './irq-line-state.ts';

/** What {@link getPriority} answers when no bit of the mask is set: lower than the lowest. */
export const PIC_NO_PRIORITY = 8;

/** A spurious interrupt shows as this pin of the chip that was asked. */
const PIC_SPURIOUS_PIN = 7;

/**
 * Drives INTR.
 *
 * @kvm pic_irq_request(kvm, level) arch/x86/kvm/i8259.c
 */
export function picIrqRequest(pic: KvmPic, level: number): void {
  if (pic.state.output === level) return;
  pic.state.output = level;
  pic.onOutput(level);
}

/**
 * Ends the interrupt in service on `irq` and tells who waits for that.
 *
 * @param pic the pair that `s` belongs to.
 * @kvm pic_clear_isr(s, irq) arch/x86/kvm/i8259.c
 */
export function picClearIsr(pic: KvmPic, s: KvmPicState, irq: number): void {
  s.isr &= ~(1 << irq);
  const isSlave = s === pic.slave;
  const pin = isSlave ? irq + 8 : irq;
  if (pic.trace !== null) pic.trace.ackIrq(isSlave ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER, pin);
  pic.notifyAckedIrq(pin);
}

/**
 * A pin of one chip takes a level. Edge pins latch the rising edge in IRR until it is acknowledged; level pins
 * follow the wire.
 *
 * @returns −1 masked, 0 coalesced with a request that still waits, 1 taken.
 * @kvm pic_set_irq1(s, irq, level) arch/x86/kvm/i8259.c
 */
export function picSetIrq1(s: KvmPicState, irq: number, level: number): number {
  const mask = 1 << irq;
  let ret = 1;
  if (level !== 0) {
    const isNew = (s.elcr & mask) !== 0 || (s.last_irr & mask) === 0;
    if (isNew) {
      ret = (s.irr & mask) !== 0 ? 0 : 1;
      s.irr |= mask;
    }
    s.last_irr |= mask;
  } else {
    if ((s.elcr & mask) !== 0) s.irr &= ~mask;
    s.last_irr &= ~mask;
  }
  return (s.imr & mask) !== 0 ? -1 : ret;
}

/**
 * Rank of the most urgent bit of `mask`, 0 (first) to 7, or {@link PIC_NO_PRIORITY}. Rank 0 is the pin
 * `priority_add`.
 *
 * @kvm get_priority(s, mask) arch/x86/kvm/i8259.c
 */
export function getPriority(s: KvmPicState, mask: number): number {
  if (mask === 0) return PIC_NO_PRIORITY;
  let priority = 0;
  while ((mask & (1 << ((priority + s.priority_add) & 7))) === 0) priority++;
  return priority;
}

/**
 * Which pin of a chip asks for service and may have it now.
 *
 * @returns the pin, −1 for none.
 * @kvm pic_get_irq(s) arch/x86/kvm/i8259.c
 */
export function picGetIrq(pic: KvmPic, s: KvmPicState): number {
  const priority = pic.fn.getPriority(s, s.irr & ~s.imr);
  if (priority === PIC_NO_PRIORITY) return -1;
  // KVM: special mask mode is stored but never looked at; 8259A data sheet: masked in-service bits do not block.
  let inService = s.isr;
  if (s.special_fully_nested_mode !== 0 && s === pic.master) inService &= ~(1 << PIC_CASCADE_PIN);
  return priority < pic.fn.getPriority(s, inService) ? (priority + s.priority_add) & 7 : -1;
}

/**
 * Carries the slave's request to the master and the master's to the processor.
 *
 * @kvm pic_update_irq(s) arch/x86/kvm/i8259.c
 */
export function picUpdateIrq(s: KvmPic): void {
  const { master, slave } = s;
  // Nothing is asked for and INTR is low: what follows would find that and change nothing. (A probe sees it all the same.)
  const requests = (slave.irr & ~slave.imr) | (master.irr & ~master.imr) | s.state.output;
  if (requests === 0 && s.fn === s.ownFn) return;
  requestIrq(s);
}

function requestIrq(s: KvmPic): void {
  const { master, slave } = s;
  if (s.fn.picGetIrq(s, slave) >= 0) {
    // KVM: the slave's output is a pulse that stays latched in the master's IRR; 8259A: a wire that can fall.
    s.fn.picSetIrq1(master, PIC_CASCADE_PIN, 1);
    s.fn.picSetIrq1(master, PIC_CASCADE_PIN, 0);
  }
  s.fn.picIrqRequest(s, s.fn.picGetIrq(s, master) >= 0 ? 1 : 0);
}

/**
 * A source drives pin `irq` (0–15).
 *
 * @returns −1 masked, 0 coalesced, 1 taken.
 * @kvm kvm_pic_set_irq(s, irq, irq_source_id, level) arch/x86/kvm/i8259.c
 */
export function kvmPicSetIrq(s: KvmPic, irq: number, irqSourceId: number, level: number): number {
  const irqLevel = __kvmIrqLineState(s.state.irq_states, irq, irqSourceId, level);
  const chip = irq >> 3;
  const pic = s.state.pics[chip];
  const ret = s.fn.picSetIrq1(pic, irq & 7, irqLevel);
  s.fn.picUpdateIrq(s);
  if (s.trace !== null) s.trace.picSetIrq(chip, irq & 7, pic.elcr, pic.imr, ret === 0);
  return ret;
}

/**
 * The processor acknowledges `irq` of one chip.
 *
 * @kvm pic_intack(s, irq) arch/x86/kvm/i8259.c
 */
export function picIntack(pic: KvmPic, s: KvmPicState, irq: number): void {
  s.isr |= 1 << irq;
  if ((s.elcr & (1 << irq)) === 0) s.irr &= ~(1 << irq);
  if (s.auto_eoi === 0) return;
  if (s.rotate_on_auto_eoi !== 0) s.priority_add = (irq + 1) & 7;
  pic.fn.picClearIsr(pic, s, irq);
}

/**
 * The INTA cycle: takes the most urgent request into service.
 *
 * @returns the vector. When the request has gone meanwhile it is a spurious one: pin 7 of the chip that was
 * asked, nothing in service there (but the master's cascade bit is, if it was the slave's).
 * @kvm kvm_pic_read_irq(kvm) arch/x86/kvm/i8259.c
 */
export function kvmPicReadIrq(s: KvmPic): number {
  const { master, slave } = s;
  s.fn.picIrqRequest(s, 0);
  let intno: number;
  const irq = s.fn.picGetIrq(s, master);
  if (irq < 0) {
    intno = master.irq_base + PIC_SPURIOUS_PIN;
  } else {
    s.fn.picIntack(s, master, irq);
    if (irq === PIC_CASCADE_PIN) {
      let irq2 = s.fn.picGetIrq(s, slave);
      if (irq2 >= 0) s.fn.picIntack(s, slave, irq2);
      else irq2 = PIC_SPURIOUS_PIN;
      intno = slave.irq_base + irq2;
    } else {
      intno = master.irq_base + irq;
    }
  }
  s.fn.picUpdateIrq(s);
  return intno;
}
