/**
 * Makes random cases for `pio86 fuzz string-io`, aimed at where things go wrong: the ends of segments and pages,
 * counts about a batch, prefixes in any number and order, ports at the edge of a device.
 */
import type { Prng } from './prng.ts';
import {
  CASE_FLAGS,
  CASE_RAM_BYTES,
  type CaseDevice,
  type CaseSegment,
  DEVICE_BEHAVIOURS,
  FIXED_FLAGS,
  type StringIoCase,
} from './string-io-case.ts';

const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const LOCK = 0xf0;
const STRING_OPCODES = [0x6c, 0x6d, 0x6e, 0x6f] as const;
const DX_OPCODES = [0xec, 0xed, 0xee, 0xef] as const;
const IMMEDIATE_OPCODES = [0xe4, 0xe5, 0xe6, 0xe7] as const;

/** One random case. */
export function generateCase(random: Prng): StringIoCase {
  const code = Array.from({ length: 1 + random.below(3) }, () => instruction(random));
  const edx = corner32(random, () => random.below(0x1_0000));
  const path = random.oneIn(2) ? 'fast' : 'forced';
  return {
    path,
    userspace: random.oneIn(3) ? 'bus' : 'exit',
    code,
    portSeed: random.next(),
    devices: devices(random, portsOf(code, edx % 0x1_0000)),
    registers: {
      eax: random.next(),
      ebx: random.next(),
      ecx: corner32(random, () => repeatCount(random)),
      edx,
      esi: corner32(random, () => offset(random)),
      edi: corner32(random, () => offset(random)),
      ebp: random.next(),
      esp: corner32(random, () => 0x400 + random.below(0xfc00)),
      // Now and then the code runs into the end of its segment.
      eip: random.oneIn(16) ? 0xfff0 + random.below(16) : random.below(0xff00),
      eflags: (random.next() & CASE_FLAGS) | FIXED_FLAGS,
    },
    segments: {
      cs: { selector: random.below(0x1_0000), limit: 0xffff },
      ds: segment(random),
      es: segment(random),
      fs: segment(random),
      gs: segment(random),
      ss: { selector: random.below(0x1_0000), limit: 0xffff },
    },
  };
}

/** Up to a few prefixes, sometimes too many, then an I/O opcode. */
function instruction(random: Prng): number[] {
  const count = random.oneIn(40) ? 12 + random.below(5) : random.below(5);
  const bytes: number[] = Array.from({ length: count }, () => random.pick(PREFIXES));
  if (random.oneIn(30)) bytes.splice(random.below(count + 1), 0, LOCK);
  if (!random.oneIn(3)) return [...bytes, random.pick(STRING_OPCODES)];
  if (random.oneIn(2)) return [...bytes, random.pick(DX_OPCODES)];
  return [...bytes, random.pick(IMMEDIATE_OPCODES), random.below(0x100)];
}

/** A register whose upper half is mostly zero: with 32-bit addressing anything else faults at once. */
function corner32(random: Prng, low: () => number): number {
  const upper = random.oneIn(4) ? random.below(0x1_0000) : 0;
  return upper * 0x1_0000 + low();
}

function repeatCount(random: Prng): number {
  switch (random.below(8)) {
    case 0:
      return 0;
    case 1:
      return 1020 + random.below(10);
    case 2:
      return random.below(3000);
    case 3:
      return random.oneIn(8) ? random.below(0x1_0000) : random.below(600);
    default:
      return 1 + random.below(40);
  }
}

/** Near the ends of the segment, near the end of a page, or anywhere. */
function offset(random: Prng): number {
  switch (random.below(5)) {
    case 0:
      return random.below(48);
    case 1:
      return 0xffff - random.below(48);
    case 2:
      return (random.below(16) * 0x1000 + 0xfff0 + random.below(32)) % 0x1_0000;
    default:
      return random.below(0x1_0000);
  }
}

function segment(random: Prng): CaseSegment {
  const selector = random.below(0x1_0000);
  if (!random.oneIn(8)) return { selector, limit: 0xffff };
  const room = CASE_RAM_BYTES - selector * 16;
  return { selector, limit: random.oneIn(2) ? random.below(0x1_0000) : random.below(room) };
}

/** The ports that the code can touch. */
function portsOf(code: readonly (readonly number[])[], dx: number): number[] {
  const immediates = code.flatMap((bytes) => {
    const opcode = bytes[bytes.length - 2];
    return opcode !== undefined && opcode >= 0xe4 && opcode <= 0xe7 ? [bytes[bytes.length - 1]] : [];
  });
  return [dx, ...immediates];
}

/** Up to three devices at or beside the ports in use, none over another. */
function devices(random: Prng, ports: readonly number[]): CaseDevice[] {
  const made: CaseDevice[] = [];
  for (let i = random.below(4); i > 0; i--) {
    const base = Math.max(0, random.pick(ports) - random.below(4));
    const len = Math.min(1 + random.below(8), 0x1_0000 - base);
    const isFree = made.every((other) => base + len <= other.base || other.base + other.len <= base);
    if (isFree) made.push({ base, len, behaviour: random.pick(DEVICE_BEHAVIOURS) });
  }
  return made;
}
