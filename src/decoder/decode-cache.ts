/**
 * Decode cache: physical page → decoded instructions, for 16- and 32-bit code apart.
 *
 * A store to a page that holds code asks {@link DecodeCache.invalidate}. A bitmap of 64-byte lines decides first, then a
 * map of the bytes that decoded instructions cover; only the instructions that were hit are dropped, so data beside
 * code costs nothing but that look-up. Instructions that cross a page live in the page where they start and are
 * dropped by a store to either page.
 */
import type { Insn } from './insn.ts';

const PAGE_SHIFT = 12;
const PAGE_SIZE = 1 << PAGE_SHIFT;
const PAGE_MASK = PAGE_SIZE - 1;
const LINE_SHIFT = 6;
const MAX_INSN_LEN = 15;

/** Code pages kept at once; beyond it the cache starts over, so that a guest cannot exhaust the host. */
const MAX_PAGES = 4096;

/** Decoded instructions of one physical page. */
export class CodePage {
  readonly page: number;
  /** By offset in the page; [0] 16-bit, [1] 32-bit code. The arrays live as long as the page does. */
  readonly insns: readonly [(Insn | null)[], (Insn | null)[]];
  /** Bit n of word n >> 5: line n holds a byte of an instruction. */
  readonly lines = new Int32Array(2);
  /** 1 where a byte belongs to a decoded instruction. May stay set after a drop; never clear while in use. */
  readonly covered = new Uint8Array(PAGE_SIZE);
  /** Pages whose last instruction reaches into this one, as page · 2 + CS.D. */
  readonly crossers: number[] = [];

  constructor(page: number) {
    this.page = page;
    const empty = (): (Insn | null)[] => new Array<Insn | null>(PAGE_SIZE).fill(null);
    this.insns = [empty(), empty()];
  }

  /** Marks bytes `from … to` (offsets in the page, inclusive) as code. */
  cover(from: number, to: number): void {
    for (let line = from >> LINE_SHIFT; line <= to >> LINE_SHIFT; line++)
      this.lines[line >> 5] |= 1 << (line & 31);
    this.covered.fill(1, from, to + 1);
  }
}

/** The cache of one vCPU's address space. */
export class DecodeCache {
  #pages = new Map<number, CodePage>();
  /** Counts everything that may have changed which instruction stands where. */
  generation = 0;
  /** Instructions decoded and dropped, for tests and statistics. */
  decoded = 0;
  dropped = 0;
  /** With false every look-up misses: each instruction is decoded anew (tests: cache on = off). */
  enabled = true;

  /** The page's instructions, or null when none is decoded. */
  find(page: number): CodePage | null {
    return this.#pages.get(page) ?? null;
  }

  /** The page, made when it does not exist. May start the whole cache over. */
  obtain(page: number): CodePage {
    let found = this.#pages.get(page);
    if (found === undefined) {
      if (this.#pages.size >= MAX_PAGES) this.clear();
      found = new CodePage(page);
      this.#pages.set(page, found);
    }
    return found;
  }

  /**
   * Enters an instruction that starts at offset `at` of `page`. `insn.page2` names the physical page of its tail when
   * it crosses.
   */
  add(page: number, is32: number, at: number, insn: Insn): void {
    const own = this.obtain(page);
    own.insns[is32 as 0 | 1][at] = insn;
    this.decoded++;
    const end = at + insn.len - 1;
    own.cover(at, Math.min(end, PAGE_MASK));
    if (insn.page2 >= 0) {
      const tail = this.obtain(insn.page2);
      const key = page * 2 + is32;
      if (!tail.crossers.includes(key)) tail.crossers.push(key);
      tail.cover(0, end - PAGE_SIZE);
    }
  }

  /** Bytes `pa … pa+len−1` changed: drops the instructions that contain one of them. */
  invalidate(pa: number, len: number): void {
    let at = pa >>> 0;
    const end = at + len;
    while (at < end) {
      const page = at >>> PAGE_SHIFT;
      const stop = Math.min(end, (page + 1) * PAGE_SIZE);
      const own = this.#pages.get(page);
      if (own !== undefined) this.#invalidateInPage(own, at & PAGE_MASK, (stop - 1) & PAGE_MASK);
      at = stop;
    }
  }

  #invalidateInPage(own: CodePage, from: number, to: number): void {
    let hit = 0;
    for (let line = from >> LINE_SHIFT; line <= to >> LINE_SHIFT; line++)
      hit |= own.lines[line >> 5] & (1 << (line & 31));
    if (hit === 0) return;
    hit = 0;
    for (let i = from; i <= to; i++) hit |= own.covered[i];
    if (hit === 0) return;
    this.generation++;
    const first = Math.max(0, from - MAX_INSN_LEN + 1);
    for (let d = 0; d < 2; d++) {
      const insns = own.insns[d as 0 | 1];
      for (let i = first; i <= to; i++) {
        const insn = insns[i];
        if (insn !== null && i + insn.len > from) {
          insns[i] = null;
          this.dropped++;
        }
      }
    }
    if (from < MAX_INSN_LEN - 1) for (const key of own.crossers) this.#dropCrossers(own.page, key, from);
  }

  /** Drops instructions of another page whose tail in `tailPage` contains offset `from`. */
  #dropCrossers(tailPage: number, key: number, from: number): void {
    const head = this.#pages.get(key >> 1);
    if (head === undefined) return;
    const insns = head.insns[(key & 1) as 0 | 1];
    for (let i = PAGE_SIZE - MAX_INSN_LEN + 1; i < PAGE_SIZE; i++) {
      const insn = insns[i];
      if (insn !== null && insn.page2 === tailPage && i + insn.len - PAGE_SIZE > from) {
        insns[i] = null;
        this.dropped++;
      }
    }
  }

  /** The pages of this range are something else now (a slot came or went): drops all of it. */
  invalidatePages(pa: number, len: number): void {
    this.invalidate(pa, len);
    this.generation++;
  }

  /** Forgets everything. */
  clear(): void {
    for (const page of this.#pages.values()) {
      page.insns[0].fill(null);
      page.insns[1].fill(null);
    }
    this.#pages.clear();
    this.generation++;
  }
}
