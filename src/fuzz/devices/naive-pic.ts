/**
 * The 8259A pair of a PC, naively: written from the data sheet with one array a register, for the fuzzer to hold against
 * devices/. Where KVM is known to differ from the data sheet, it follows KVM and says so.
 *
 * Intel 8259A data sheet, “Interrupt Sequence”, “Initialization Command Words”, “Operation Command Words”.
 */

const PINS = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const CASCADE = 2;
const SPURIOUS = 7;

/** One 8259A: each register bit a boolean, by pin. */
class NaiveChip {
  readonly requested = PINS.map(() => false);
  readonly inService = PINS.map(() => false);
  readonly masked = PINS.map(() => false);
  readonly isLevel = PINS.map(() => false);
  readonly wire = PINS.map(() => false);
  readonly isMaster: boolean;
  /** The pin of the lowest priority; the next one has the highest. */
  lowest = 7;
  base = 0;
  readsInService = false;
  isPolled = false;
  /** Initialization words that are still to come at the data port. */
  expected: ('icw2' | 'icw3' | 'icw4')[] = [];
  hasIcw4 = false;
  endsItself = false;
  rotatesItself = false;
  isSpecialNested = false;

  constructor(isMaster: boolean) {
    this.isMaster = isMaster;
  }

  /** Pins from the highest priority to the lowest. */
  byPriority(): number[] {
    return PINS.map((i) => (this.lowest + 1 + i) % 8);
  }

  /** The pin that may interrupt now, −1 for none. KVM: the special mask mode changes nothing. */
  winner(): number {
    for (const pin of this.byPriority()) {
      const isNested = this.isSpecialNested && this.isMaster && pin === CASCADE;
      if (this.inService[pin] && !isNested) return -1;
      if (this.requested[pin] && !this.masked[pin]) return pin;
    }
    return -1;
  }

  drive(pin: number, level: boolean): void {
    if (level && (this.isLevel[pin] || !this.wire[pin])) this.requested[pin] = true;
    if (!level && this.isLevel[pin]) this.requested[pin] = false;
    this.wire[pin] = level;
  }
}

/** A register as a byte. */
export function byteOf(bits: readonly boolean[]): number {
  return bits.reduce((sum, bit, pin) => sum + (bit ? 2 ** pin : 0), 0);
}

function isSet(value: number, bit: number): boolean {
  return Math.floor(value / 2 ** bit) % 2 === 1;
}

/** See the opening comment. */
export class NaivePic {
  readonly master = new NaiveChip(true);
  readonly slave = new NaiveChip(false);
  /** INTR as it was last driven. KVM: not every change of a register drives it anew. */
  output = false;
  /** Told when the interrupt of pin 0–15 ends. */
  onEnd: (pin: number) => void = () => {};
  /** Told when the mask of pin 0–15 changes. */
  onMask: (pin: number, masked: boolean) => void = () => {};
  /** Who holds up a pin. */
  readonly #sources = new Map<number, Set<string>>();

  /** A source drives pin 0–15: the wire is high while any source holds it up. */
  drive(source: string, pin: number, level: boolean): void {
    const holders = this.#sources.get(pin) ?? new Set<string>();
    if (level) holders.add(source);
    else holders.delete(source);
    this.#sources.set(pin, holders);
    this.#chipOf(pin).drive(pin % 8, holders.size > 0);
    this.update();
  }

  /** The slave's request goes to the master, the master's to the processor. */
  update(): void {
    // KVM: the slave pulses the cascade pin.
    if (this.slave.winner() >= 0) {
      this.master.drive(CASCADE, true);
      this.master.drive(CASCADE, false);
    }
    this.output = this.master.winner() >= 0;
  }

  /** The INTA cycle. @returns the vector. */
  acknowledge(): number {
    this.output = false;
    const pin = this.master.winner();
    let vector = this.master.base + (pin < 0 ? SPURIOUS : pin);
    if (pin >= 0) this.#take(this.master, pin);
    if (pin === CASCADE) {
      const second = this.slave.winner();
      vector = this.slave.base + (second < 0 ? SPURIOUS : second);
      if (second >= 0) this.#take(this.slave, second);
    }
    this.update();
    return vector % 256;
  }

  write(port: number, value: number): void {
    if (port >= 0x4d0) {
      const chip = port === 0x4d0 ? this.master : this.slave;
      // The timer, keyboard, cascade, clock and coprocessor pins are always edge-triggered.
      const fixed = port === 0x4d0 ? [0, 1, 2] : [0, 5];
      for (const pin of PINS) chip.isLevel[pin] = isSet(value, pin) && !fixed.includes(pin);
      return;
    }
    const chip = port < 0xa0 ? this.master : this.slave;
    if (port % 2 === 1) this.#writeData(chip, value);
    else if (isSet(value, 4)) this.#initialize(chip, isSet(value, 0));
    else if (isSet(value, 3)) this.#writeOcw3(chip, value);
    else this.#writeOcw2(chip, Math.floor(value / 32), value % 8);
  }

  read(port: number): number {
    if (port >= 0x4d0) return byteOf(port === 0x4d0 ? this.master.isLevel : this.slave.isLevel);
    const chip = port < 0xa0 ? this.master : this.slave;
    if (chip.isPolled) {
      chip.isPolled = false;
      return this.#poll(chip);
    }
    if (port % 2 === 1) return byteOf(chip.masked);
    return byteOf(chip.readsInService ? chip.inService : chip.requested);
  }

  #chipOf(pin: number): NaiveChip {
    return pin < 8 ? this.master : this.slave;
  }

  #end(chip: NaiveChip, pin: number): void {
    chip.inService[pin] = false;
    this.onEnd(chip.isMaster ? pin : pin + 8);
  }

  #take(chip: NaiveChip, pin: number): void {
    chip.inService[pin] = true;
    if (!chip.isLevel[pin]) chip.requested[pin] = false;
    if (!chip.endsItself) return;
    if (chip.rotatesItself) chip.lowest = pin;
    this.#end(chip, pin);
  }

  /** ICW1. KVM: what is in service stays, but for the pins whose edge was waiting. */
  #initialize(chip: NaiveChip, hasIcw4: boolean): void {
    const edges = PINS.filter((pin) => chip.requested[pin] && !chip.isLevel[pin]);
    for (const pin of PINS) {
      chip.wire[pin] = false;
      chip.masked[pin] = false;
      if (!chip.isLevel[pin]) chip.requested[pin] = false;
    }
    chip.lowest = 7;
    chip.readsInService = false;
    chip.hasIcw4 = hasIcw4;
    if (!hasIcw4) {
      chip.isSpecialNested = false;
      chip.endsItself = false;
    }
    chip.expected = hasIcw4 ? ['icw2', 'icw3', 'icw4'] : ['icw2', 'icw3'];
    for (const pin of edges) this.#end(chip, pin);
  }

  #writeData(chip: NaiveChip, value: number): void {
    const word = chip.expected.shift();
    if (word === 'icw2') chip.base = value - (value % 8);
    if (word === 'icw4') {
      chip.isSpecialNested = isSet(value, 4);
      chip.endsItself = isSet(value, 1);
    }
    if (word !== undefined) return;
    const changed = PINS.filter((pin) => chip.masked[pin] !== isSet(value, pin));
    for (const pin of PINS) chip.masked[pin] = isSet(value, pin);
    for (const pin of changed) this.onMask(chip.isMaster ? pin : pin + 8, chip.masked[pin]);
    this.update();
  }

  #writeOcw3(chip: NaiveChip, value: number): void {
    if (isSet(value, 2)) chip.isPolled = true;
    if (isSet(value, 1)) chip.readsInService = isSet(value, 0);
  }

  /** Bits 7:5 are rotate, specific, end. */
  #writeOcw2(chip: NaiveChip, command: number, pin: number): void {
    const rotates = command >= 4;
    const isSpecific = command % 4 >= 2;
    const ends = command % 2 === 1;
    if (!isSpecific && !ends) {
      chip.rotatesItself = rotates;
      return;
    }
    let which = pin;
    if (!isSpecific) {
      const first = chip.byPriority().find((candidate) => chip.inService[candidate]);
      if (first === undefined) return;
      which = first;
    }
    // Command 2 is no operation.
    if (!rotates && !ends) return;
    if (rotates) chip.lowest = which;
    if (ends) this.#end(chip, which);
    this.update();
  }

  /** KVM: a poll ends the interrupt at once, without an in-service bit. */
  #poll(chip: NaiveChip): number {
    const pin = chip.winner();
    if (pin < 0) {
      this.update();
      return 0x07;
    }
    if (!chip.isMaster) {
      this.master.inService[CASCADE] = false;
      this.master.requested[CASCADE] = false;
    }
    chip.requested[pin] = false;
    this.#end(chip, pin);
    if (!chip.isMaster || pin !== CASCADE) this.update();
    return 0x80 + pin;
  }
}
