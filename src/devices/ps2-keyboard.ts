/**
 * The keyboard behind the controller: it answers commands and sends scan codes (IBM PS/2 hardware interface
 * technical reference, “Keyboards (101- and 102-Key)”, “Commands from the System”).
 *
 * Scan codes are handed in as the bytes of the set that is selected (set 2 after a reset): a keyboard model with
 * keys belongs to the host's side. Key type commands (F7 … FD), which concern set 3 alone, are refused with FE.
 */

/** Scan codes the keyboard holds while nobody takes them. */
export const KEYBOARD_BUFFER_LEN = 16;

export const KEYBOARD_SET_LEDS = 0xed;
export const KEYBOARD_ECHO = 0xee;
export const KEYBOARD_SCAN_SET = 0xf0;
export const KEYBOARD_IDENTIFY = 0xf2;
export const KEYBOARD_TYPEMATIC = 0xf3;
export const KEYBOARD_ENABLE = 0xf4;
export const KEYBOARD_RESET_DISABLE = 0xf5;
export const KEYBOARD_SET_DEFAULT = 0xf6;
export const KEYBOARD_RESEND = 0xfe;
export const KEYBOARD_RESET = 0xff;

export const KEYBOARD_ACK = 0xfa;
export const KEYBOARD_SELF_TEST_PASSED = 0xaa;
const ID_FIRST = 0xab;
const ID_SECOND = 0x83;
const DEFAULT_SCAN_SET = 2;
const LAST_SCAN_SET = 3;
/** Typematic 10.9 a second after 500 ms. */
const DEFAULT_TYPEMATIC = 0x2b;
/** The longest answer is ACK and two bytes of identification. */
const REPLY_LEN = 3;
/** {@link Ps2KeyboardState.awaited} when the next byte is a command. */
const NO_COMMAND = 0;

/** Everything the keyboard remembers. */
export interface Ps2KeyboardState {
  /** 1 … 3. */
  scanSet: number;
  /** F4 and F5. */
  isScanning: boolean;
  /** Scroll, num, caps lock in bits 0, 1, 2. */
  leds: number;
  typematic: number;
  /** The command whose parameter byte comes next, or 0. */
  awaited: number;
  /** What FE sends again. */
  lastSent: number;
  /** Bytes of the answer not yet sent: they go before scan codes. */
  reply: Uint8Array;
  replyHead: number;
  replyCount: number;
  /** Ring of scan codes. */
  codes: Uint8Array;
  codesHead: number;
  codesCount: number;
}

/** An enhanced keyboard. */
export class Ps2Keyboard {
  readonly state: Ps2KeyboardState = newKeyboardState();

  /** Whether a byte waits to be sent. */
  get hasByte(): boolean {
    return this.state.replyCount > 0 || this.state.codesCount > 0;
  }

  /** Sends the next byte; only while {@link hasByte}. */
  take(): number {
    const s = this.state;
    if (s.replyCount > 0) {
      s.lastSent = s.reply[s.replyHead];
      s.replyHead++;
      s.replyCount--;
    } else {
      s.lastSent = s.codes[s.codesHead];
      s.codesHead = (s.codesHead + 1) % KEYBOARD_BUFFER_LEN;
      s.codesCount--;
    }
    return s.lastSent;
  }

  /** A key sends a byte. @returns whether the keyboard scans and its buffer had room. */
  press(code: number): boolean {
    const s = this.state;
    if (!s.isScanning || s.codesCount === KEYBOARD_BUFFER_LEN) return false;
    s.codes[(s.codesHead + s.codesCount) % KEYBOARD_BUFFER_LEN] = code;
    s.codesCount++;
    return true;
  }

  /** A byte from the system: a command, or the parameter that the last one asked for. */
  receive(byte: number): void {
    const s = this.state;
    const { awaited } = s;
    s.awaited = NO_COMMAND;
    // A command in a parameter's place takes over, as on IBM's keyboards.
    if (awaited !== NO_COMMAND && byte < KEYBOARD_SET_LEDS) this.#parameter(awaited, byte);
    else this.#command(byte);
  }

  /** Power-on state. */
  reset(): void {
    Object.assign(this.state, newKeyboardState());
  }

  saveState(): Ps2KeyboardState {
    return copyKeyboardState(this.state);
  }

  loadState(state: unknown): void {
    Object.assign(this.state, copyKeyboardState(state as Ps2KeyboardState));
  }

  #command(command: number): void {
    const s = this.state;
    switch (command) {
      case KEYBOARD_SET_LEDS:
      case KEYBOARD_SCAN_SET:
      case KEYBOARD_TYPEMATIC:
        s.awaited = command;
        this.#reply(KEYBOARD_ACK);
        break;
      case KEYBOARD_ECHO:
        this.#reply(KEYBOARD_ECHO);
        break;
      case KEYBOARD_IDENTIFY:
        this.#reply(KEYBOARD_ACK, ID_FIRST, ID_SECOND);
        break;
      case KEYBOARD_ENABLE:
        this.#clearCodes();
        s.isScanning = true;
        this.#reply(KEYBOARD_ACK);
        break;
      case KEYBOARD_RESET_DISABLE:
      case KEYBOARD_SET_DEFAULT:
        this.#setDefaults();
        s.isScanning = command === KEYBOARD_SET_DEFAULT;
        this.#reply(KEYBOARD_ACK);
        break;
      case KEYBOARD_RESEND:
        this.#reply(s.lastSent);
        break;
      case KEYBOARD_RESET:
        this.#setDefaults();
        s.leds = 0;
        s.isScanning = true;
        this.#reply(KEYBOARD_ACK, KEYBOARD_SELF_TEST_PASSED);
        break;
      default:
        this.#reply(KEYBOARD_RESEND);
    }
  }

  #parameter(command: number, byte: number): void {
    const s = this.state;
    if (command === KEYBOARD_SET_LEDS) {
      s.leds = byte & 7;
      this.#reply(KEYBOARD_ACK);
    } else if (command === KEYBOARD_TYPEMATIC) {
      s.typematic = byte & 0x7f;
      this.#reply(KEYBOARD_ACK);
    } else if (byte === 0) {
      this.#reply(KEYBOARD_ACK, s.scanSet);
    } else if (byte <= LAST_SCAN_SET) {
      s.scanSet = byte;
      this.#clearCodes();
      this.#reply(KEYBOARD_ACK);
    } else {
      this.#reply(KEYBOARD_RESEND);
    }
  }

  #setDefaults(): void {
    const s = this.state;
    s.scanSet = DEFAULT_SCAN_SET;
    s.typematic = DEFAULT_TYPEMATIC;
    this.#clearCodes();
  }

  #clearCodes(): void {
    this.state.codesHead = 0;
    this.state.codesCount = 0;
  }

  /** Answers; what is left of an earlier answer is dropped, as a command ends it. */
  #reply(first: number, second = -1, third = -1): void {
    const s = this.state;
    s.reply[0] = first;
    s.replyHead = 0;
    s.replyCount = 1;
    if (second >= 0) s.reply[s.replyCount++] = second;
    if (third >= 0) s.reply[s.replyCount++] = third;
  }
}

function newKeyboardState(): Ps2KeyboardState {
  return {
    scanSet: DEFAULT_SCAN_SET,
    isScanning: true,
    leds: 0,
    typematic: DEFAULT_TYPEMATIC,
    awaited: NO_COMMAND,
    lastSent: 0,
    reply: new Uint8Array(REPLY_LEN),
    replyHead: 0,
    replyCount: 0,
    codes: new Uint8Array(KEYBOARD_BUFFER_LEN),
    codesHead: 0,
    codesCount: 0,
  };
}

function copyKeyboardState(state: Ps2KeyboardState): Ps2KeyboardState {
  return { ...state, reply: state.reply.slice(), codes: state.codes.slice() };
}
