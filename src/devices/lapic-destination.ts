/**
 * Whom an interrupt message is for: physical, logical (flat and cluster), broadcast, lowest priority (Linux:
 * arch/x86/kvm/lapic.c, arch/x86/kvm/irq.c; Intel SDM vol. 3A, “Determining IPI Destination”).
 *
 * KVM first tries a map of the local APICs, then asks each. The two differ in what they answer when nobody is addressed:
 * 0 or −1, which KVM_IRQ_LINE_STATUS shows. With one processor the map is computed where it is needed.
 */
import { kvmApicSwEnabled } from './lapic-delivery.ts';
import {
  APIC_BROADCAST,
  APIC_DEST_ALLBUT,
  APIC_DEST_ALLINC,
  APIC_DEST_NOSHORT,
  APIC_DEST_SELF,
  APIC_DFR,
  APIC_DFR_CLUSTER,
  APIC_DFR_FLAT,
  APIC_DM_FIXED,
  APIC_DM_LOWEST,
  APIC_ID,
  APIC_LDR,
} from './lapic-reg.ts';
import {
  type KvmApics,
  type KvmLapic,
  type KvmLapicIrq,
  kvmApicHwEnabled,
  kvmLapicGetReg,
} from './lapic-state.ts';

/** {@link mapGetLogicalDest} when the map cannot tell. */
const NOT_MAPPED = -1;

/** @kvm kvm_xapic_id(apic) arch/x86/kvm/lapic.h */
export function kvmXapicId(apic: KvmLapic): number {
  return kvmLapicGetReg(apic, APIC_ID) >>> 24;
}

/** @kvm kvm_apic_match_physical_addr(apic, mda) arch/x86/kvm/lapic.c */
export function kvmApicMatchPhysicalAddr(apic: KvmLapic, mda: number): boolean {
  return mda === APIC_BROADCAST || mda === kvmXapicId(apic);
}

/** @kvm kvm_apic_match_logical_addr(apic, mda) arch/x86/kvm/lapic.c */
export function kvmApicMatchLogicalAddr(apic: KvmLapic, mda: number): boolean {
  if (mda === APIC_BROADCAST) return true;
  const logicalId = kvmLapicGetReg(apic, APIC_LDR) >>> 24;
  switch (kvmLapicGetReg(apic, APIC_DFR)) {
    case APIC_DFR_FLAT:
      return (logicalId & mda) !== 0;
    case APIC_DFR_CLUSTER:
      return logicalId >> 4 === mda >> 4 && (logicalId & mda & 0xf) !== 0;
    default:
      // KVM: no other model matches anything.
      return false;
  }
}

/**
 * Whether a message is for `target`.
 *
 * @param source who sends it; null for the IOAPIC and for MSIs.
 * @param destMode non-zero: logical.
 * @kvm kvm_apic_match_dest(vcpu, source, shorthand, dest, dest_mode) arch/x86/kvm/lapic.c
 */
export function kvmApicMatchDest(
  target: KvmLapic,
  source: KvmLapic | null,
  shorthand: number,
  dest: number,
  destMode: number,
): boolean {
  switch (shorthand) {
    case APIC_DEST_NOSHORT:
      return destMode === 0 ? kvmApicMatchPhysicalAddr(target, dest) : kvmApicMatchLogicalAddr(target, dest);
    case APIC_DEST_SELF:
      return target === source;
    case APIC_DEST_ALLINC:
      return true;
    case APIC_DEST_ALLBUT:
      return target !== source;
    default:
      return false;
  }
}

/** @kvm kvm_lowest_prio_delivery(irq) arch/x86/kvm/lapic.c */
export function kvmLowestPrioDelivery(irq: Readonly<KvmLapicIrq>): boolean {
  return irq.delivery_mode === APIC_DM_LOWEST || irq.msi_redir_hint;
}

/** The one bit of `x`, or −1. */
function singleBit(x: number): number {
  return (x & (x - 1)) === 0 ? 31 - Math.clz32(x) : -1;
}

/** The number of the `n`th bit that is set in `x`. */
function nthBit(x: number, n: number): number {
  let rest = x;
  for (let i = 0; i < n; i++) rest &= rest - 1;
  return 31 - Math.clz32(rest & -rest);
}

function bitCount(x: number): number {
  let count = 0;
  for (let rest = x; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/**
 * A logical destination in KVM's map.
 *
 * @returns 1 or 0 whether `apic` is addressed; {@link NOT_MAPPED} when its own logical ID is not one bit.
 */
function mapGetLogicalDest(apic: KvmLapic, irq: Readonly<KvmLapicIrq>): number {
  const logicalId = kvmLapicGetReg(apic, APIC_LDR) >>> 24;
  // Not on the map: logical messages reach nobody.
  if (!kvmApicHwEnabled(apic) || !kvmApicSwEnabled(apic) || logicalId === 0) return 0;
  const isFlat = kvmLapicGetReg(apic, APIC_DFR) === APIC_DFR_FLAT;
  const ownMask = isFlat ? logicalId : logicalId & 0xf;
  const own = ownMask === 0 ? -1 : singleBit(ownMask);
  if (ownMask !== 0 && own < 0) return NOT_MAPPED;
  const mask = isFlat ? irq.dest_id : irq.dest_id & 0xf;
  if (mask === 0 || own < 0 || (!isFlat && logicalId >> 4 !== irq.dest_id >> 4)) {
    return 0;
  }
  // KVM (vector hashing): the vector chooses among the bits of the destination, whether a processor has them or not.
  if (kvmLowestPrioDelivery(irq)) return nthBit(mask, irq.vector % bitCount(mask)) === own ? 1 : 0;
  return (mask & (1 << own)) !== 0 ? 1 : 0;
}

/** {@link kvmIrqDeliveryToApicFast} when the map cannot tell. */
export const NOT_DELIVERED = -2;

/**
 * Delivery by the map.
 *
 * @returns how many took it; {@link NOT_DELIVERED} when each local APIC must be asked.
 * @kvm kvm_irq_delivery_to_apic_fast(kvm, src, irq, r, rtc_status) arch/x86/kvm/lapic.c (as: r returned)
 */
export function kvmIrqDeliveryToApicFast(
  kvm: KvmApics,
  src: KvmLapic | null,
  irq: Readonly<KvmLapicIrq>,
): number {
  const { apic, fn } = kvm;
  if (irq.shorthand === APIC_DEST_SELF && src !== null) return fn.kvmApicSetIrq(src, irq);
  if (irq.shorthand !== APIC_DEST_NOSHORT || irq.dest_id === APIC_BROADCAST || apic === null) {
    return NOT_DELIVERED;
  }
  let isAddressed: number;
  if (irq.dest_mode === 0) {
    isAddressed = kvmApicHwEnabled(apic) && irq.dest_id === kvmXapicId(apic) ? 1 : 0;
  } else {
    isAddressed = mapGetLogicalDest(apic, irq);
    if (isAddressed === NOT_MAPPED) return NOT_DELIVERED;
  }
  return isAddressed === 1 ? fn.kvmApicSetIrq(apic, irq) : 0;
}

/**
 * Brings a message to those it is for.
 *
 * @param src who sends it; null for the IOAPIC and for MSIs.
 * @returns how many took it; −1 when a message that each was asked about is for nobody.
 * @kvm kvm_irq_delivery_to_apic(kvm, src, irq, dest_map) arch/x86/kvm/irq_comm.c
 */
export function kvmIrqDeliveryToApic(kvm: KvmApics, src: KvmLapic | null, irq: KvmLapicIrq): number {
  const { apic, fn } = kvm;
  const r = fn.kvmIrqDeliveryToApicFast(kvm, src, irq);
  if (r !== NOT_DELIVERED) return r;
  if (irq.dest_mode === 0 && irq.dest_id === APIC_BROADCAST && kvmLowestPrioDelivery(irq)) {
    irq.delivery_mode = APIC_DM_FIXED;
  }
  if (apic === null || !kvmApicHwEnabled(apic)) return -1;
  if (!fn.kvmApicMatchDest(apic, src, irq.shorthand, irq.dest_id, irq.dest_mode)) return -1;
  if (kvmLowestPrioDelivery(irq) && !kvmApicSwEnabled(apic)) return -1;
  return fn.kvmApicSetIrq(apic, irq);
}

/**
 * A message-signalled interrupt as a message (Intel SDM vol. 3A, “Message Signalled Interrupts”).
 *
 * | address | meaning                    | data  | meaning         |
 * | ------- | -------------------------- | ----- | --------------- |
 * | 19:12   | destination                | 7:0   | vector          |
 * | 3       | redirection hint           | 10:8  | delivery mode   |
 * | 2       | logical                    | 15    | level-triggered |
 *
 * KVM: bits 31:20 of the address and bit 14 (assert) of the data do not matter.
 *
 * @kvm kvm_set_msi_irq(kvm, e, irq) arch/x86/kvm/irq_comm.c (as: address and data for e)
 */
export function kvmSetMsiIrq(kvm: KvmApics, addressLo: number, data: number, irq: KvmLapicIrq): void {
  if (kvm.trace !== null) kvm.trace.msiSetIrq(addressLo >>> 0, data >>> 0);
  irq.dest_id = (addressLo >>> 12) & 0xff;
  irq.vector = data & 0xff;
  irq.dest_mode = (addressLo >> 2) & 1;
  irq.trig_mode = (data >> 15) & 1;
  irq.delivery_mode = data & 0x700;
  irq.msi_redir_hint = (addressLo & 8) !== 0;
  irq.level = true;
  irq.shorthand = APIC_DEST_NOSHORT;
}

/**
 * A GSI that is routed to an MSI.
 *
 * @returns −1 for a falling line or when nobody is addressed, else how many took it.
 * @kvm kvm_set_msi(e, kvm, irq_source_id, level, line_status) arch/x86/kvm/irq_comm.c (as: address and data for e)
 */
export function kvmSetMsi(
  kvm: KvmApics,
  addressLo: number,
  // KVM: only looked at with KVM_CAP_X2APIC_API.
  _addressHi: number,
  data: number,
  level: number,
): number {
  if (level === 0) return -1;
  kvm.fn.kvmSetMsiIrq(kvm, addressLo, data, kvm.msi);
  return kvm.fn.kvmIrqDeliveryToApic(kvm, null, kvm.msi);
}
