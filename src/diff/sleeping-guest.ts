/**
 * A guest that sleeps in HLT inside the host's kernel: can the kernel's own timer still wake it?
 */
import type { EngineVm } from '../boards/vmm.ts';
import { KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER } from '../uapi/kvm.ts';

const REDIR_MASKED = 1 << 16;
/** The longest one-shot of the PIT, 65536 ticks, is 54.9 ms. */
const LONGEST_ONE_SHOT_MS = 60;
/** Modes 2 and 3 go on by themselves; 6 and 7 are the same. */
const PERIODIC_MODES = new Set([2, 3]);

/** @param sleptMs how long the guest has slept already. */
export function pitCanWake(vm: Pick<EngineVm, 'getIrqchip' | 'getPit2'>, sleptMs: number): boolean {
  const pic = vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER);
  const ioapic = vm.getIrqchip(KVM_IRQCHIP_IOAPIC);
  const pit = vm.getPit2();
  if (typeof pic === 'number' || typeof ioapic === 'number' || typeof pit === 'number') return false;
  const picOpen = 'imr' in pic && (pic.imr & 1) === 0;
  const ioapicOpen = 'redirtbl' in ioapic && ((ioapic.redirtbl[0]?.low ?? REDIR_MASKED) & REDIR_MASKED) === 0;
  if (!picOpen && !ioapicOpen) return false;
  return PERIODIC_MODES.has(pit.channels[0].mode) || sleptMs < LONGEST_ONE_SHOT_MS;
}
