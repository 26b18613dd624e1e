/**
 * What a line of a trace begins with, `[0.000000130] 0000:1006  `, as bytes: virtual time in seconds, and CS:IP. Only what has changed
 * since the line before is written again: an instruction often has several events, and a loop comes back to the same place.
 */
import type { VirtualClock } from '../bus/clock.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { SEG_CS } from '../decoder/insn.ts';

const NS_PER_US = 1_000;
const US_PER_S = 1_000_000;
const ZERO = 0x30;
/** More than the longest: 10 digits of seconds, 8 of EIP. */
const MAX_HEAD = 64;

const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

function putText(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function putHex(bytes: Uint8Array, at: number, value: number, digits: number): number {
  for (let i = 0; i < digits; i++) bytes[at + i] = HEX[(value >>> ((digits - 1 - i) * 4)) & 15];
  return at + digits;
}

/** Three digits of 0 … 999. */
function putDecimal3(bytes: Uint8Array, at: number, value: number): number {
  const tens = (value / 10) | 0;
  const hundreds = (tens / 10) | 0;
  bytes[at] = ZERO + hundreds;
  bytes[at + 1] = ZERO + tens - hundreds * 10;
  bytes[at + 2] = ZERO + value - tens * 10;
  return at + 3;
}

/** The beginning of lines about one machine. */
export class LineHead {
  readonly #clock: VirtualClock;
  readonly #cpu: Cpu;
  readonly #bytes = new Uint8Array(MAX_HEAD);
  /** As much of it as counts. */
  #head = this.#bytes.subarray(0, 0);
  #now = -1;
  #eip = 0;
  #cs = -1;
  #micros = -1;
  /** Where the last three decimals stand. */
  #nanosAt = 0;

  constructor(clock: VirtualClock, cpu: Cpu) {
    this.#clock = clock;
    this.#cpu = cpu;
  }

  /** The beginning of a line that is written now; the bytes change with the next call. */
  current(): Uint8Array {
    const now = this.#clock.nowNs;
    const { eip } = this.#cpu;
    const cs = this.#cpu.segSelector[SEG_CS];
    const isMoved = now !== this.#now && this.#putTime(now);
    if (isMoved || eip !== this.#eip || cs !== this.#cs) this.#putPlace(cs, eip);
    return this.#head;
  }

  /** @returns whether what is behind the time has to move. */
  #putTime(now: number): boolean {
    const micros = Math.floor(now / NS_PER_US);
    const nanosAt = this.#nanosAt;
    this.#now = now;
    if (micros !== this.#micros) {
      this.#micros = micros;
      const seconds = Math.floor(micros / US_PER_S);
      const rest = micros - seconds * US_PER_S;
      const at = putDecimal3(this.#bytes, putText(this.#bytes, 0, `[${seconds}.`), (rest / 1000) | 0);
      this.#nanosAt = putDecimal3(this.#bytes, at, rest % 1000);
    }
    putDecimal3(this.#bytes, this.#nanosAt, now - micros * NS_PER_US);
    return this.#nanosAt !== nanosAt;
  }

  #putPlace(cs: number, eip: number): void {
    this.#eip = eip;
    this.#cs = cs;
    const bytes = this.#bytes;
    let at = putText(bytes, this.#nanosAt + 3, '] ');
    at = putText(bytes, putHex(bytes, at, cs, 4), ':');
    at = putHex(bytes, at, eip, eip >>> 0 > 0xffff ? 8 : 4);
    at = putText(bytes, at, '  ');
    if (at !== this.#head.length) this.#head = bytes.subarray(0, at);
  }
}
