/**
 * What a TLB may remember: after a change of a page-table entry an access uses the new entry or one that was cached before;
 * behind INVLPG, or a load of CR3 where the entry is not global, only the new one. And a #PF is always the present entry's.
 *
 * Intel SDM vol. 3A, “Invalidation of TLBs and Paging-Structure Caches”, “Optional Invalidation”.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readLinear, writeLinear } from '../../src/cpu/access.ts';
import { invalidatePage, setCr0, setCr3, setCr4 } from '../../src/cpu/control-registers.ts';
import { Cpu, FAULT_NONE } from '../../src/cpu/cpu.ts';
import { GuestMemory } from '../../src/cpu/memory.ts';
import { SEG_SS } from '../../src/decoder/insn.ts';

const RUNS = Number(process.env.PIO86_FUZZ_RUNS ?? 300);
const FRAMES = 8;
/** Frames 8–15 hold their own number; the tables are in frames 0 and 1. */
const FIRST_FRAME = 8;
const PAGES = 3;
const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const GLOBAL = 0x100;

interface Entry {
  readonly frame: number;
  readonly flags: number;
}

type Step =
  | { readonly do: 'entry'; readonly page: number; readonly entry: Entry }
  | { readonly do: 'invlpg'; readonly page: number }
  | { readonly do: 'cr3' | 'cr4.pge' | 'cr0.wp' }
  | { readonly do: 'access'; readonly page: number; readonly isWrite: boolean; readonly isUser: boolean };

const page = fc.nat({ max: PAGES - 1 });
const entry = fc.record({
  frame: fc.nat({ max: FRAMES - 1 }).map((n) => FIRST_FRAME + n),
  flags: fc.oneof(fc.constantFrom(7, 7 | GLOBAL, 5, 3), fc.constantFrom(0, 6, GLOBAL)),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('entry' as const), page, entry }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('invlpg' as const), page }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('cr3' as const, 'cr3' as const, 'cr4.pge' as const, 'cr0.wp' as const),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('access' as const),
      page,
      isWrite: fc.boolean(),
      isUser: fc.boolean(),
    }),
  },
);

/** A processor, and what it may remember of each page: the present entry last. */
class Model {
  readonly cpu: Cpu;
  readonly known: Entry[][] = [];
  #isGlobalOn = true;
  #wp = true;

  constructor() {
    const memory = new GuestMemory();
    memory.addSlot(0, 0, new Uint8Array((FIRST_FRAME + FRAMES) * 0x1000), false);
    this.cpu = new Cpu(memory);
    setCr3(this.cpu, 0);
    setCr4(this.cpu, 0x80);
    setCr0(this.cpu, 0x8001_0011 | 0);
    memory.view.setUint32(0, 0x1000 | PRESENT | WRITABLE | USER, true);
    for (let i = 0; i < PAGES; i++) {
      this.known.push([]);
      this.enter(i, { frame: FIRST_FRAME + i, flags: 7 });
    }
  }

  enter(at: number, one: Entry): void {
    this.cpu.mem.view.setUint32(0x1000 + at * 4, (one.frame << 12) | one.flags, true);
    this.known[at].push(one);
  }

  /** All but what `stays` is forgotten; the present entry is always known. */
  #forget(stays: (one: Entry) => boolean): void {
    for (const list of this.known)
      list.splice(0, list.length, ...list.slice(0, -1).filter(stays), ...list.slice(-1));
  }

  /** Everything but accesses. */
  apply(one: Step): void {
    const { cpu } = this;
    if (one.do === 'entry') this.enter(one.page, one.entry);
    if (one.do === 'invlpg') {
      invalidatePage(cpu, one.page << 12);
      this.known[one.page].splice(0, this.known[one.page].length - 1);
    }
    if (one.do === 'cr3') {
      setCr3(cpu, 0);
      this.#forget(({ flags }) => this.#isGlobalOn && (flags & GLOBAL) !== 0);
    }
    if (one.do === 'cr4.pge') {
      this.#isGlobalOn = !this.#isGlobalOn;
      setCr4(cpu, this.#isGlobalOn ? 0x80 : 0);
      this.#forget(() => false);
    }
    if (one.do === 'cr0.wp') {
      this.#wp = !this.#wp;
      setCr0(cpu, cpu.cr0 ^ 0x1_0000);
    }
  }

  /** Whether an entry lets the access through. */
  allows({ flags }: Entry, isWrite: boolean, isUser: boolean): boolean {
    if ((flags & PRESENT) === 0 || (isUser && (flags & USER) === 0)) return false;
    return !isWrite || (flags & WRITABLE) !== 0 || (!isUser && !this.#wp);
  }
}

describe('a TLB', () => {
  it('remembers no more than the manual lets it, and never makes a fault of its own', () => {
    let stale = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => {
        const model = new Model();
        const { cpu } = model;
        const { view } = cpu.mem;
        for (const one of steps) {
          if (one.do !== 'access') {
            model.apply(one);
            continue;
          }
          const { isWrite, isUser } = one;
          for (let i = 0; i < FRAMES; i++) view.setUint32((FIRST_FRAME + i) << 12, FIRST_FRAME + i, true);
          cpu.setSegment(SEG_SS, 0, 0, 0xffff_ffff, isUser ? 0xc0f3 : 0xc093);
          cpu.fault = FAULT_NONE;
          const read = isWrite ? 0 : readLinear(cpu, one.page << 12, 4);
          if (isWrite) writeLinear(cpu, one.page << 12, 4, 0x55);
          const known = model.known[one.page];
          const present = known[known.length - 1];
          if (cpu.fault !== FAULT_NONE) {
            expect(model.allows(present, isWrite, isUser)).toBe(false);
            expect([cpu.faultAddress, cpu.faultErrorCode & 1]).toEqual([
              one.page << 12,
              present.flags & PRESENT,
            ]);
            continue;
          }
          const written = Array.from({ length: FRAMES }, (_, i) => FIRST_FRAME + i).find(
            (frame) => view.getUint32(frame << 12, true) === 0x55,
          );
          const frame = isWrite ? written : read;
          const allowing = known.filter((e) => model.allows(e, isWrite, isUser)).map((e) => e.frame);
          expect(allowing).toContain(frame);
          if (frame !== present.frame) stale++;
        }
      }),
      { numRuns: RUNS },
    );
    // It is a cache, or this has tested nothing.
    expect(stale).toBeGreaterThan(0);
  });
});
