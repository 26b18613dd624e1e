/**
 * The gate on address line 20: two devices ask for it to be open, either is enough (the keyboard controller's
 * output port and System Control Port A are ORed; Intel 82371AB (PIIX4) data sheet, “A20M#” and “A20GATE”).
 */

/** The two askers. */
export type A20Source = 'i8042' | 'port92';

/** ORs the requests and tells the CPU when the line changes. */
export class A20Gate {
  #byI8042 = true;
  #byPort92 = false;
  readonly #setA20: (isOpen: boolean) => void;

  /** @param setA20 told every change. The gate is open at power-on: the keyboard controller's pins float high. */
  constructor(setA20: (isOpen: boolean) => void) {
    this.#setA20 = setA20;
  }

  /** Whether bit 20 of an address reaches memory. */
  get isOpen(): boolean {
    return this.#byI8042 || this.#byPort92;
  }

  /** One asker's wish. */
  request(source: A20Source, wantsOpen: boolean): void {
    const before = this.isOpen;
    if (source === 'i8042') this.#byI8042 = wantsOpen;
    else this.#byPort92 = wantsOpen;
    if (this.isOpen !== before) this.#setA20(this.isOpen);
  }
}
