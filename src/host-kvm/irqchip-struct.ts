/**
 * `struct kvm_irqchip` with `kvm_pic_state` or `kvm_ioapic_state`, and `struct kvm_irq_routing` (Linux:
 * arch/x86/include/uapi/asm/kvm.h, include/uapi/linux/kvm.h).
 */
import {
  KVM_IRQCHIP_IOAPIC,
  type KvmIoapicState,
  type KvmIrqRoutingEntry,
  type KvmPicState,
} from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { StructView } from './struct-view.ts';

/** Where the union `chip` starts. */
const CHIP = 8;
/** Where the union of a routing entry starts. */
const ROUTING_UNION = 16;
const IOAPIC_PINS = 24;
const REDIRTBL = CHIP + 24;

/** `kvm_pic_state`: one byte each, in this order. */
const PIC_FIELDS = [
  'last_irr',
  'irr',
  'imr',
  'isr',
  'priority_add',
  'irq_base',
  'read_reg_select',
  'poll',
  'special_mask',
  'init_state',
  'auto_eoi',
  'rotate_on_auto_eoi',
  'special_fully_nested_mode',
  'init4',
  'elcr',
  'elcr_mask',
] as const satisfies readonly (keyof KvmPicState)[];

/** An empty `kvm_irqchip` for `chipId`: what KVM_GET_IRQCHIP wants to be asked with. */
export function irqchipRequest(chipId: number): StructView {
  const view = new StructView(SIZEOF.kvm_irqchip);
  view.setU32(0, chipId);
  return view;
}

export function unpackIrqchip(view: StructView): KvmPicState | KvmIoapicState {
  return view.u32(0) === KVM_IRQCHIP_IOAPIC ? unpackIoapic(view) : unpackPic(view);
}

function unpackPic(view: StructView): KvmPicState {
  const entries = PIC_FIELDS.map((name, i) => [name, view.u8(CHIP + i)] as const);
  return Object.fromEntries(entries) as unknown as KvmPicState;
}

function unpackIoapic(view: StructView): KvmIoapicState {
  return {
    base_address: view.u64(CHIP),
    ioregsel: view.u32(CHIP + 8),
    id: view.u32(CHIP + 12),
    irr: view.u32(CHIP + 16),
    redirtbl: Array.from({ length: IOAPIC_PINS }, (_, i) => ({
      low: view.u32(REDIRTBL + 8 * i),
      high: view.u32(REDIRTBL + 8 * i + 4),
    })),
  };
}

export function packIrqchip(
  chipId: number,
  state: Readonly<KvmPicState> | Readonly<KvmIoapicState>,
): StructView {
  const view = irqchipRequest(chipId);
  if ('redirtbl' in state) {
    view.setU64(CHIP, state.base_address);
    view.setU32(CHIP + 8, state.ioregsel);
    view.setU32(CHIP + 12, state.id);
    view.setU32(CHIP + 16, state.irr);
    state.redirtbl.slice(0, IOAPIC_PINS).forEach(({ low, high }, i) => {
      view.setU32(REDIRTBL + 8 * i, low);
      view.setU32(REDIRTBL + 8 * i + 4, high);
    });
  } else {
    PIC_FIELDS.forEach((name, i) => {
      view.setU8(CHIP + i, state[name]);
    });
  }
  return view;
}

/** @param type KVM_IRQ_ROUTING_*. */
export function packIrqRouting(entries: readonly Readonly<KvmIrqRoutingEntry>[], type: number): StructView {
  const view = new StructView(SIZEOF.kvm_irq_routing + entries.length * SIZEOF.kvm_irq_routing_entry);
  view.setU32(0, entries.length);
  entries.forEach(({ gsi, irqchip, pin }, i) => {
    const at = SIZEOF.kvm_irq_routing + i * SIZEOF.kvm_irq_routing_entry;
    view.setU32(at, gsi);
    view.setU32(at + 4, type);
    view.setU32(at + ROUTING_UNION, irqchip);
    view.setU32(at + ROUTING_UNION + 4, pin);
  });
  return view;
}
