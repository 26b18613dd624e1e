import { expect, it } from 'vitest';
import { TLB_GLOBAL, Tlb } from '../../../src/cpu/tlb.ts';

/** Linear pages that are cached. */
function cached(tlb: Tlb, pages: readonly number[]): number[] {
  return pages.filter((page) => tlb.entries[page] !== 0);
}

it('forgets a physical page under its own number, and others stay', () => {
  const tlb = new Tlb(false);
  for (const page of [4, 5, 6, 7]) tlb.enter(page, page, 0);
  tlb.forgetPhysical(5, 2);
  expect(cached(tlb, [4, 5, 6, 7])).toEqual([4, 7]);
});

it('forgets a physical page wherever it is seen, also when a flush has left that entry', () => {
  const tlb = new Tlb(false);
  tlb.enter(4, 4, 0);
  tlb.enter(0x300, 4, TLB_GLOBAL);
  tlb.enter(0x301, 5, TLB_GLOBAL);
  tlb.flush(true);
  tlb.enter(4, 4, 0);
  tlb.forgetPhysical(4, 1);
  expect(cached(tlb, [4, 0x300, 0x301])).toEqual([0x301]);
});
