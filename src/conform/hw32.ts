/**
 * Format `hw32`: single 32-bit protected-mode instructions at CPL 3, recorded from a Xeon (vectors/hw32/FORMAT.md).
 * Recognised and counted; to run them the CPU needs protected mode with paging, the `x87_*` files an FPU.
 */
import type { JsonObject } from './json-fields.ts';
import { isObject } from './json-fields.ts';
import type { Replayer, VectorFormat } from './vector-format.ts';

/** See the opening comment. */
export const HW32: VectorFormat = {
  name: 'hw32',
  detect: (first) =>
    typeof first.code === 'string' && isObject(first.in) && 'out' in first && 'undef' in first,
  open: () => EXCLUDED,
};

const EXCLUDED: Replayer = {
  exclusions: (test) => [isObject(test.in) && 'fpu' in test.in ? 'needs x87' : 'needs protected mode'],
  idOf: (test: JsonObject) => String(test.id),
  describe: (test: JsonObject) => `${String(test.code)}  ${String(test.asm)}`,
  replay() {},
  finish() {},
};
