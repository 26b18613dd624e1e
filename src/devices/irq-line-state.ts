/**
 * Wired-OR of one interrupt pin: several sources may hold a line up, and it falls when the last lets go
 * (Linux: arch/x86/include/asm/kvm_host.h, `__kvm_irq_line_state`).
 */

/**
 * Notes what `irqSourceId` does to a pin.
 *
 * @param irqState one bitmap of source ids a pin; `irqState[irq]` is changed.
 * @returns the level of the wire: 1 while any source holds it up.
 * @kvm __kvm_irq_line_state(irq_state, irq_source_id, level) arch/x86/include/asm/kvm_host.h
 */
export function __kvmIrqLineState(
  irqState: number[],
  irq: number,
  irqSourceId: number,
  level: number,
): number {
  const bit = 1 << irqSourceId;
  const state = level ? irqState[irq] | bit : irqState[irq] & ~bit;
  irqState[irq] = state;
  return state !== 0 ? 1 : 0;
}
