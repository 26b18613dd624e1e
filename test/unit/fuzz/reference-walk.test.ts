/** The reference model's page walk against another one that shares nothing with it either. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReferenceWalk } from '../../../src/fuzz/reference-walk.ts';
import { UndoRam } from '../../../src/fuzz/undo-ram.ts';
import { naiveWalk } from '../../fuzz/naive-walk.ts';

const FRAMES = 8;
const RAM_BYTES = FRAMES * 0x1000;
const RUNS = 2000;

/** Mostly present; frames in RAM, now and then a reserved bit or an address bit above 4 GiB. */
const entry = fc
  .record({
    frame: fc.nat({ max: FRAMES - 1 }),
    flags: fc.nat({ max: 0xfff }),
    isAbsent: fc.integer({ min: 0, max: 7 }),
    stray: fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 12, max: 31 }) },
    ),
  })
  .map(({ frame, flags, isAbsent, stray }) => {
    const low = (frame << 12) | (flags & ~1) | (isAbsent === 0 ? 0 : 1);
    return (stray === 0 ? low : low | (1 << stray)) >>> 0;
  });

const tables = fc.array(entry, { minLength: 4, maxLength: 24 });
const access = fc.record({
  linear: fc
    .tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 0xfff }))
    .map(([top, upper, lower, at]) => ((top << 30) | (upper << 21) | (lower << 12) | at) >>> 0),
  isWrite: fc.boolean(),
  isUser: fc.boolean(),
});

/** Every page begins with entries; in PAE paging their upper halves are 0. */
function ramOf(entries: readonly number[], isPae: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(RAM_BYTES));
  const width = isPae ? 8 : 4;
  for (let page = 0; page < FRAMES; page++)
    for (let i = 0; i < 4; i++)
      view.setUint32(page * 0x1000 + width * i, entries[(page * 4 + i) % entries.length], true);
  return new Uint8Array(view.buffer);
}

describe('the walk', () => {
  it('finds the page or the error code, and sets accessed and dirty flags, as the manual says', () => {
    const property = fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      tables,
      fc.array(access, { minLength: 1, maxLength: 6 }),
      (isPae, pse, wp, entries, accesses) => {
        const ram = ramOf(entries, isPae);
        const naive = ram.slice();
        const walk = new ReferenceWalk(new UndoRam(ram));
        const paging = { isPae, hasPse: pse, isWriteProtected: wp, root: 0 };
        for (const { linear, isWrite, isUser } of accesses) {
          const kind = isWrite ? 'write' : 'read';
          const want = naiveWalk(naive, { isPae, pse, wp, nxe: false, pge: false }, { linear, kind, isUser });
          const got = walk.translate(paging, linear, isWrite, isUser);
          if ('error' in want) expect([got, walk.errorCode]).toEqual([-1, want.error]);
          else expect(got).toBe(want.page * 0x1000 + (linear & 0xfff));
          expect(Buffer.compare(ram, naive)).toBe(0);
        }
      },
    );
    fc.assert(property, { numRuns: RUNS, seed: 1 });
  });
});
