/**
 * The second engine: heads that are reached often get a function generated from the code there; functions follow each other without
 * the interpreter in between as long as they can.
 *
 * A function holds for one EIP base, stack size, limit, privilege level (by its TLB), memory, and as a rule for the segments it was
 * made under, so that V8 knows them as constants; {@link GeneratedFunction.fits} asks that where it is entered. It dies with
 * the first byte of its code that changes. Results never depend on whether, or when, code is generated.
 */

import { load8, load16, load32, store8, store16, store32 } from '../cpu/access.ts';
import { aluStore } from '../cpu/alu.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { PARITY } from '../cpu/flags.ts';
import type { CodeGenerator } from '../cpu/generated-code.ts';
import { PAGE_HAS_CODE, PAGE_SHIFT } from '../cpu/memory.ts';
import { AR_DB, DX } from '../cpu/registers.ts';
import type { CodePage, Head } from '../decoder/decode-cache.ts';
import { Insn, SEG_SS } from '../decoder/insn.ts';
import { lower, MAX_INSN_LEN } from '../decoder/lower.ts';
import { Op } from '../decoder/op.ts';
import type { BlockWitness } from './block-witness.ts';
import { findBlocks, MAX_INSNS } from './blocks.ts';
import { undefer } from './deferred-flags.ts';
import { FunctionText, type Generated } from './generate.ts';
import { GeneratedFunction, portIoIsInline, type Run } from './generated-function.ts';
import { isSinglePortIo } from './handling.ts';
import { convertIfs } from './if-conversion.ts';
import { Naps } from './naps.ts';

/** When the engine generates code. */
export interface JitOptions {
  /** How often the interpreter comes to a head before code is generated there. Default 40. */
  readonly threshold?: number;
  /** A page whose generated code has died so often stays with the interpreter: it changes too much. Default 64. */
  readonly maxDeaths?: number;
  /** Functions made at all; then the interpreter does the rest. Default 20,000. */
  readonly maxFunctions?: number;
  /** Instructions of one function. Default {@link MAX_INSNS}; 1 makes each instruction a function of its own. */
  readonly maxInsns?: number;
  /** Functions may begin at every instruction, at its first visit too. Default false: where jumps backwards lead to. */
  readonly wantsAll?: boolean;
  /**
   * How many ticks a function's calls may in all fall short of what entering it costs, until the interpreter does its work for a
   * while. Infinity: it never does for that. Default 2048, with `wantsAll` or a witness Infinity.
   */
  readonly maxDebt?: number;
  /** How long that while is at most, in ticks (exits count too): all that rest wake together, before a `runGuest`. Default 4 M. */
  readonly napTicks?: number;
  /** Told of every block, and by it when it runs. Default: nobody. */
  readonly witness?: BlockWitness;
}

const DEFAULT_THRESHOLD = 40;
const DEFAULT_MAX_DEATHS = 64;
const DEFAULT_MAX_FUNCTIONS = 20_000;
const DEFAULT_MAX_DEBT = 2048;
const DEFAULT_NAP_TICKS = 1 << 22;

/** A function that has met other segments than it relies on so often is made anew, for any. */
const MAX_MISFITS = 4;

/** Fewer instructions without a loop are not worth a function. */
const MIN_INSNS = 3;

const PAGE_SIZE = 1 << PAGE_SHIFT;

/** Whether the host lets functions be made from text (a Content-Security-Policy may not). */
export function canGenerate(): boolean {
  try {
    return new Function('return true')() === true;
  } catch {
    return false;
  }
}

/** The engine of one CPU. */
export class Jit implements CodeGenerator {
  readonly wantsAll: boolean;
  readonly #enter = new Insn(Op.Generated, 1, 0);
  readonly #threshold: number;
  readonly #maxDeaths: number;
  readonly #maxFunctions: number;
  readonly #maxInsns: number;
  readonly #naps: Naps;
  /** Whether {@link #generate} has left out port I/O that is an exit. */
  #lacksPortIo = false;
  readonly #witness: BlockWitness | null;
  budget = 0;
  #chosen: GeneratedFunction | null = null;
  /** Page, offset and CS.D of its head. */
  #chosenPage: CodePage | null = null;
  #chosenAt = 0;
  #chosenIs32: 0 | 1 = 0;
  /** The head whose function has just done nothing: its instruction is the interpreter's this time. */
  #skip: Head | null = null;
  /** Functions made. */
  functions = 0;
  /** The text of each function, for people; null: not kept. */
  texts: string[] | null = null;

  constructor(options: JitOptions = {}) {
    this.#threshold = options.threshold ?? DEFAULT_THRESHOLD;
    this.#maxDeaths = options.maxDeaths ?? DEFAULT_MAX_DEATHS;
    this.#maxFunctions = options.maxFunctions ?? DEFAULT_MAX_FUNCTIONS;
    this.#maxInsns = options.maxInsns ?? MAX_INSNS;
    this.#witness = options.witness ?? null;
    this.wantsAll = options.wantsAll ?? false;
    const mayRest = this.#witness === null && !this.wantsAll;
    const maxDebt = options.maxDebt ?? (mayRest ? DEFAULT_MAX_DEBT : Number.POSITIVE_INFINITY);
    this.#naps = new Naps(maxDebt, options.napTicks ?? DEFAULT_NAP_TICKS);
  }

  timePasses(ticks: number): void {
    this.#naps.timePasses(ticks);
  }

  arrive(cpu: Cpu, page: CodePage, head: Head, eip: number, at: number): Insn {
    if (this.#skip === head) {
      this.#skip = null;
      return head.insn;
    }
    if (cpu.debug.armed !== 0 || cpu.mmio !== null || cpu.oneInstruction !== 0) return head.insn;
    const code = this.#codeOf(cpu, page, head, eip, at);
    if (code === null) return head.insn;
    this.#chosen = code;
    this.#chosenPage = page;
    this.#chosenAt = at;
    this.#chosenIs32 = cpu.codeIs32 as 0 | 1;
    if (code.fits(cpu, (eip - at) | 0, this.budget)) return this.#enter;
    code.noteMisfit(cpu);
    // Behind MOV SS or STI nothing may be entered.
    if (this.budget !== 0) this.#charge(cpu, code, 0);
    return head.insn;
  }

  run(cpu: Cpu, left: number): number {
    const code = this.#chosen;
    if (code === null) return left;
    const remaining = this.#runFrom(cpu, code, left);
    this.#charge(cpu, code, left - remaining);
    return remaining;
  }

  /** Charges what was chosen with its ticks and those of all that came after it; 0 when it did not fit. */
  #charge(cpu: Cpu, code: GeneratedFunction, ticks: number): void {
    if (!this.#naps.account(code, ticks)) return;
    const page = this.#chosenPage;
    const is32 = this.#chosenIs32;
    const at = this.#chosenAt;
    // Its bytes may have changed, and another function stand there.
    const head = page?.heads[is32].get(at);
    if (page === null || (head?.code !== code && head?.codeWithExits !== code)) return;
    this.#naps.rest(cpu.cache.epoch, page, is32, at);
  }

  /** Functions one after the other. @returns the ticks left. */
  #runFrom(cpu: Cpu, first: GeneratedFunction, left: number): number {
    let code = first;
    let remaining = left;
    const { window } = cpu;
    for (;;) {
      const before = remaining;
      const from = cpu.eip;
      const most = code.nextCallTicks();
      const reserve = remaining > most ? (remaining - most) | 0 : 0;
      // What a device sees as the time is counted from here.
      cpu.startBudget = (cpu.startBudget - reserve) | 0;
      remaining = (code.run((remaining - reserve) | 0) + reserve) | 0;
      cpu.startBudget = (cpu.startBudget + reserve) | 0;
      const at = (cpu.eip - window.eipBase) | 0;
      if (at >>> 0 >= window.len >>> 0) return remaining;
      const hasStopped = remaining === before && cpu.eip === from;
      if (!hasStopped) {
        if (cpu.fault !== 0 || cpu.attention !== 0 || cpu.generatedYield !== 0) return remaining;
        const follower = code.follower(at);
        if (follower?.fits(cpu, window.eipBase, remaining) === true) {
          code = follower;
          continue;
        }
      }
      const page = cpu.cache.find(window.page);
      if (page === null) return remaining;
      const is32 = window.is32 as 0 | 1;
      const head = page.heads[is32].get(at);
      if (hasStopped) {
        this.#skip = head ?? null;
        return remaining;
      }
      if (head === undefined) {
        page.want(is32, at);
        return remaining;
      }
      const next = this.#codeOf(cpu, page, head, cpu.eip, at);
      if (next === null) return remaining;
      if (!next.fits(cpu, window.eipBase, remaining)) {
        next.noteMisfit(cpu);
        return remaining;
      }
      code.rememberFollower(next, at);
      code = next;
    }
  }

  /** The function at a head, made when it is hot. */
  #codeOf(cpu: Cpu, page: CodePage, head: Head, eip: number, at: number): GeneratedFunction | null {
    const isInline = portIoIsInline(cpu);
    const known = (isInline ? head.code : head.codeWithExits) as GeneratedFunction | null;
    if (known !== null && !known.isDead) {
      if (known.misfits < MAX_MISFITS) return known;
      page.retire(known);
      head.isGeneral = true;
      head.heat = this.#threshold;
    }
    if (++head.heat < this.#threshold) return null;
    head.heat = 0;
    const isPossible = page.deaths < this.#maxDeaths && this.functions < this.#maxFunctions;
    this.#lacksPortIo = false;
    const made = isPossible ? this.#generate(cpu, page, head, eip, at, isInline) : null;
    if (made === null) {
      const is32 = cpu.codeIs32 as 0 | 1;
      // Port I/O that is an exit today may be none tomorrow.
      if (this.#lacksPortIo) this.#naps.rest(cpu.cache.epoch, page, is32, at);
      else page.giveUp(is32, at);
      // What follows may still be worth it.
      if (at + head.insn.len < PAGE_SIZE) page.want(is32, at + head.insn.len);
      return null;
    }
    if (isInline || !made.lacksPortIo) head.code = made;
    if (!isInline || !made.hasPortIo) head.codeWithExits = made;
    page.generated.push(made);
    return made;
  }

  #generate(
    cpu: Cpu,
    page: CodePage,
    head: Head,
    eip: number,
    at: number,
    isInline: boolean,
  ): GeneratedFunction | null {
    const eipBase = (eip - at) | 0;
    const insnAt = (offset: number): Insn | null => {
      const insn = this.#insnAt(cpu, page, offset);
      if (isInline || insn === null || !isSinglePortIo(insn)) return insn;
      this.#lacksPortIo = true;
      return null;
    };
    const blocks = findBlocks(at, insnAt, eipBase, page, this.#maxInsns);
    const entry = blocks.get(at);
    if (entry === undefined) return null;
    convertIfs(blocks, entry);
    const stackAttr = cpu.segAttr[SEG_SS];
    const witness = this.#witness;
    const generated = new FunctionText(
      entry,
      eipBase,
      stackAttr,
      { io: cpu.inlineIo, dx: cpu.r16[DX] },
      head.isGeneral ? null : { base: cpu.segBase, bound: cpu.segBound },
      witness && { entered: witness.entered, number: (block) => witness.add(page.page, block.at) },
    ).generate();
    if (!generated.hasLoop && generated.insns < Math.min(MIN_INSNS, this.#maxInsns)) return null;
    const code = new GeneratedFunction(cpu, generated, eipBase, stackAttr & AR_DB, this.#lacksPortIo);
    code.run = this.#make(cpu, generated, code);
    this.#rehearse(cpu, code);
    this.functions++;
    this.texts?.push(generated.text);
    return code;
  }

  #make(cpu: Cpu, { text, objects }: Generated, code: GeneratedFunction): Run {
    const { gpr, r16, lazy, segBase, segBound, tlb, mem } = cpu;
    const clock = cpu.inlineIo?.clock ?? null;
    const scope = [cpu, code, clock, gpr, r16, lazy, segBase, segBound, tlb, mem.ram, mem.view];
    const values = [...scope, ...ENVIRONMENT, ...objects];
    const words = new Set(text.match(/\b[A-Za-z]\w*/g));
    const names = [...SCOPE, ...objects.map((_, i) => `o${i}`)];
    const used = [...names.keys()].filter((i) => words.has(names[i]));
    // Each a local of the function too: V8 folds it at every use then. A variable of the outer function it reads through its
    // context, which is a constant only outside of nested loops.
    const locals = used.map((i) => `${names[i]} = $${names[i]}`).join(', ');
    const factory = new Function(
      ...used.map((i) => `$${names[i]}`),
      // In parentheses: V8 then compiles the inner function at once instead of reading it twice.
      `'use strict'; return (function generated(left) {\nconst ${locals};\n${text}\n});`,
    );
    return factory(...used.map((i) => values[i])) as Run;
  }

  /** Lets the function be left at its entry once: V8 then knows the types on the way out, and need not find out later. */
  #rehearse(cpu: Cpu, code: GeneratedFunction): void {
    const { eip, lazy } = cpu;
    const [result, aux] = lazy;
    code.run(0);
    lazy[0] = result;
    lazy[1] = aux;
    cpu.eip = eip;
  }

  /** The instruction at an offset of the page that lies whole in the window; decoded when it is not yet. */
  #insnAt(cpu: Cpu, page: CodePage, at: number): Insn | null {
    const { window, mem, cache } = cpu;
    if (at >>> 0 >= window.len >>> 0 || window.page !== page.page) return null;
    const is32 = window.is32 as 0 | 1;
    const known = page.insns[is32][at] ?? page.heads[is32].get(at)?.insn;
    if (known !== undefined) return known;
    const bytes = new Uint8Array(MAX_INSN_LEN);
    for (let i = 0; i < MAX_INSN_LEN; i++) {
      const byte = at + i < PAGE_SIZE ? mem.readByte((page.page << PAGE_SHIFT) + at + i) : -1;
      if (byte < 0) return null;
      bytes[i] = byte;
    }
    const insn = lower(bytes, MAX_INSN_LEN, is32, cpu.model.features);
    if (insn === null) return null;
    cache.add(page.page, is32, at, insn);
    if ((mem.pageFlags[page.page] & PAGE_HAS_CODE) === 0) mem.restrict(page.page, 1, PAGE_HAS_CODE);
    return insn;
  }
}

/** Functions and tables that generated code uses. */
const LIBRARY = {
  load8,
  load16,
  load32,
  store8,
  store16,
  store32,
  aluStore,
  parity: PARITY,
  undefer,
  scratch: new Int32Array(2),
};
const ENVIRONMENT = Object.values(LIBRARY);
/**
 * What generated code calls them, and those of its processor. They are parameters that nobody assigns: V8 knows their values, and a
 * function costs less to make.
 */
const SCOPE = [
  ...['cpu', 'code', 'clock', 'gpr', 'r16', 'lazy', 'segBase', 'segBound', 'tlb', 'ram', 'view'],
  ...Object.keys(LIBRARY),
];
