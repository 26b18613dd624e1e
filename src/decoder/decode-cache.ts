/**
 * Decode cache: physical page → decoded instructions, for 16- and 32-bit code apart.
 *
 * A store to a page that holds code asks {@link DecodeCache.invalidate}. A bitmap of 64-byte lines decides first, then a
 * map of the bytes that decoded instructions cover; only the instructions that were hit are dropped, so data beside
 * code costs nothing but that look-up. Instructions that cross a page live in the page where they start and are
 * dropped by a store to either page.
 */
import { type Insn, NO_NEXT, NO_TARGET, NOT_LINKED } from './insn.ts';
import { quickOp } from './quicken.ts';

const PAGE_SHIFT = 12;
const PAGE_SIZE = 1 << PAGE_SHIFT;
const PAGE_MASK = PAGE_SIZE - 1;
const LINE_SHIFT = 6;
const LINES = PAGE_SIZE >> LINE_SHIFT;
const MAX_INSN_LEN = 15;

/** A page that is entered under other windows so often is not linked any more. */
const MAX_RELINKS = 64;

/** Code pages and instructions kept at once; beyond it the cache starts over, so that a guest cannot exhaust the host. */
export const MAX_PAGES = 2048;
export const MAX_INSNS = 1 << 20;

/** Filled by pushing: V8 then knows that the array has no holes. */
function noInsns(): (Insn | null)[] {
  const insns: (Insn | null)[] = [];
  for (let i = 0; i < PAGE_SIZE; i++) insns.push(null);
  return insns;
}

function unlink(insn: Insn): void {
  if (insn.linked !== NOT_LINKED) insn.linked = quickOp(insn);
  insn.next = NO_NEXT;
  insn.target = NO_TARGET;
  insn.leads = 0;
}

/** Stands for the instructions of a page that has none in this mode; never written. */
const EMPTY = noInsns();

/** Code generated from instructions of a page. */
export interface GeneratedCode {
  /** First and last byte, offsets in the page. */
  readonly from: number;
  readonly to: number;
  /** Set when one of the bytes has changed: it is not to be entered again. */
  isDead: boolean;
}

/** A place where generated code may begin: see cpu/generated-code.ts. */
export class Head {
  /** The instruction, which has no slot of its own among the page's. */
  readonly insn: Insn;
  /** How often the interpreter has come here. */
  heat = 0;
  code: GeneratedCode | null = null;
  /** The same where port I/O is an exit, or the bit map is asked about it; both are one where there is no port I/O. */
  codeWithExits: GeneratedCode | null = null;
  /** Whether code generated here is to hold for any segments: those change too often. */
  isGeneral = false;

  constructor(insn: Insn) {
    this.insn = insn;
  }
}

/** Decoded instructions of one physical page. */
export class CodePage {
  readonly page: number;
  /** By offset in the page; [0] 16-bit, [1] 32-bit code. An array with instructions lives as long as the page does. */
  readonly insns: [(Insn | null)[], (Insn | null)[]] = [EMPTY, EMPTY];
  /** Bit n of word n >> 5: line n holds a byte of an instruction. */
  readonly lines = new Int32Array(2);
  /** 1 where a byte belongs to a decoded instruction. May stay set after a drop; never clear while in use. */
  readonly covered = new Uint8Array(PAGE_SIZE);
  /** Pages whose last instruction reaches into this one, as page · 2 + CS.D. */
  readonly crossers: number[] = [];
  /** By offset; [0] 16-bit, [1] 32-bit code. */
  readonly heads: [Map<number, Head>, Map<number, Head>] = [new Map(), new Map()];
  /** Offset · 2 + CS.D of places that are to become heads when they are decoded, and of those that never will. */
  readonly wanted = new Set<number>();
  readonly barren = new Set<number>();
  /** Heads that are ordinary instructions for a while, by the same number. */
  readonly resting = new Map<number, Head>();
  /** Generated from this page and not dead, and how many have died. */
  generated: GeneratedCode[] = [];
  deaths = 0;
  /** Under which window its instructions are linked: EIP at offset 0, and its length; how often that has changed. */
  #linkBase = 0;
  #linkLen = 0;
  #relinks = 0;

  constructor(page: number) {
    this.page = page;
  }

  /** Enters an instruction. @returns whether there was none at this offset. */
  enter(is32: 0 | 1, at: number, insn: Insn): boolean {
    if (this.insns[is32] === EMPTY) this.insns[is32] = noInsns();
    const isNew = this.insns[is32][at] === null;
    this.insns[is32][at] = insn;
    insn.linked = quickOp(insn);
    if (this.wanted.size !== 0 && this.wanted.has(at * 2 + is32)) this.want(is32, at);
    return isNew;
  }

  /** Makes the instruction at `at` a head, now or when it is decoded. */
  want(is32: 0 | 1, at: number): void {
    const key = at * 2 + is32;
    if (this.barren.has(key) || this.resting.has(key) || this.heads[is32].has(at)) return;
    const insn = this.insns[is32][at];
    if (insn === null) {
      this.wanted.add(key);
      return;
    }
    this.wanted.delete(key);
    insn.linked = NOT_LINKED;
    this.insns[is32][at] = null;
    this.heads[is32].set(at, new Head(insn));
  }

  /** The head is an ordinary instruction again, for good. */
  giveUp(is32: 0 | 1, at: number): void {
    if (this.#toInsn(is32, at) !== null) this.barren.add(at * 2 + is32);
  }

  /** The head is an ordinary instruction until {@link wake}. @returns false when there is none. */
  rest(is32: 0 | 1, at: number): boolean {
    const head = this.#toInsn(is32, at);
    if (head !== null) this.resting.set(at * 2 + is32, head);
    return head !== null;
  }

  /** It is a head again, with what was generated there, unless the instruction has gone. */
  wake(is32: 0 | 1, at: number): void {
    const key = at * 2 + is32;
    const head = this.resting.get(key);
    if (head === undefined) return;
    this.resting.delete(key);
    if (this.insns[is32][at] !== head.insn) return;
    head.insn.linked = NOT_LINKED;
    this.insns[is32][at] = null;
    this.heads[is32].set(at, head);
  }

  /** Takes the head away and gives the instruction its slot. */
  #toInsn(is32: 0 | 1, at: number): Head | null {
    const head = this.heads[is32].get(at);
    if (head === undefined) return null;
    this.heads[is32].delete(at);
    this.insns[is32][at] = head.insn;
    head.insn.linked = quickOp(head.insn);
    return head;
  }

  /**
   * The page is entered with EIP `base` at offset 0 and `len` offsets within the limit. Links hold for one such window: a jump leads
   * elsewhere from another EIP, and the limit is not asked again. @returns whether its instructions may be linked.
   */
  linkUnder(base: number, len: number): boolean {
    if (base !== this.#linkBase || len !== this.#linkLen) {
      this.#linkBase = base;
      this.#linkLen = len;
      if (this.#relinks < MAX_RELINKS) {
        this.#relinks++;
        this.#unlink();
      }
    }
    return this.#relinks < MAX_RELINKS;
  }

  #unlink(): void {
    for (const is32 of [0, 1] as const) {
      this.#unlinkAll(this.insns[is32]);
      for (const { insn } of this.heads[is32].values()) unlink(insn);
    }
  }

  /** Looks only where there is code. */
  #unlinkAll(insns: readonly (Insn | null)[]): void {
    if (insns === EMPTY) return;
    for (let line = 0; line < LINES; line++) {
      if ((this.lines[line >> 5] & (1 << (line & 31))) === 0) continue;
      for (let at = line << LINE_SHIFT; at < (line + 1) << LINE_SHIFT; at++) {
        const insn = insns[at];
        if (insn !== null) unlink(insn);
      }
    }
  }

  /** Bytes `from … to` (inclusive) have changed: what was generated from them is dead. */
  kill(from: number, to: number): void {
    let hit = false;
    for (const code of this.generated) {
      if (code.from > to || code.to < from) continue;
      code.isDead = true;
      this.deaths++;
      hit = true;
    }
    if (hit) this.generated = this.generated.filter((code) => !code.isDead);
  }

  /** This code is not entered any more, though its bytes are what they were. */
  retire(code: GeneratedCode): void {
    code.isDead = true;
    this.generated = this.generated.filter((other) => other !== code);
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
  /** Instructions in the cache, so that their number stays bounded. */
  #live = 0;
  /** Counts everything that may have changed which instruction stands where. */
  generation = 0;
  /** Counts how often the cache has started over: page arrays of an earlier epoch are no longer filled. */
  epoch = 0;
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
    if (this.#live >= MAX_INSNS) this.clear();
    const own = this.obtain(page);
    if (own.enter(is32 as 0 | 1, at, insn)) this.#live++;
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
    if (own.generated.length !== 0) own.kill(from, to);
    if (own.barren.size !== 0) own.barren.clear();
    if (own.wanted.size !== 0) own.wanted.clear();
    const first = Math.max(0, from - MAX_INSN_LEN + 1);
    for (let d = 0; d < 2; d++) {
      const insns = own.insns[d as 0 | 1];
      for (let i = first; i <= to; i++) {
        const insn = insns[i];
        if (insn === null || i + insn.len <= from) continue;
        own.resting.delete(i * 2 + d);
        this.#drop(insns, i);
      }
      const heads = own.heads[d as 0 | 1];
      if (heads.size !== 0) this.#dropHeads(heads, first, from, to);
    }
    if (from < MAX_INSN_LEN - 1) for (const key of own.crossers) this.#dropCrossers(own.page, key, from);
  }

  /** Drops instructions of another page whose tail in `tailPage` contains offset `from`. */
  #dropCrossers(tailPage: number, key: number, from: number): void {
    const head = this.#pages.get(key >> 1);
    if (head === undefined) return;
    const insns = head.insns[(key & 1) as 0 | 1];
    const heads = head.heads[(key & 1) as 0 | 1];
    for (let i = PAGE_SIZE - MAX_INSN_LEN + 1; i < PAGE_SIZE; i++) {
      const insn = insns[i] ?? heads.get(i)?.insn;
      if (insn === undefined || insn.page2 !== tailPage || i + insn.len - PAGE_SIZE <= from) continue;
      heads.delete(i);
      head.resting.delete(i * 2 + (key & 1));
      this.#drop(insns, i);
    }
  }

  #dropHeads(heads: Map<number, Head>, first: number, from: number, to: number): void {
    for (let i = first; i <= to; i++) {
      const head = heads.get(i);
      if (head === undefined || i + head.insn.len <= from) continue;
      heads.delete(i);
      this.#live--;
      this.dropped++;
      this.generation++;
    }
  }

  #drop(insns: (Insn | null)[], at: number): void {
    const insn = insns[at];
    if (insn !== null) insn.linked = NOT_LINKED;
    insns[at] = null;
    this.#live--;
    this.dropped++;
    this.generation++;
  }

  /** The pages of this range are something else now (a slot came or went): drops all of it. */
  invalidatePages(pa: number, len: number): void {
    this.invalidate(pa, len);
    this.generation++;
  }

  /** Forgets everything. */
  clear(): void {
    for (const page of this.#pages.values()) {
      for (const insns of page.insns) {
        for (const insn of insns) if (insn !== null) insn.linked = NOT_LINKED;
        insns.fill(null);
      }
      page.kill(0, PAGE_MASK);
      page.heads[0].clear();
      page.heads[1].clear();
      page.resting.clear();
    }
    this.#pages.clear();
    this.epoch++;
    this.#live = 0;
    this.generation++;
  }
}
