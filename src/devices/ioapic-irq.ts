/**
 * From an IOAPIC pin to the local APICs, and back with their EOI (Linux: arch/x86/kvm/ioapic.c; Intel 82093AA data
 * sheet, “Interrupt Redirection”; SDM vol. 3A, “EOI Message Format”).
 */
import { KVM_IRQCHIP_IOAPIC } from '../uapi/kvm.ts';
import {
  IOAPIC_DELIVERY_MODE_SHIFT,
  IOAPIC_DEST_MODE_SHIFT,
  IOAPIC_LEVEL_TRIG,
  IOAPIC_MASKED,
  IOAPIC_NUM_PINS,
  IOAPIC_REMOTE_IRR,
  IOAPIC_VECTOR_MASK,
  type KvmIoapic,
  RTC_GSI,
} from './ioapic-state.ts';
import { __kvmIrqLineState } from './irq-line-state.ts';
import { APIC_DEST_NOSHORT } from './lapic-reg.ts';

/** So many re-deliveries in a row, and the next one is put off. */
export const IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT = 10_000;

/** How long a re-delivery is put off: HZ/100. */
export const IOAPIC_EOI_INJECT_DELAY_NS = 10_000_000;

/**
 * A pin takes a level.
 *
 * KVM: an edge that comes while the pin is masked stays in IRR, is not sent on unmasking, and hides further edges
 * until the line has been low.
 *
 * @returns −1 masked or waiting for an EOI, 0 coalesced, else how many processors took it; 1 for a falling line.
 * @kvm ioapic_set_irq(ioapic, irq, irq_level, line_status) arch/x86/kvm/ioapic.c
 */
export function ioapicSetIrq(ioapic: KvmIoapic, irq: number, irqLevel: number, lineStatus: boolean): number {
  const s = ioapic.state;
  const { low, high } = s.redirtbl[irq];
  const mask = 1 << irq;
  let ret: number;
  if (irqLevel === 0) {
    s.irr &= ~mask;
    ret = 1;
  } else if (irq === RTC_GSI && lineStatus && s.rtc_pending_eoi > 0) {
    ret = 0;
  } else {
    const wasPending = (s.irr & mask) !== 0;
    const isEdge = (low & IOAPIC_LEVEL_TRIG) === 0;
    s.irr |= mask;
    if (isEdge) s.irr_delivered &= ~mask;
    ret = isEdge && wasPending ? 0 : ioapic.fn.ioapicService(ioapic, irq, lineStatus);
  }
  if (ioapic.trace !== null) ioapic.trace.ioapicSetIrq(low, high, irq, ret === 0);
  return ret;
}

/**
 * KVM_SET_IRQCHIP: the pins that were pending come up again.
 *
 * @kvm kvm_ioapic_inject_all(ioapic, irr) arch/x86/kvm/ioapic.c
 */
export function kvmIoapicInjectAll(ioapic: KvmIoapic, irr: number): void {
  ioapic.state.rtc_pending_eoi = 0;
  for (let irq = 0; irq < IOAPIC_NUM_PINS; irq++) {
    if ((irr & (1 << irq)) !== 0) ioapic.fn.ioapicSetIrq(ioapic, irq, 1, true);
  }
  ioapic.fn.kvmRtcEoiTrackingRestoreOne(ioapic);
}

/**
 * Sends the interrupt of a pin, if its entry allows.
 *
 * @returns −1 masked, waiting for an EOI, or no such processor; else how many processors took it.
 * @kvm ioapic_service(ioapic, irq, line_status) arch/x86/kvm/ioapic.c
 */
export function ioapicService(ioapic: KvmIoapic, irq: number, lineStatus: boolean): number {
  const s = ioapic.state;
  const entry = s.redirtbl[irq];
  const { low } = entry;
  const isLevel = (low & IOAPIC_LEVEL_TRIG) !== 0;
  if ((low & IOAPIC_MASKED) !== 0 || (isLevel && (low & IOAPIC_REMOTE_IRR) !== 0)) return -1;

  const irqe = ioapic.irqe;
  irqe.dest_id = entry.high >>> 24;
  irqe.vector = low & IOAPIC_VECTOR_MASK;
  irqe.dest_mode = (low >> IOAPIC_DEST_MODE_SHIFT) & 1;
  irqe.trig_mode = isLevel ? 1 : 0;
  irqe.delivery_mode = low & (7 << IOAPIC_DELIVERY_MODE_SHIFT);
  irqe.level = true;
  irqe.shorthand = APIC_DEST_NOSHORT;
  irqe.msi_redir_hint = false;

  // KVM: spent also when no local APIC takes it.
  if (!isLevel) s.irr_delivered |= 1 << irq;
  const ret = ioapic.deliver(irqe);
  if (irq === RTC_GSI && lineStatus) {
    s.rtc_pending_eoi = Math.max(ret, 0);
    s.rtc_vector = irqe.vector;
  }
  if (ret !== 0 && isLevel) entry.low = (entry.low | IOAPIC_REMOTE_IRR) >>> 0;
  return ret;
}

/**
 * A source drives a pin.
 *
 * @returns see {@link ioapicSetIrq}.
 * @kvm kvm_ioapic_set_irq(ioapic, irq, irq_source_id, level, line_status) arch/x86/kvm/ioapic.c
 */
export function kvmIoapicSetIrq(
  ioapic: KvmIoapic,
  irq: number,
  irqSourceId: number,
  level: number,
  lineStatus: boolean,
): number {
  const irqLevel = __kvmIrqLineState(ioapic.state.irq_states, irq, irqSourceId, level);
  return ioapic.fn.ioapicSetIrq(ioapic, irq, irqLevel, lineStatus);
}

/**
 * The delayed re-delivery: level pins that are up and wait for no EOI are sent.
 *
 * @kvm kvm_ioapic_eoi_inject_work(work) arch/x86/kvm/ioapic.c
 */
export function kvmIoapicEoiInjectWork(ioapic: KvmIoapic): void {
  const s = ioapic.state;
  s.eoi_inject_at = -1;
  for (let irq = 0; irq < IOAPIC_NUM_PINS; irq++) {
    const { low } = s.redirtbl[irq];
    if ((low & IOAPIC_LEVEL_TRIG) === 0) continue;
    if ((s.irr & (1 << irq)) !== 0 && (low & IOAPIC_REMOTE_IRR) === 0) {
      ioapic.fn.ioapicService(ioapic, irq, false);
    }
  }
}

/**
 * An EOI reaches the entry of one pin.
 *
 * @param triggerMode 1 = the local APIC took the vector as level-triggered.
 * @param directedEoi the local APIC suppresses its EOI broadcast (SVR bit 12).
 * @kvm kvm_ioapic_update_eoi_one(vcpu, ioapic, trigger_mode, pin) arch/x86/kvm/ioapic.c
 */
export function kvmIoapicUpdateEoiOne(
  ioapic: KvmIoapic,
  triggerMode: number,
  pin: number,
  directedEoi: boolean,
): void {
  const s = ioapic.state;
  const entry = s.redirtbl[pin];
  if (ioapic.trace !== null) ioapic.trace.ackIrq(KVM_IRQCHIP_IOAPIC, pin);
  ioapic.notifyAckedIrq(pin);
  if (triggerMode === 0 || directedEoi) return;
  entry.low = (entry.low & ~IOAPIC_REMOTE_IRR) >>> 0;
  if ((entry.low & IOAPIC_MASKED) !== 0 || (s.irr & (1 << pin)) === 0) {
    s.irq_eoi[pin] = 0;
    return;
  }
  s.irq_eoi[pin]++;
  if (s.irq_eoi[pin] < IOAPIC_SUCCESSIVE_IRQ_MAX_COUNT) {
    ioapic.fn.ioapicService(ioapic, pin, false);
    return;
  }
  s.irq_eoi[pin] = 0;
  // Work that is scheduled already keeps its time.
  if (s.eoi_inject_at < 0) {
    s.eoi_inject_at = ioapic.clock.nowNs + IOAPIC_EOI_INJECT_DELAY_NS;
    ioapic.eoiInject.set(s.eoi_inject_at);
  }
  if (ioapic.trace !== null) ioapic.trace.ioapicDelayedEoiInj(entry.low, entry.high);
}

/**
 * A local APIC has ended the interrupt `vector`: every pin with that vector hears of it.
 *
 * @kvm kvm_ioapic_update_eoi(vcpu, vector, trigger_mode) arch/x86/kvm/ioapic.c
 */
export function kvmIoapicUpdateEoi(
  ioapic: KvmIoapic,
  vector: number,
  triggerMode: number,
  directedEoi: boolean,
): void {
  const s = ioapic.state;
  // KVM follows each processor by itself; here the count of those that took it runs down.
  if (s.rtc_pending_eoi > 0 && vector === s.rtc_vector) s.rtc_pending_eoi--;
  for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
    if ((s.redirtbl[pin].low & IOAPIC_VECTOR_MASK) !== vector) continue;
    ioapic.fn.kvmIoapicUpdateEoiOne(ioapic, triggerMode, pin, directedEoi);
  }
}

/**
 * Which ends of interrupt the IOAPIC wants to hear of: those of level pins, of pins whose end somebody waits for, and of
 * the RTC's, as far as a processor is their destination or has one to end.
 *
 * @param ioapicHandledVectors 256 bits; those of such vectors are set.
 * @kvm kvm_ioapic_scan_entry(vcpu, ioapic_handled_vectors) arch/x86/kvm/ioapic.c
 */
export function kvmIoapicScanEntry(ioapic: KvmIoapic, ioapicHandledVectors: Uint32Array): void {
  const s = ioapic.state;
  if (s.rtc_pending_eoi > 0) setBit(ioapicHandledVectors, s.rtc_vector);
  for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
    const { low, high } = s.redirtbl[pin];
    const isWanted = (low & IOAPIC_LEVEL_TRIG) !== 0 || pin === RTC_GSI || ioapic.hasAckNotifier(pin);
    if (!isWanted) continue;
    const vector = low & IOAPIC_VECTOR_MASK;
    if (ioapic.matchDest(high >>> 24, (low >> IOAPIC_DEST_MODE_SHIFT) & 1) || ioapic.pendingEoi(vector)) {
      setBit(ioapicHandledVectors, vector);
    }
  }
}

function setBit(bits: Uint32Array, n: number): void {
  bits[n >> 5] |= 1 << (n & 31);
}

/**
 * Looks anew whether a processor has yet to end the RTC's interrupt, after its local APIC was restored.
 *
 * @kvm kvm_rtc_eoi_tracking_restore_one(vcpu) arch/x86/kvm/ioapic.c
 */
export function kvmRtcEoiTrackingRestoreOne(ioapic: KvmIoapic): void {
  const s = ioapic.state;
  const { low, high } = s.redirtbl[RTC_GSI];
  if (!ioapic.matchDest(high >>> 24, (low >> IOAPIC_DEST_MODE_SHIFT) & 1)) return;
  s.rtc_vector = low & IOAPIC_VECTOR_MASK;
  s.rtc_pending_eoi = ioapic.pendingEoi(s.rtc_vector) ? 1 : 0;
}
