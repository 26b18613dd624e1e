/**
 * Changed page tables of `string-io` cases: an entry, a switch, or those of another case.
 */
import {
  CASE_PAGES,
  type CaseDirectoryEntry,
  type CasePage,
  type CasePaging,
  PAGE_LARGE,
  pagingProblem,
} from '../case-paging.ts';
import type { Prng } from '../prng.ts';
import { mutateList } from './lists.ts';
import { mutateNumber } from './numbers.ts';

const MAX_ENTRIES = 24;
const MAX_FLAGS = 0xfff;
/** 512 in PAE paging. */
const MAX_INDEX = 511;
/** Present, writable, the user's. */
const ALL = 7;

/** Every page where it would be without paging: what a change makes of it is the next one's business. */
const EVERYTHING: CasePaging = {
  format: '32bit',
  pse: false,
  wp: false,
  flags: ALL,
  directory: [],
  pages: [],
};

/** A changed copy that a case may have; null is without paging. */
export function mutatePaging(
  paging: CasePaging | null,
  other: CasePaging | null,
  random: Prng,
): CasePaging | null {
  if (paging === null) return other ?? EVERYTHING;
  const made = changed(paging, other, random);
  return made === null || pagingProblem(made) === null ? made : paging;
}

function changed(paging: CasePaging, other: CasePaging | null, random: Prng): CasePaging | null {
  const { format, pse, wp, flags, directory, pages } = paging;
  switch (random.below(8)) {
    case 0:
      return other;
    case 1:
      return { ...paging, wp: !wp };
    case 2:
      return random.oneIn(2)
        ? { ...paging, pse: !pse }
        : { ...paging, format: format === 'pae' ? '32bit' : 'pae' };
    case 3:
      return { ...paging, flags: mutateNumber(flags, MAX_FLAGS, random) & ~PAGE_LARGE };
    case 4: {
      const change = (entry: CaseDirectoryEntry): CaseDirectoryEntry => mutateEntry(entry, random);
      const create = (): CaseDirectoryEntry => ({
        index: random.below(4),
        frame: 0,
        flags: ALL | PAGE_LARGE,
      });
      const options = { maxLength: MAX_ENTRIES, change, create };
      return { ...paging, directory: mutateList(directory, other?.directory ?? [], random, options) };
    }
    default: {
      const change = (page: CasePage): CasePage => mutatePage(page, random);
      const create = (): CasePage => {
        const page = random.below(CASE_PAGES);
        return mutatePage({ page, frame: page, flags: ALL }, random);
      };
      const options = { maxLength: MAX_ENTRIES, change, create };
      return { ...paging, pages: mutateList(pages, other?.pages ?? [], random, options) };
    }
  }
}

function mutateEntry(entry: CaseDirectoryEntry, random: Prng): CaseDirectoryEntry {
  return random.oneIn(2)
    ? { ...entry, index: mutateNumber(entry.index, MAX_INDEX, random) }
    : { ...entry, flags: mutateNumber(entry.flags, MAX_FLAGS, random) };
}

function mutatePage(page: CasePage, random: Prng): CasePage {
  switch (random.below(4)) {
    case 0:
      return { ...page, page: mutateNumber(page.page, CASE_PAGES - 1, random) };
    case 1:
      return { ...page, frame: mutateNumber(page.frame, CASE_PAGES - 1, random) };
    default:
      return { ...page, flags: mutateNumber(page.flags, MAX_FLAGS, random) & ~PAGE_LARGE };
  }
}
