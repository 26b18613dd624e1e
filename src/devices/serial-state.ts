/**
 * State of a 16550A and its receiver FIFO: sixteen characters, each with the errors it arrived with (National
 * Semiconductor PC16550D data sheet, “FIFO Control Register” and “Line Status Register”).
 */
import {
  UART_FCR_ENABLE_FIFO,
  UART_FIFO_LEN,
  UART_LSR_BRK_ERROR_BITS,
  UART_LSR_CHARACTER_ERRORS,
  UART_LSR_DR,
  UART_LSR_FIFOE,
  UART_LSR_OE,
  UART_LSR_TEMT,
  UART_LSR_THRE,
  UART_MSR_CTS,
  UART_MSR_DCD,
  UART_MSR_DSR,
} from './serial-reg.ts';

/** No receiver time-out is running. */
export const NO_TIMEOUT = -1;

/** Everything a 16550A remembers. */
export interface SerialState {
  /** 0 … 0x0f. */
  ier: number;
  /** Bits 0, 3, 6 and 7 as last programmed. */
  fcr: number;
  lcr: number;
  /** 0 … 0x1f. */
  mcr: number;
  /** The error bits 4:1 only: DR, THRE, TEMT and FIFOE are computed. */
  lsrErrors: number;
  /** Lines in 7:4, deltas in 3:0. */
  msr: number;
  scr: number;
  /** DLM:DLL, 0 … 0xffff. */
  divisor: number;
  /** The modem inputs outside loopback, bits 7:4. */
  modemLines: number;
  /** The transmitter-empty interrupt is latched: until IIR reports it or THR is written. */
  isThrePending: boolean;
  /** The character time-out interrupt is latched: until a character is read. */
  isTimeoutPending: boolean;
  /** When the time-out strikes, nanoseconds of the machine's clock, or {@link NO_TIMEOUT}. */
  timeoutAtNs: number;
  /** Ring of received characters: in 16450 mode at most one. */
  rx: Uint8Array;
  /** The LSR bits PE, FE, BI each character arrived with. */
  rxErrors: Uint8Array;
  rxHead: number;
  rxCount: number;
}

/** State after the master reset pin was pulled at power-on. 9600 baud, as firmware leaves it. */
export function newSerialState(): SerialState {
  const modemLines = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
  return {
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: 0,
    lsrErrors: 0,
    msr: modemLines,
    scr: 0,
    divisor: 12,
    modemLines,
    isThrePending: false,
    isTimeoutPending: false,
    timeoutAtNs: NO_TIMEOUT,
    rx: new Uint8Array(UART_FIFO_LEN),
    rxErrors: new Uint8Array(UART_FIFO_LEN),
    rxHead: 0,
    rxCount: 0,
  };
}

/** A copy that shares nothing. */
export function copySerialState(state: SerialState): SerialState {
  return { ...state, rx: state.rx.slice(), rxErrors: state.rxErrors.slice() };
}

/** Whether FCR has the FIFOs on. */
export function hasFifo(state: SerialState): boolean {
  return (state.fcr & UART_FCR_ENABLE_FIFO) !== 0;
}

/** Whether another character would be lost. */
export function isRxFull(state: SerialState): boolean {
  return state.rxCount >= (hasFifo(state) ? UART_FIFO_LEN : 1);
}

/**
 * A character comes off the line. When there is no room it overruns: in FIFO mode it is lost with the shift
 * register, in 16450 mode it replaces the one that nobody read.
 */
export function pushRx(state: SerialState, byte: number, errors: number): void {
  if (isRxFull(state)) {
    state.lsrErrors |= UART_LSR_OE;
    if (hasFifo(state)) return;
    state.rxCount = 0;
  }
  const at = (state.rxHead + state.rxCount) % UART_FIFO_LEN;
  state.rx[at] = byte;
  state.rxErrors[at] = errors;
  state.rxCount++;
  if (state.rxCount === 1) revealErrors(state);
}

/** Takes the oldest character; an empty receiver gives the last one again, as the buffer keeps it. */
export function popRx(state: SerialState): number {
  if (state.rxCount === 0) return state.rx[(state.rxHead + UART_FIFO_LEN - 1) % UART_FIFO_LEN];
  const byte = state.rx[state.rxHead];
  state.rxHead = (state.rxHead + 1) % UART_FIFO_LEN;
  state.rxCount--;
  if (state.rxCount > 0) revealErrors(state);
  return byte;
}

/** Empties the receiver. */
export function clearRx(state: SerialState): void {
  state.rx.fill(0);
  state.rxErrors.fill(0);
  state.rxHead = 0;
  state.rxCount = 0;
  state.isTimeoutPending = false;
  state.timeoutAtNs = NO_TIMEOUT;
}

/** LSR as it reads now. The transmitter is always empty: bytes leave at once. */
export function lineStatus(state: SerialState): number {
  let lsr = UART_LSR_THRE | UART_LSR_TEMT | state.lsrErrors;
  if (state.rxCount > 0) lsr |= UART_LSR_DR;
  if (hasFifo(state) && holdsErrors(state)) lsr |= UART_LSR_FIFOE;
  return lsr;
}

/** A read of LSR: clears what {@link lineStatus} showed of errors. */
export function takeLineStatus(state: SerialState): number {
  const lsr = lineStatus(state);
  state.lsrErrors &= ~UART_LSR_BRK_ERROR_BITS;
  if (state.rxCount > 0) state.rxErrors[state.rxHead] = 0;
  return lsr;
}

/** A character's errors show in LSR when it becomes the oldest one. */
function revealErrors(state: SerialState): void {
  state.lsrErrors |= state.rxErrors[state.rxHead] & UART_LSR_CHARACTER_ERRORS;
}

function holdsErrors(state: SerialState): boolean {
  for (let i = 0; i < state.rxCount; i++) {
    if (state.rxErrors[(state.rxHead + i) % UART_FIFO_LEN] !== 0) return true;
  }
  return false;
}
