/**
 * The keyboard controller at ports 0x60 and 0x64 (IBM PC AT technical reference, “Keyboard Controller”; names from
 * Linux's include/linux/i8042.h and drivers/input/serio/i8042.h; where those leave room, QEMU's
 * hw/input/pckbd.c). One keyboard hangs on it and no mouse: auxiliary commands are taken, A9 reports a dead
 * interface, D3 and D4 swallow their byte.
 *
 * Commands take no time, so IBF (status bit 1) is always 0. A byte from the keyboard comes into the output buffer
 * as soon as that is empty; an answer of the controller goes first. Translation to scan code set 1 happens on the
 * way, when bit 6 of the command byte asks for it. Status bits 5:7 are always 0.
 *
 * At power-on the command byte has the interrupt and the translation on, as a BIOS leaves it: guests without
 * firmware expect it.
 *
 * Honours one-byte accesses; declines the others without effect.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { IrqLine } from '../bus/irq-line.ts';
import {
  I8042_CMD_AUX_DISABLE,
  I8042_CMD_AUX_ENABLE,
  I8042_CMD_AUX_LOOP,
  I8042_CMD_AUX_SEND,
  I8042_CMD_AUX_TEST,
  I8042_CMD_CTL_RCTR,
  I8042_CMD_CTL_TEST,
  I8042_CMD_CTL_WCTR,
  I8042_CMD_DISABLE_A20,
  I8042_CMD_ENABLE_A20,
  I8042_CMD_KBD_DISABLE,
  I8042_CMD_KBD_ENABLE,
  I8042_CMD_KBD_LOOP,
  I8042_CMD_KBD_TEST,
  I8042_CMD_PULSE,
  I8042_CMD_READ_INPUT,
  I8042_CMD_READ_OUTPUT,
  I8042_CMD_WRITE_OUTPUT,
  I8042_CTR_AUXDIS,
  I8042_CTR_KBDDIS,
  I8042_CTR_KBDINT,
  I8042_CTR_SYS,
  I8042_CTR_XLATE,
  I8042_DATA_PORT,
  I8042_OUT_A20,
  I8042_OUT_AUX_OBF,
  I8042_OUT_OBF,
  I8042_OUT_RESET,
  I8042_STR_CMDDAT,
  I8042_STR_KEYLOCK,
  I8042_STR_OBF,
  I8042_STR_SYS,
} from './i8042-reg.ts';
import { Ps2Keyboard, type Ps2KeyboardState } from './ps2-keyboard.ts';
import { SCANCODE_RELEASE, SCANCODE_RELEASE_BIT, translateScancode } from './scancode-translation.ts';

const SELF_TEST_PASSED = 0x55;
const INTERFACE_GOOD = 0x00;
/** “Clock line stuck low”: nothing is plugged in. */
const INTERFACE_CLOCK_LOW = 0x01;

/** Keyboard clock and data and the unused bits 3:2 idle high, A20 open, reset not pulled. */
const OUTPUT_PORT_DEFAULT = 0xcc | I8042_OUT_A20 | I8042_OUT_RESET;
/** Key lock open, colour display, no manufacturing jumper. */
const INPUT_PORT = 0xa0;

/** {@link I8042State.awaited} and {@link I8042State.pendingReply} when there is none. */
const NOTHING = -1;

/** Everything the controller remembers. */
export interface I8042State {
  /** The command byte. */
  ctr: number;
  /** CMDDAT of the last write, as in the status register. */
  cmddat: number;
  /** The self-test has passed, or the command byte said so. */
  sys: number;
  outputPort: number;
  /** The command whose data byte comes next on port 0x60, or −1. */
  awaited: number;
  isOutputFull: boolean;
  /** The output buffer; it keeps its byte after a read. */
  output: number;
  /** An answer that waits for the output buffer, or −1. */
  pendingReply: number;
  /** The translation has swallowed a release prefix. */
  isRelease: boolean;
}

/** What the controller is connected to. */
export interface I8042Wiring {
  readonly irq: IrqLine;
  /** The A20 bit of the output port was driven. */
  setA20(wantsOpen: boolean): void;
  /** The guest pulled the reset line. */
  onReset(): void;
}

/** The keyboard controller with its keyboard. */
export class I8042 implements IoDevice {
  readonly name = 'i8042';
  readonly state: I8042State = newI8042State();
  readonly keyboard = new Ps2Keyboard();
  readonly #wiring: I8042Wiring;

  constructor(wiring: I8042Wiring) {
    this.#wiring = wiring;
  }

  /**
   * The keyboard sends a byte of a scan code, set 2 unless the guest selected another.
   * @returns whether the keyboard took it: it scans and its buffer has room.
   */
  receiveScancode(byte: number): boolean {
    const isTaken = this.keyboard.press(byte & 0xff);
    this.#update();
    return isTaken;
  }

  read(addr: number, size: IoSize): number {
    if (size !== 1) return IO_NOT_HANDLED;
    return addr === I8042_DATA_PORT ? this.#readData() : this.#status();
  }

  write(addr: number, size: IoSize, value: number): boolean {
    if (size !== 1) return false;
    if (addr === I8042_DATA_PORT) this.#writeData(value);
    else this.#command(value);
    this.#update();
    return true;
  }

  /** Power-on state of controller and keyboard. */
  reset(): void {
    Object.assign(this.state, newI8042State());
    this.keyboard.reset();
    this.#wiring.setA20(true);
    this.#update();
  }

  saveState(): { controller: I8042State; keyboard: Ps2KeyboardState } {
    return { controller: { ...this.state }, keyboard: this.keyboard.saveState() };
  }

  loadState(state: unknown): void {
    const from = state as { controller: I8042State; keyboard: Ps2KeyboardState };
    Object.assign(this.state, from.controller);
    this.keyboard.loadState(from.keyboard);
    this.#wiring.setA20((this.state.outputPort & I8042_OUT_A20) !== 0);
    this.#update();
  }

  #status(): number {
    const s = this.state;
    return I8042_STR_KEYLOCK | s.cmddat | s.sys | (s.isOutputFull ? I8042_STR_OBF : 0);
  }

  #readData(): number {
    const s = this.state;
    const { output } = s;
    s.isOutputFull = false;
    this.#driveIrq(); // low for a moment, so that the next byte is an edge
    this.#update();
    return output;
  }

  #writeData(value: number): void {
    const s = this.state;
    const { awaited } = s;
    s.cmddat = 0;
    s.awaited = NOTHING;
    switch (awaited) {
      case I8042_CMD_CTL_WCTR:
        this.#writeCtr(value);
        break;
      case I8042_CMD_WRITE_OUTPUT:
        this.#writeOutputPort(value);
        break;
      case I8042_CMD_KBD_LOOP:
        s.pendingReply = value;
        break;
      case I8042_CMD_AUX_LOOP:
      case I8042_CMD_AUX_SEND:
        break;
      default:
        s.ctr &= ~I8042_CTR_KBDDIS; // a byte for the keyboard releases it
        this.keyboard.receive(value);
    }
  }

  #command(command: number): void {
    const s = this.state;
    s.cmddat = I8042_STR_CMDDAT;
    s.awaited = NOTHING;
    switch (command) {
      case I8042_CMD_CTL_RCTR:
        s.pendingReply = s.ctr;
        break;
      case I8042_CMD_CTL_WCTR:
      case I8042_CMD_WRITE_OUTPUT:
      case I8042_CMD_KBD_LOOP:
      case I8042_CMD_AUX_LOOP:
      case I8042_CMD_AUX_SEND:
        s.awaited = command;
        break;
      case I8042_CMD_AUX_DISABLE:
        s.ctr |= I8042_CTR_AUXDIS;
        break;
      case I8042_CMD_AUX_ENABLE:
        s.ctr &= ~I8042_CTR_AUXDIS;
        break;
      case I8042_CMD_AUX_TEST:
        s.pendingReply = INTERFACE_CLOCK_LOW;
        break;
      case I8042_CMD_CTL_TEST:
        s.sys = I8042_STR_SYS;
        s.pendingReply = SELF_TEST_PASSED;
        break;
      case I8042_CMD_KBD_TEST:
        s.pendingReply = INTERFACE_GOOD;
        break;
      case I8042_CMD_KBD_DISABLE:
        s.ctr |= I8042_CTR_KBDDIS;
        break;
      case I8042_CMD_KBD_ENABLE:
        s.ctr &= ~I8042_CTR_KBDDIS;
        break;
      case I8042_CMD_READ_INPUT:
        s.pendingReply = INPUT_PORT;
        break;
      case I8042_CMD_READ_OUTPUT:
        s.pendingReply = s.outputPort | (s.isOutputFull ? I8042_OUT_OBF : 0);
        break;
      case I8042_CMD_DISABLE_A20:
        this.#writeOutputPort(s.outputPort & ~I8042_OUT_A20);
        break;
      case I8042_CMD_ENABLE_A20:
        this.#writeOutputPort(s.outputPort | I8042_OUT_A20);
        break;
      default:
        if (command >= I8042_CMD_PULSE && (command & I8042_OUT_RESET) === 0) this.#wiring.onReset();
    }
  }

  #writeCtr(value: number): void {
    this.state.ctr = value;
    this.state.sys = (value & I8042_CTR_SYS) !== 0 ? I8042_STR_SYS : 0;
  }

  #writeOutputPort(value: number): void {
    this.state.outputPort = value & ~(I8042_OUT_OBF | I8042_OUT_AUX_OBF);
    this.#wiring.setA20((value & I8042_OUT_A20) !== 0);
    if ((value & I8042_OUT_RESET) === 0) this.#wiring.onReset();
  }

  /** Fills an empty output buffer and drives the interrupt line. */
  #update(): void {
    const s = this.state;
    if (!s.isOutputFull && s.pendingReply !== NOTHING) {
      this.#fillOutput(s.pendingReply);
      s.pendingReply = NOTHING;
    }
    while (!s.isOutputFull && (s.ctr & I8042_CTR_KBDDIS) === 0 && this.keyboard.hasByte) {
      this.#fromKeyboard(this.keyboard.take());
    }
    this.#driveIrq();
  }

  #fromKeyboard(byte: number): void {
    const s = this.state;
    if ((s.ctr & I8042_CTR_XLATE) === 0) {
      this.#fillOutput(byte);
    } else if (byte === SCANCODE_RELEASE) {
      s.isRelease = true;
    } else {
      this.#fillOutput(translateScancode(byte) | (s.isRelease ? SCANCODE_RELEASE_BIT : 0));
      s.isRelease = false;
    }
  }

  #fillOutput(byte: number): void {
    this.state.output = byte;
    this.state.isOutputFull = true;
  }

  #driveIrq(): void {
    const { isOutputFull, ctr } = this.state;
    this.#wiring.irq.set(isOutputFull && (ctr & I8042_CTR_KBDINT) !== 0 ? 1 : 0);
  }
}

function newI8042State(): I8042State {
  return {
    ctr: I8042_CTR_KBDINT | I8042_CTR_XLATE,
    cmddat: 0,
    sys: 0,
    outputPort: OUTPUT_PORT_DEFAULT,
    awaited: NOTHING,
    isOutputFull: false,
    output: 0,
    pendingReply: NOTHING,
    isRelease: false,
  };
}
