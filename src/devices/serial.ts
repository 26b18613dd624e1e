/**
 * The 16550A UART of a PC's COM port (National Semiconductor PC16550D data sheet; where that leaves room, what
 * QEMU's hw/char/serial.c does, because guests are tested on it).
 *
 * Honours one-byte accesses; declines the others without effect. Bits that do not exist (IER 7:4, MCR 7:5,
 * IIR 5:4) read as 0. Writes to LSR and MSR, which the data sheet keeps for factory tests, have no effect.
 *
 * The transmitter takes no time: a byte written to THR reaches the sink at once, THRE and TEMT stay 1, and the
 * transmitter-empty interrupt is pending again directly. A word length below 8 bits is not applied to the data;
 * together with the divisor it only sets the receiver's time-out. Break is stored in LCR and sends nothing.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { ByteSink, IrqLine } from '../bus/irq-line.ts';
import {
  characterTimeNs,
  triggerLevel,
  UART_FCR_CLEAR_RCVR,
  UART_FCR_DMA_SELECT,
  UART_FCR_ENABLE_FIFO,
  UART_FCR_TRIGGER_MASK,
  UART_IER,
  UART_IER_MASK,
  UART_IER_MSI,
  UART_IER_RDI,
  UART_IER_RLSI,
  UART_IER_THRI,
  UART_IIR,
  UART_IIR_FIFO_ENABLED,
  UART_IIR_MSI,
  UART_IIR_NO_INT,
  UART_IIR_RDI,
  UART_IIR_RLSI,
  UART_IIR_RX_TIMEOUT,
  UART_IIR_THRI,
  UART_LCR,
  UART_LCR_DLAB,
  UART_LSR,
  UART_MCR,
  UART_MCR_DTR,
  UART_MCR_LOOP,
  UART_MCR_MASK,
  UART_MCR_OUT1,
  UART_MCR_OUT2,
  UART_MCR_RTS,
  UART_MSR,
  UART_MSR_ANY_DELTA,
  UART_MSR_CTS,
  UART_MSR_DCD,
  UART_MSR_DSR,
  UART_MSR_LINES,
  UART_MSR_RI,
  UART_MSR_TERI,
  UART_RX,
  UART_SCR,
} from './serial-reg.ts';
import {
  clearRx,
  copySerialState,
  hasFifo,
  isRxFull,
  NO_TIMEOUT,
  newSerialState,
  popRx,
  pushRx,
  type SerialState,
  takeLineStatus,
} from './serial-state.ts';

/** First port of COM1; its interrupt is IRQ 4. */
export const COM1_PORT = 0x3f8;
/** ISA interrupt of COM1. */
export const COM1_IRQ = 4;

const REGISTER_MASK = 7;
/** “No characters in or out for four character times.” */
const TIMEOUT_CHARACTERS = 4;

/** What a UART is connected to. */
export interface SerialWiring {
  /** INTR, gated by OUT2 as on a PC's card. */
  readonly irq: IrqLine;
  readonly clock: Clock;
  /** The far end of the line. */
  readonly sink: ByteSink;
}

/** One 16550A. */
export class Serial16550A implements IoDevice {
  readonly name = 'serial';
  readonly state: SerialState = newSerialState();
  readonly #irq: IrqLine;
  readonly #clock: Clock;
  readonly #sink: ByteSink;
  readonly #timeout: Alarm;

  constructor(wiring: SerialWiring) {
    this.#irq = wiring.irq;
    this.#clock = wiring.clock;
    this.#sink = wiring.sink;
    this.#timeout = wiring.clock.createAlarm(() => this.#onTimeout());
  }

  /**
   * A character comes in from the line.
   * @param errors UART_LSR_PE, FE and BI, for a character that arrived broken.
   * @returns whether there was room; without it, or in loopback, the line is not listened to and nothing changes.
   */
  receive(byte: number, errors = 0): boolean {
    if ((this.state.mcr & UART_MCR_LOOP) !== 0 || isRxFull(this.state)) return false;
    this.#arrive(byte & 0xff, errors);
    return true;
  }

  /** The modem's lines (UART_MSR_CTS, DSR, RI, DCD), as they are now. All but RI are on at power-on. */
  setModemLines(lines: number): void {
    this.state.modemLines = lines & UART_MSR_LINES;
    this.#updateModemStatus();
  }

  read(addr: number, size: IoSize): number {
    if (size !== 1) return IO_NOT_HANDLED;
    const s = this.state;
    const hasDivisor = (s.lcr & UART_LCR_DLAB) !== 0;
    switch (addr & REGISTER_MASK) {
      case UART_RX:
        return hasDivisor ? s.divisor & 0xff : this.#readRbr();
      case UART_IER:
        return hasDivisor ? s.divisor >> 8 : s.ier;
      case UART_IIR:
        return this.#readIir();
      case UART_LCR:
        return s.lcr;
      case UART_MCR:
        return s.mcr;
      case UART_LSR:
        return this.#readLsr();
      case UART_MSR:
        return this.#readMsr();
      default:
        return s.scr;
    }
  }

  write(addr: number, size: IoSize, value: number): boolean {
    if (size !== 1) return false;
    const s = this.state;
    const hasDivisor = (s.lcr & UART_LCR_DLAB) !== 0;
    switch (addr & REGISTER_MASK) {
      case UART_RX:
        if (hasDivisor) s.divisor = (s.divisor & 0xff00) | value;
        else this.#writeThr(value);
        break;
      case UART_IER:
        if (hasDivisor) s.divisor = (s.divisor & 0xff) | (value << 8);
        else this.#writeIer(value & UART_IER_MASK);
        break;
      case UART_IIR:
        this.#writeFcr(value);
        break;
      case UART_LCR:
        s.lcr = value;
        break;
      case UART_MCR:
        s.mcr = value & UART_MCR_MASK;
        this.#updateModemStatus();
        break;
      case UART_SCR:
        s.scr = value;
        break;
      default: // LSR and MSR: factory tests only
        break;
    }
    return true;
  }

  /** The master reset pin: the divisor, the scratch register and the modem's lines stay. */
  reset(): void {
    const { divisor, scr, modemLines } = this.state;
    Object.assign(this.state, newSerialState(), { divisor, scr, modemLines, msr: modemLines });
    this.#update();
  }

  saveState(): SerialState {
    return copySerialState(this.state);
  }

  loadState(state: unknown): void {
    Object.assign(this.state, copySerialState(state as SerialState));
    this.#update();
  }

  #readRbr(): number {
    const s = this.state;
    const byte = popRx(s);
    s.isTimeoutPending = false;
    this.#restartTimeout();
    this.#update();
    return byte;
  }

  #readIir(): number {
    const s = this.state;
    const id = this.#interruptId();
    if (id === UART_IIR_THRI) {
      s.isThrePending = false;
      this.#update();
    }
    return hasFifo(s) ? id | UART_IIR_FIFO_ENABLED : id;
  }

  #readLsr(): number {
    const hadErrors = this.state.lsrErrors !== 0;
    const lsr = takeLineStatus(this.state);
    if (hadErrors) this.#update();
    return lsr;
  }

  #readMsr(): number {
    const msr = this.state.msr;
    this.state.msr = msr & ~UART_MSR_ANY_DELTA;
    this.#update();
    return msr;
  }

  #writeThr(byte: number): void {
    const s = this.state;
    const interrupts = (s.ier & UART_IER_THRI) !== 0;
    s.isThrePending = false;
    if (interrupts) this.#update(); // low for a moment, so that the byte that has left is an edge
    if ((s.mcr & UART_MCR_LOOP) !== 0) this.#arrive(byte, 0);
    else this.#sink.write(byte);
    s.isThrePending = true;
    if (interrupts) this.#update();
  }

  #writeIer(ier: number): void {
    const s = this.state;
    // Enabling the interrupt while THR is empty raises it, even after IIR has reported it before.
    if (((ier ^ s.ier) & UART_IER_THRI) !== 0) s.isThrePending = (ier & UART_IER_THRI) !== 0;
    s.ier = ier;
    this.#update();
  }

  #writeFcr(value: number): void {
    const s = this.state;
    const isSwitch = ((value ^ s.fcr) & UART_FCR_ENABLE_FIFO) !== 0;
    // The other bits are not programmed unless bit 0 is written as 1. UART_FCR_CLEAR_XMIT finds nothing to clear.
    const isProgrammed = (value & UART_FCR_ENABLE_FIFO) !== 0;
    if (isSwitch || (isProgrammed && (value & UART_FCR_CLEAR_RCVR) !== 0)) clearRx(s);
    s.fcr = isProgrammed ? value & (UART_FCR_ENABLE_FIFO | UART_FCR_DMA_SELECT | UART_FCR_TRIGGER_MASK) : 0;
    this.#update();
  }

  #arrive(byte: number, errors: number): void {
    pushRx(this.state, byte, errors);
    this.#restartTimeout();
    this.#update();
  }

  /** A character came or went: the time-out starts anew, or stops with the last one. */
  #restartTimeout(): void {
    const s = this.state;
    const runs = hasFifo(s) && s.rxCount > 0;
    s.timeoutAtNs = runs
      ? this.#clock.nowNs + TIMEOUT_CHARACTERS * characterTimeNs(s.lcr, s.divisor)
      : NO_TIMEOUT;
  }

  #onTimeout(): void {
    this.state.isTimeoutPending = true;
    this.#update();
  }

  /** Modem inputs, or in loopback the outputs in their place, and what changed since. */
  #updateModemStatus(): void {
    const s = this.state;
    const before = s.msr & UART_MSR_LINES;
    const lines = (s.mcr & UART_MCR_LOOP) !== 0 ? loopedLines(s.mcr) : s.modemLines;
    const changed = (lines ^ before) >> 4;
    // The ring indicator reports its trailing edge only.
    const deltas = (lines & UART_MSR_RI) !== 0 ? changed & ~UART_MSR_TERI : changed;
    s.msr = lines | (s.msr & UART_MSR_ANY_DELTA) | deltas;
    this.#update();
  }

  #interruptId(): number {
    const s = this.state;
    if ((s.ier & UART_IER_RLSI) !== 0 && s.lsrErrors !== 0) return UART_IIR_RLSI;
    if ((s.ier & UART_IER_RDI) !== 0) {
      if (s.isTimeoutPending) return UART_IIR_RX_TIMEOUT;
      if (s.rxCount >= (hasFifo(s) ? triggerLevel(s.fcr) : 1)) return UART_IIR_RDI;
    }
    if ((s.ier & UART_IER_THRI) !== 0 && s.isThrePending) return UART_IIR_THRI;
    if ((s.ier & UART_IER_MSI) !== 0 && (s.msr & UART_MSR_ANY_DELTA) !== 0) return UART_IIR_MSI;
    return UART_IIR_NO_INT;
  }

  /** Drives the interrupt line and keeps the alarm in step with the state. */
  #update(): void {
    const s = this.state;
    // Data sheet: loopback turns the OUT2 pin off. The register bit gates here, as in Bochs: drivers that test
    // their interrupt in loopback expect it to arrive.
    const isRaised = (s.mcr & UART_MCR_OUT2) !== 0 && this.#interruptId() !== UART_IIR_NO_INT;
    this.#irq.set(isRaised ? 1 : 0);
    // Only an enabled time-out needs the alarm: an idle machine must not be woken for nothing.
    const isAwaited = s.timeoutAtNs !== NO_TIMEOUT && !s.isTimeoutPending && (s.ier & UART_IER_RDI) !== 0;
    if (!isAwaited) this.#timeout.cancel();
    else if (this.#timeout.deadlineNs !== s.timeoutAtNs) this.#timeout.set(s.timeoutAtNs);
  }
}

/** Loopback connects DTR to DSR, RTS to CTS, OUT1 to RI and OUT2 to DCD. */
function loopedLines(mcr: number): number {
  let lines = 0;
  if ((mcr & UART_MCR_RTS) !== 0) lines |= UART_MSR_CTS;
  if ((mcr & UART_MCR_DTR) !== 0) lines |= UART_MSR_DSR;
  if ((mcr & UART_MCR_OUT1) !== 0) lines |= UART_MSR_RI;
  if ((mcr & UART_MCR_OUT2) !== 0) lines |= UART_MSR_DCD;
  return lines;
}
