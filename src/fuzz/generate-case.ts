/**
 * Makes random cases for `pio86 fuzz string-io`, aimed at where things go wrong: the ends of segments and pages,
 * counts about a batch, prefixes in any number and order, ports at the edge of a device, bit maps at the TSS limit.
 *
 * Cases come in families: 128 in a row share the code, the ports and the segments and differ in the registers.
 * Any of them is a function of the seed and its number alone.
 */
import { CASE_RAM_BYTES } from './case-layout.ts';
import { aliasOffset, generatePaging, listedPageOffset, type PagingAlias } from './generate-paging.ts';
import { Prng } from './prng.ts';
import {
  CASE_FLAGS,
  type CaseDevice,
  type CaseMode,
  type CaseSegment,
  type CaseTss,
  DEVICE_BEHAVIOURS,
  FIXED_FLAGS,
  type SegmentAccess,
  type StringIoCase,
} from './string-io-case.ts';

const FAMILY_SHIFT = 7;
/** Streams of a seed: the families, and the registers of each case. */
const REGISTER_STREAMS = 0x5eed_0001;
const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const LOCK = 0xf0;
const REP = 0xf3;
const ADDRESS_SIZE = 0x67;
const STRING_OPCODES = [0x6c, 0x6d, 0x6e, 0x6f] as const;
const DX_OPCODES = [0xec, 0xed, 0xee, 0xef] as const;
const IMMEDIATE_OPCODES = [0xe4, 0xe5, 0xe6, 0xe7] as const;
/** KVM treats OUT to this port unlike the others. */
const QUIRK_PORT = 0x7e;
const NO_PAGING = { paging: null, alias: null, segments: null };

/** What the cases of a family share. */
type Family = Omit<StringIoCase, 'registers' | 'portSeed'> & {
  readonly eip: number;
  readonly port: number;
  readonly isAddr32: boolean;
  /** Linear addresses where a large page shows the RAM again. */
  readonly alias: PagingAlias | null;
};

/** The cases of one seed. */
export class CaseSource {
  readonly #seed: number;
  readonly #familyRandom = new Prng(0, 0);
  readonly #random = new Prng(0, 0);
  #family: Family | null = null;
  #number = -1;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Case number `run`. */
  at(run: number): StringIoCase {
    const number = run >>> FAMILY_SHIFT;
    let family = this.#family;
    if (family === null || number !== this.#number) {
      this.#familyRandom.reseed(this.#seed, number);
      family = generateFamily(this.#familyRandom);
      this.#family = family;
      this.#number = number;
    }
    this.#random.reseed(this.#seed ^ REGISTER_STREAMS, run);
    return member(this.#random, family);
  }
}

/** A case by itself, of no family. */
export function randomCase(random: Prng): StringIoCase {
  return member(random, generateFamily(random));
}

function member(random: Prng, family: Family): StringIoCase {
  const { mode, cpl, tss, paging, path, userspace, code, devices, segments, eip, port, isAddr32 } = family;
  const isReal = mode === 'real';
  return {
    mode,
    cpl,
    tss,
    paging,
    path,
    userspace,
    code,
    portSeed: random.next(),
    devices,
    registers: {
      eax: random.next(),
      ebx: random.next(),
      ecx: counter32(random, isAddr32),
      edx: corner32(random, random.oneIn(4) ? (port + random.below(9) - 4) & 0xffff : port),
      esi: index32(random, family, segments.ds),
      edi: index32(random, family, segments.es),
      ebp: random.next(),
      esp: isReal ? corner32(random, 0x400 + random.below(0xfc00)) : 0x400 + random.below(0xfc00),
      eip,
      eflags: (random.next() & CASE_FLAGS) | FIXED_FLAGS,
    },
    segments,
  };
}

function generateFamily(random: Prng): Family {
  const code: number[][] = [];
  for (let i = insnCount(random); i > 0; i--) code.push(instruction(random));
  const port = random.oneIn(16) ? 0xffff - random.below(4) : random.below(0x1_0000);
  const mode = modeOf(random);
  const kind = random.below(8);
  const ports = portsOf(code, port);
  const cpl = privilege(random, mode);
  const caseTss = tss(random, ports);
  const path = random.oneIn(2) ? ('fast' as const) : ('forced' as const);
  const userspace = kind < 2 ? ('bus' as const) : kind === 2 ? ('move' as const) : ('exit' as const);
  const wired = devices(random, ports);
  const plain = segments(random, mode);
  // Now and then the code runs into the end of its segment.
  const eip = random.oneIn(16) ? 0xfff0 + random.below(16) : random.below(0xff00);
  // Somewhere in the code (E)CX may be ECX.
  const isAddr32 = code.some((bytes) => bytes.includes(ADDRESS_SIZE) !== (mode === 'prot32'));
  // Two of three where paging is possible: a fifth of all.
  const isPaged = mode !== 'real' && !random.oneIn(3);
  const paged = isPaged ? generatePaging(random, plain, eip, mode === 'v86') : NO_PAGING;
  return {
    mode,
    cpl,
    tss: caseTss,
    paging: paged.paging,
    path,
    userspace,
    code,
    devices: wired,
    segments: paged.segments ?? plain,
    eip,
    port,
    isAddr32,
    alias: isAddr32 ? paged.alias : null,
  };
}

function privilege(random: Prng, mode: CaseMode): 0 | 3 {
  return mode === 'v86' || (mode !== 'real' && !random.oneIn(3)) ? 3 : 0;
}

function insnCount(random: Prng): number {
  const n = random.below(16);
  return n < 11 ? 1 : n < 15 ? 2 : 3;
}

function modeOf(random: Prng): CaseMode {
  const kind = random.below(16);
  return kind === 0 ? 'v86' : kind < 3 ? 'prot16' : kind < 5 ? 'prot32' : 'real';
}

/** Limits about where the bit map ends for one of the ports; few ports denied, most of them beside one in use. */
function tss(random: Prng, ports: readonly number[]): CaseTss {
  const ioMapBase = random.oneIn(8) ? 0x60 + random.below(0xffa0) : 0x68 + random.below(0x80);
  const last = ioMapBase + (random.pick(ports) >> 3);
  const limit = random.oneIn(16) ? 12 + random.below(100) : random.oneIn(3) ? last + random.below(3) : 0x2fff;
  const denied: number[] = [];
  for (let i = random.below(4); i > 0; i--) denied.push((random.pick(ports) + random.below(6) - 1) & 0xffff);
  return { limit: Math.min(Math.max(limit, 12), 0x2fff), ioMapBase, denied };
}

/** Up to a few prefixes, sometimes too many, then an I/O opcode. */
function instruction(random: Prng): number[] {
  const bytes: number[] = [];
  let count = random.oneIn(40) ? 12 + random.below(5) : random.oneIn(3) ? random.below(5) : random.below(2);
  const isString = !random.oneIn(3);
  if (isString && random.oneIn(2)) bytes.push(REP);
  for (; count > 0; count--) bytes.push(random.pick(PREFIXES));
  if (random.oneIn(40)) bytes.splice(random.below(bytes.length + 1), 0, LOCK);
  if (isString) bytes.push(random.pick(STRING_OPCODES));
  else if (random.oneIn(2)) bytes.push(random.pick(DX_OPCODES));
  else bytes.push(random.pick(IMMEDIATE_OPCODES), random.oneIn(16) ? QUIRK_PORT : random.below(0x100));
  return bytes;
}

/** A register whose upper half is mostly zero: with 32-bit addressing anything else faults at once. */
function corner32(random: Prng, low: number): number {
  const upper = random.oneIn(8) ? random.below(0x1_0000) : 0;
  return upper * 0x1_0000 + low;
}

/** An offset near the ends of things: of a large page, of a page that the page tables treat otherwise, of any. */
function index32(random: Prng, { alias, paging }: Family, segment: CaseSegment): number {
  if (alias !== null && random.oneIn(2)) return aliasOffset(random, alias, segment);
  const listed = paging === null || random.oneIn(3) ? -1 : listedPageOffset(random, paging, segment);
  return corner32(random, listed < 0 ? offset(random) : listed);
}

/** The upper half of ECX is mostly zero where it counts: such a REP runs to the end of a segment. */
function counter32(random: Prng, isAddr32: boolean): number {
  const low = repeatCount(random);
  const upper = random.oneIn(isAddr32 ? 16384 : 4) ? random.below(0x1_0000) : 0;
  return upper * 0x1_0000 + low;
}

/** Mostly short: a fuzzer that runs long REPs does little else. Batches end at pages, and at 1024 bytes at most. */
function repeatCount(random: Prng): number {
  const kind = random.below(4096);
  if (kind < 2) return random.oneIn(128) ? random.below(0x1_0000) : 1020 + random.below(10);
  if (kind < 10) return random.below(600);
  if (kind < 300) return 0;
  return 1 + random.below(kind < 400 ? 30 : 5);
}

/** Near the ends of the segment, near the end of a page, or anywhere. */
function offset(random: Prng): number {
  switch (random.below(6)) {
    case 0:
      return random.below(12);
    case 1:
      return 0xffff - random.below(12);
    case 2:
    case 3:
      return (random.below(16) * 0x1000 + 0xff8 + random.below(12)) & 0xffff;
    default:
      return random.below(0x1_0000);
  }
}

function segments(random: Prng, mode: CaseMode): StringIoCase['segments'] {
  return {
    cs: { selector: random.below(0x1_0000), limit: 0xffff, access: 'rw' },
    ds: segment(random, mode),
    es: segment(random, mode),
    fs: segment(random, mode),
    gs: segment(random, mode),
    ss: { selector: random.below(0x1_0000), limit: 0xffff, access: 'rw' },
  };
}

function segment(random: Prng, mode: CaseMode): CaseSegment {
  const selector = random.below(0x1_0000);
  const access = accessOf(random, mode);
  if (mode === 'v86' || !random.oneIn(6)) return { selector, limit: 0xffff, access };
  const room = CASE_RAM_BYTES - selector * 16;
  const kind = random.below(4);
  const limit =
    kind === 0 ? random.below(room) : kind === 1 ? (offset(random) & 0xf000) + 0xfff : random.below(0x1_0000);
  return { selector, limit: Math.min(limit, room - 1), access };
}

function accessOf(random: Prng, mode: CaseMode): SegmentAccess {
  if (mode === 'real' || mode === 'v86') return 'rw';
  const kind = random.below(16);
  return kind === 0 ? 'null' : kind === 1 ? 'ro' : 'rw';
}

/** The ports that the code can touch. */
function portsOf(code: readonly (readonly number[])[], dx: number): number[] {
  const ports = [dx];
  for (const bytes of code) {
    const opcode = bytes.length < 2 ? 0 : bytes[bytes.length - 2];
    if (opcode >= 0xe4 && opcode <= 0xe7) ports.push(bytes[bytes.length - 1]);
  }
  return ports;
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
