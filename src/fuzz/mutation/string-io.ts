/**
 * Changed cases of `string-io`: one part of a case at a time, then whatever that has made impossible is put right.
 */
import type { Prng } from '../prng.ts';
import {
  CASE_FLAGS,
  CASE_MODES,
  CASE_RAM_BYTES,
  CASE_REGISTERS,
  CASE_SEGMENTS,
  CASE_TSS_BYTES,
  CASE_USERSPACES,
  type CaseDevice,
  type CaseSegment,
  type CaseTss,
  DEVICE_BEHAVIOURS,
  FIXED_FLAGS,
  isProtected,
  MAX_CASE_INSNS,
  MIN_IO_MAP_BASE,
  MIN_TSS_LIMIT,
  type StringIoCase,
} from '../string-io-case.ts';
import { codeWord, mutateCode } from './code.ts';
import { mutateList } from './lists.ts';
import { mutateNumber } from './numbers.ts';

const U16 = 0xffff;
const U32 = 0xffff_ffff;
/** Bytes that an instruction of a case may have: the processor's limit and one more. */
const CODE = { maxBytes: 16, operations: 'port-io' } as const;
const MAX_DEVICES = 6;
const MAX_DENIED = 8;
const MIN_ESP = 0x100;
/** Counts of REP stay below, a batch and more: longer ones run for milliseconds and do little else. */
const COUNT_MASK = 0x7ff;
/** All but one in so many changed counts are below the mask. */
const LONG_SHARE = 32;
const SHORT_COUNT = 7;
const ADDRESS_SIZE = 0x67;
const ACCESSES = ['rw', 'ro', 'null'] as const;

/** A changed copy that a judge takes (`caseProblem` is null). `other` gives parts. */
export function mutateStringIo(test: StringIoCase, other: StringIoCase, random: Prng): StringIoCase {
  return possible(changed(test, other, random));
}

/** The same code in another state: cases of one family, which cost a fraction of others one after the other. */
export function varyStringIo(test: StringIoCase, random: Prng): StringIoCase {
  const { eip } = test.registers;
  let varied = test;
  for (let left = 1 + random.below(3); left > 0; left--) {
    varied = random.oneIn(CASE_REGISTERS.length)
      ? { ...varied, portSeed: random.next() }
      : { ...varied, registers: { ...mutateRegisters(varied, random), eip } };
  }
  return possible(varied);
}

function changed(test: StringIoCase, other: StringIoCase, random: Prng): StringIoCase {
  switch (random.below(16)) {
    case 0:
      return { ...test, mode: random.pick(CASE_MODES), cpl: random.oneIn(2) ? 0 : 3 };
    case 1:
      return { ...test, path: test.path === 'fast' ? 'forced' : 'fast' };
    case 2:
      return { ...test, userspace: random.pick(CASE_USERSPACES) };
    case 3:
      return { ...test, portSeed: random.next() };
    case 4:
      return { ...test, tss: mutateTss(test.tss, other.tss, random) };
    case 5:
    case 6: {
      const change = (device: CaseDevice): CaseDevice => mutateDevice(device, random);
      const create = (): CaseDevice => mutateDevice(deviceAt(test.registers.edx & U16), random);
      const options = { maxLength: MAX_DEVICES, change, create };
      return { ...test, devices: mutateList(test.devices, other.devices, random, options) };
    }
    case 7:
    case 8:
    case 9:
      return { ...test, code: mutateInsns(test.code, other.code, random) };
    case 10:
    case 11: {
      const name = random.pick(CASE_SEGMENTS);
      return { ...test, segments: { ...test.segments, [name]: mutateSegment(test.segments[name], random) } };
    }
    case 12:
      // What the one does, in the state of the other.
      return random.oneIn(2) ? { ...other, code: test.code } : { ...other, registers: test.registers };
    default:
      return { ...test, registers: mutateRegisters(test, random) };
  }
}

function mutateInsns(
  code: StringIoCase['code'],
  other: StringIoCase['code'],
  random: Prng,
): StringIoCase['code'] {
  return mutateList(code, other, random, {
    maxLength: MAX_CASE_INSNS,
    change: (bytes) => mutateCode(bytes, random, CODE),
    create: () => codeWord(random, CODE),
  });
}

function mutateRegisters({ registers }: StringIoCase, random: Prng): StringIoCase['registers'] {
  const name = random.pick(CASE_REGISTERS);
  const max = random.oneIn(2) ? U32 : U16;
  const upper = max === U16 ? registers[name] - (registers[name] & U16) : 0;
  const value = upper + mutateNumber(max === U16 ? registers[name] & U16 : registers[name], max, random);
  const isShort = name === 'ecx' && !random.oneIn(LONG_SHARE);
  return { ...registers, [name]: isShort ? value - (value & U16) + (value & SHORT_COUNT) : value };
}

function mutateTss(tss: CaseTss, other: CaseTss, random: Prng): CaseTss {
  const { limit, ioMapBase, denied } = tss;
  const kind = random.below(3);
  if (kind === 0) return { ...tss, limit: mutateNumber(limit, CASE_TSS_BYTES - 1, random) };
  if (kind === 1) return { ...tss, ioMapBase: mutateNumber(ioMapBase, U16, random) };
  const change = (port: number): number => mutateNumber(port, U16, random);
  const options = { maxLength: MAX_DENIED, change, create: () => random.below(U16 + 1) };
  return { ...tss, denied: mutateList(denied, other.denied, random, options) };
}

function deviceAt(base: number): CaseDevice {
  return { base, len: 1, behaviour: 'answer' };
}

function mutateDevice(device: CaseDevice, random: Prng): CaseDevice {
  switch (random.below(3)) {
    case 0:
      return { ...device, base: mutateNumber(device.base, U16, random) };
    case 1:
      return { ...device, len: mutateNumber(device.len, 16, random) };
    default:
      return { ...device, behaviour: random.pick(DEVICE_BEHAVIOURS) };
  }
}

function mutateSegment(segment: CaseSegment, random: Prng): CaseSegment {
  switch (random.below(3)) {
    case 0:
      return { ...segment, selector: mutateNumber(segment.selector, U16, random) };
    case 1:
      return { ...segment, limit: mutateNumber(segment.limit, CASE_RAM_BYTES - 1, random) };
    default:
      return { ...segment, access: random.pick(ACCESSES) };
  }
}

/** What {@link caseProblem} would refuse, put right. */
function possible(test: StringIoCase): StringIoCase {
  const { mode, registers, segments, tss } = test;
  const isReal = mode === 'real';
  const esp = isReal ? registers.esp : Math.max(registers.esp & U16, MIN_ESP);
  return {
    ...test,
    cpl: isReal ? 0 : mode === 'v86' ? 3 : test.cpl,
    registers: {
      ...registers,
      ecx: possibleCount(test),
      esp,
      eip: registers.eip & U16,
      eflags: (registers.eflags & CASE_FLAGS) | FIXED_FLAGS,
    },
    segments: CASE_SEGMENTS.every((name) => segments[name] === possibleSegment(name, segments[name], mode))
      ? segments
      : (Object.fromEntries(
          CASE_SEGMENTS.map((name) => [name, possibleSegment(name, segments[name], mode)]),
        ) as StringIoCase['segments']),
    tss: isPossibleTss(tss) ? tss : possibleTss(tss),
    devices: apart(test.devices),
  };
}

function possibleCount({ registers: { ecx }, mode, code }: StringIoCase): number {
  const low = (ecx & U16) > COUNT_MASK ? ecx & COUNT_MASK : ecx & U16;
  const isAddr32 = mode === 'prot32' || code.some((bytes) => bytes.includes(ADDRESS_SIZE));
  return isAddr32 ? low : ecx - (ecx & U16) + low;
}

function isPossibleTss({ limit, ioMapBase }: CaseTss): boolean {
  return limit >= MIN_TSS_LIMIT && ioMapBase >= MIN_IO_MAP_BASE;
}

function possibleTss(tss: CaseTss): CaseTss {
  return {
    ...tss,
    limit: Math.max(tss.limit, MIN_TSS_LIMIT),
    ioMapBase: Math.max(tss.ioMapBase, MIN_IO_MAP_BASE),
  };
}

function possibleSegment(
  name: (typeof CASE_SEGMENTS)[number],
  segment: CaseSegment,
  mode: StringIoCase['mode'],
): CaseSegment {
  const isFixed = name === 'cs' || name === 'ss';
  const access = isFixed || !isProtected(mode) ? 'rw' : segment.access;
  const room = CASE_RAM_BYTES - 1 - segment.selector * 16;
  const limit = isFixed || mode === 'v86' ? U16 : Math.min(segment.limit, room);
  return access === segment.access && limit === segment.limit ? segment : { ...segment, access, limit };
}

/** Devices without those that lie over another, or beyond the last port. */
function apart(devices: readonly CaseDevice[]): readonly CaseDevice[] {
  const isApart = ({ base, len }: CaseDevice, i: number): boolean =>
    len >= 1 &&
    base + len <= U16 + 1 &&
    devices.slice(0, i).every((other) => base + len <= other.base || other.base + other.len <= base);
  return devices.every(isApart) ? devices : devices.filter(isApart);
}
