/**
 * Makes a failing case small: fast-check knows how to shrink every part of it; the judge says whether a smaller case
 * still fails.
 */

import type { Arbitrary } from 'fast-check';
import { CASE_TSS_BYTES, MACHINE_RAM_BYTES } from './case-layout.ts';
import { CASE_PAGES, PAGING_FORMATS } from './case-paging.ts';
import {
  CASE_FLAGS,
  CASE_MODES,
  CASE_REGISTERS,
  CASE_SEGMENTS,
  CASE_USERSPACES,
  DEVICE_BEHAVIOURS,
  FIXED_FLAGS,
  MAX_CASE_INSNS,
  type StringIoCase,
} from './string-io-case.ts';

/** Longest instruction that the generator makes. */
const MAX_INSN = 20;
/** Shrinking stops here, however small the case is by then. */
const TIME_LIMIT_MS = 10_000;

/**
 * @param fails whether a case fails; cases that say nothing do not.
 * @returns the smallest failing case that was found, `test` itself when nothing smaller fails.
 */
export async function shrinkCase(
  test: StringIoCase,
  fails: (candidate: StringIoCase) => boolean,
): Promise<StringIoCase> {
  const fc = await import('fast-check');
  // In halves: 16-bit code often looks at the lower one only.
  const half = fc.nat(0xffff);
  const word = fc.tuple(half, half).map(
    ([high, low]) => high * 0x1_0000 + low,
    (value): [number, number] => [Number(value) >>> 16, Number(value) & 0xffff],
  );
  // Every smaller value is again one that a case may have.
  const flags = fc.nat(0x7fff).map(
    (bits) => (bits & CASE_FLAGS) | FIXED_FLAGS,
    (value) => Number(value),
  );
  const registers = Object.fromEntries(
    CASE_REGISTERS.map((name) => [name, name === 'eflags' ? flags : word]),
  );
  const segment = fc.record({
    selector: fc.integer({ min: 0, max: 0xffff }),
    limit: fc.integer({ min: 0, max: 0xffff_ffff }),
    access: fc.constantFrom('rw', 'ro', 'null'),
  });
  const segments = Object.fromEntries(CASE_SEGMENTS.map((name) => [name, segment]));
  const device = fc.record({
    base: fc.integer({ min: 0, max: 0xffff }),
    len: fc.integer({ min: 1, max: 0x1_0000 }),
    behaviour: fc.constantFrom(...DEVICE_BEHAVIOURS),
  });
  const insn = fc.array(fc.integer({ min: 0, max: 0xff }), { maxLength: MAX_INSN });
  const flags12 = fc.nat(0xfff);
  const frame = fc.nat(CASE_PAGES - 1);
  const paging = fc.record({
    format: fc.constantFrom(...PAGING_FORMATS),
    pse: fc.boolean(),
    wp: fc.boolean(),
    flags: flags12,
    directory: fc.array(fc.record({ index: fc.nat(1023), frame, flags: flags12 }), { maxLength: 64 }),
    pages: fc.array(fc.record({ page: fc.nat(MACHINE_RAM_BYTES >> 12), frame, flags: flags12 }), {
      maxLength: 64,
    }),
  });
  const parts = fc.record({
    mode: fc.constantFrom(...CASE_MODES),
    cpl: fc.constantFrom(0, 3),
    tss: fc.record({
      limit: fc.integer({ min: 0, max: CASE_TSS_BYTES }),
      ioMapBase: half,
      denied: fc.array(half, { maxLength: 8 }),
    }),
    paging: fc.option(paging),
    path: fc.constantFrom('fast', 'forced'),
    userspace: fc.constantFrom(...CASE_USERSPACES),
    code: fc.array(insn, { maxLength: MAX_CASE_INSNS }),
    portSeed: word,
    devices: fc.array(device, { maxLength: 8 }),
    registers: fc.record(registers),
    segments: fc.record(segments),
  });
  // Registers and segments are keyed by name lists, which the types of fc.record cannot follow.
  const cases = parts as unknown as Arbitrary<StringIoCase>;
  const property = fc.property(cases, (candidate) => !fails(candidate));
  const result = await fc.check(property, {
    // The failing case itself is the first thing tried; everything after it is shrinking.
    examples: [[test]],
    numRuns: 1,
    interruptAfterTimeLimit: TIME_LIMIT_MS,
  });
  return result.counterexample?.[0] ?? test;
}
