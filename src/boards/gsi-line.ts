/**
 * An interrupt wire from a device of the board to the kernel's interrupt controllers: KVM_IRQ_LINE, called only when
 * the level changes.
 */
import type { IrqLine } from '../bus/irq-line.ts';
import type { Vm } from '../kvm/vm.ts';

/** One GSI. */
export class GsiLine implements IrqLine {
  readonly #vm: Pick<Vm, 'irqLine'>;
  readonly #gsi: number;
  #level: 0 | 1 = 0;

  constructor(vm: Pick<Vm, 'irqLine'>, gsi: number) {
    this.#vm = vm;
    this.#gsi = gsi;
  }

  set(level: 0 | 1): void {
    if (level === this.#level) return;
    this.#level = level;
    this.#vm.irqLine(this.#gsi, level);
  }

  /** The level that the interrupt controllers have been told. */
  saveState(): 0 | 1 {
    return this.#level;
  }

  /** Restores what {@link saveState} returned; the controllers, restored apart, know it already. */
  loadState(level: 0 | 1): void {
    this.#level = level;
  }
}
