/**
 * From blocks to the text of one function: `function (left) → left`.
 *
 * Loops become `for (;;)`, merge points labelled blocks. Each block takes its instructions off `left` at once; where the function is
 * left in the middle of a block the rest is given back. At a checkpoint (the entry, loop headers, behind a REP) the function ends when
 * `left` does not reach to the next one: the interpreter does the remaining instructions one by one.
 */
import { COLD_TABLE } from '../cpu/cold.ts';
import { AR_DB } from '../cpu/registers.ts';
import { type Insn, REP_NONE } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import type { Block, Edge } from './blocks.ts';
import { condition, conditionBit } from './conditions.ts';
import { deferText, type EntryFlags, entryFlags, UNDEFER } from './deferred-flags.ts';
import { Emitter, FORGET_PAGES, type KnownSegments, LOAD, NO_PAGE, type Ports, SAVE } from './emitter.ts';
import { CALL_COLD, handling, isCalledJump } from './handling.ts';
import { longestPath, structure } from './structure.ts';
import { aluUnderMask, callText, loopText, type Place, retText, template } from './templates.ts';

/** What a function was generated from. */
export interface Generated {
  readonly text: string;
  /** What the text calls `o0`, `o1` … */
  readonly objects: readonly unknown[];
  /** Ticks that must be left at the entry. */
  readonly minTicks: number;
  /** First and last byte of its instructions, offsets in the page. */
  readonly from: number;
  readonly to: number;
  /** The largest EIP, unsigned, that a jump in it goes to. */
  readonly maxEip: number;
  readonly hasPortIo: boolean;
  readonly hasLoop: boolean;
  readonly insns: number;
  /** Bits of the segments whose base, and indices of `Cpu.segBound` whose value, the text relies on. */
  readonly assumedSegments: number;
  readonly assumedBounds: readonly number[];
}

function isRep(insn: Insn): boolean {
  return insn.op >= Op.Movs && insn.op <= Op.Scas && insn.rep !== REP_NONE;
}

/** Last byte of each instruction, offsets in the page. */
function lastBytes({ insns, offsets }: Block): number[] {
  return offsets.map((at, i) => at + insns[i].len - 1);
}

/** Each block sets its element when it is entered. */
export interface BlockMarks {
  readonly entered: Uint8Array;
  number(block: Block): number;
}

/** What port accesses use: who makes them, and the tick at which this call's budget ends, so that `ends - left` is now. */
const PORT_IO_LOCALS = ['const io = cpu.inlineIo;', 'const ends = cpu.ticksAtEntry + cpu.startBudget;'];

/** Generates one function from blocks. */
export class FunctionText {
  #e: Emitter;
  readonly #blocks: readonly Block[];
  readonly #ticks = new Map<Block, number>();
  readonly #eipBase: number;
  readonly #stackAttr: number;
  readonly #known: KnownSegments | null;
  /** Checkpoints whose flags of before are not worked out unless they are needed. */
  readonly #entryFlags = new Map<Block, EntryFlags>();
  #maxEip = 0;
  readonly #marks: BlockMarks | null;
  readonly #numbers = new Map<Block, number>();
  /** Ticks that are left beyond what is needed wherever a checkpoint is reached. */
  #spare = 0;

  constructor(
    entry: Block,
    eipBase: number,
    stackAttr: number,
    ports: Ports,
    known: KnownSegments | null,
    marks: BlockMarks | null = null,
  ) {
    this.#e = new Emitter(ports, 0, known);
    this.#known = known;
    this.#marks = marks;
    this.#blocks = structure(entry);
    this.#eipBase = eipBase;
    this.#stackAttr = stackAttr;
    const behindRep = new Set<Block>();
    for (const block of this.#blocks) {
      block.isCheckpoint ||= block === entry || block.isLoopHeader;
      const last = block.insns.at(-1);
      if (last === undefined || !isRep(last) || !block.next?.block) continue;
      block.next.block.isCheckpoint = true;
      behindRep.add(block.next.block);
    }
    for (const block of this.#blocks) longestPath(block, this.#ticks);
    for (const block of this.#blocks) {
      if (!block.isCheckpoint) continue;
      const flags = entryFlags(block);
      // At the entry the flags of before are at hand.
      if (flags.kind === 'live' || (block === entry && !block.isLoopHeader)) continue;
      // A REP may leave no tick for the interpreter to get over the instructions that set the flags anew.
      if (flags.kind === 'dead' && behindRep.has(block)) continue;
      this.#entryFlags.set(block, flags);
      if (flags.kind === 'dead') this.#spare = Math.max(this.#spare, flags.count);
    }
  }

  generate(): Generated {
    const [entry] = this.#blocks;
    this.#tree(entry);
    // Once more, now that it is known of which registers only the low word is used.
    const words = this.#e.used & ~this.#e.wide;
    if (words !== 0) {
      this.#e = new Emitter(this.#e.ports, words, this.#known);
      this.#tree(entry);
    }
    const e = this.#e;
    const insns = this.#blocks.flatMap((block) => block.insns);
    const regs = [...Array(8).keys()].filter((n) => (e.used & (1 << n)) !== 0);
    const save = `${regs.map((n) => e.save(n)).join(' ')} lazy[0] = fr; lazy[1] = fa;`;
    const load = `${regs.map((n) => e.load(n)).join(' ')} fr = lazy[0]; fa = lazy[1];`;
    const head = [
      // An argument may be anything to V8: a loop would carry it as an object.
      'left = left | 0;',
      'let eip = 0, fr = lazy[0], fa = lazy[1];',
      ...(this.#entryFlags.size === 0 ? [] : ['let fk = 0, f1 = fr, f2 = fa;']),
      ...regs.map((n) => `let ${e.load(n)}`),
      ...e.pageMemos.map((page) => `let ${page} = ${NO_PAGE};`),
      ...[...e.segments].map((n) => `const base${n} = segBase[${n}];`),
      ...[...e.bounds].map((n) => `const bound${n} = segBound[${n}];`),
      ...(insns.some((insn) => insn.op === Op.PortIo) ? PORT_IO_LOCALS : []),
    ];
    const forget = e.pageMemos.map((page) => `${page} = ${NO_PAGE};`).join(' ');
    const body = e.lines
      .join('\n')
      .replaceAll(SAVE, save)
      .replaceAll(LOAD, load)
      .replaceAll(FORGET_PAGES, forget);
    const ends = this.#blocks.flatMap((b) =>
      [b, ...(b.guarded === null ? [] : [b.guarded])].flatMap(lastBytes),
    );
    return {
      text: `${head.join('\n')}\nout: {\n${body}\n}\n${save}\ncpu.eip = eip;\nreturn left;`,
      objects: e.objects,
      minTicks: this.#needed(entry),
      from: Math.min(...this.#blocks.map((b) => b.at)),
      to: Math.max(...ends),
      maxEip: Math.max(this.#maxEip, (this.#eipBase + Math.max(...ends)) >>> 0),
      hasPortIo: insns.some((insn) => insn.op === Op.PortIo),
      hasLoop: this.#blocks.some((b) => b.isLoopHeader),
      insns: insns.length,
      assumedSegments: e.assumedSegments,
      assumedBounds: [...e.assumedBounds],
    };
  }

  /** The blocks that `block` dominates, nested. */
  #tree(block: Block): void {
    const e = this.#e;
    const merges = this.#blocks
      .filter((b) => b !== block && b.dominator === block && b.forwardPreds >= 2)
      .sort((a, b) => b.order - a.order);
    if (block.isLoopHeader) e.line(`L${block.order}: for (;;) {`);
    this.#within(block, merges);
    if (block.isLoopHeader) e.line('}');
  }

  #within(block: Block, merges: readonly Block[]): void {
    const [merge, ...rest] = merges;
    if (merge === undefined) {
      this.#block(block);
      return;
    }
    this.#e.line(`B${merge.order}: {`);
    this.#within(block, rest);
    this.#e.line('}');
    this.#tree(merge);
  }

  /** Ticks that must be left at a checkpoint. */
  #needed(block: Block): number {
    return (this.#ticks.get(block) ?? 1) + this.#spare;
  }

  #eip(at: number): number {
    return (this.#eipBase + at) | 0;
  }

  #leaveTo(eip: string): string {
    return `eip = ${eip}; break out;`;
  }

  /** Goes to the block of an edge, or leaves. */
  #go(from: Block, edge: Edge): void {
    const e = this.#e;
    const to = edge.block;
    this.#maxEip = Math.max(this.#maxEip, this.#eip(edge.at) >>> 0);
    if (to !== null && this.#entryFlags.get(to)?.kind === 'deferred') e.line(deferText(e.flags));
    if (to === null) e.line(this.#leaveTo(String(this.#eip(edge.at))));
    else if (to.order <= from.order) e.line(`continue L${to.order};`);
    else if (to.forwardPreds >= 2) e.line(`break B${to.order};`);
    else this.#tree(to);
  }

  /** The number of a block, however often its text is made. */
  #numberOf(block: Block, marks: BlockMarks): number {
    const known = this.#numbers.get(block) ?? marks.number(block);
    this.#numbers.set(block, known);
    return known;
  }

  #block(block: Block): void {
    const e = this.#e;
    const count = block.insns.length;
    e.flags = null;
    const flags = this.#entryFlags.get(block);
    if (block.isCheckpoint) {
      // Where the first instructions set all flags and cannot leave, those of before are not needed on the way out either: there
      // are always enough ticks left for the interpreter to get so far.
      const before = flags === undefined ? '' : flags.kind === 'dead' ? 'fr = 0; fa = 0; ' : UNDEFER;
      e.line(`if (left < ${this.#needed(block)}) { ${before}${this.#leaveTo(String(this.#eip(block.at)))} }`);
    }
    e.line(`left = left - ${count} | 0;`);
    e.remembersPages = block.isInLoop;
    if (this.#marks !== null)
      e.line(`${e.object(this.#marks.entered)}[${this.#numberOf(block, this.#marks)}] = 1;`);
    for (const [i, insn] of block.insns.entries()) {
      const eip = this.#eip(block.offsets[i]);
      const next = (eip + insn.len) | 0;
      const rest = count - i;
      const deferred = flags?.kind === 'deferred' ? flags.count : 0;
      const undefer = i < deferred ? UNDEFER : '';
      // Behind the instruction that sets them anew the flags of before are gone.
      const undeferBehind = i + 1 < deferred ? UNDEFER : '';
      const give = (n: number): string => (n === 0 ? '' : `left = left + ${n} | 0; `);
      const place: Place = {
        eip,
        next,
        rest,
        undone: `${undefer}${give(rest)}${this.#leaveTo(String(eip))}`,
        fault: `${undefer}${give(rest - 1)}${this.#leaveTo(String(eip))}`,
        after: `${undeferBehind}${give(rest - 1)}${this.#leaveTo(String(next))}`,
      };
      this.#insn(insn, place);
    }
    if (block.guarded !== null) this.#guarded(block, block.guarded);
    const { next, taken } = block;
    const last = block.insns[count - 1];
    if (taken !== null && next !== null) {
      const cond = last.op === Op.Loop ? loopText(e, last) : condition(last.op - Op.Jo, e.flags);
      const known = e.flags;
      e.line(`if (${cond}) {`);
      this.#go(block, taken);
      // What the blocks within the braces know of the flags holds there alone.
      e.flags = known;
      e.line('} else {');
      this.#go(block, next);
      e.line('}');
    } else if (next !== null) {
      this.#go(block, next);
    }
  }

  /** The instructions that the last jump of `block` jumps over, under a mask. */
  #guarded(block: Block, guarded: Block): void {
    const e = this.#e;
    const jump = block.insns[block.insns.length - 1];
    const mask = e.name('m');
    e.line(`const ${mask} = -${conditionBit((jump.op - Op.Jo) ^ 1, e.flags)};`);
    const before = e.lines.length;
    const frBefore = e.name('fr');
    const faBefore = e.name('fa');
    const place: Place = { eip: 0, next: 0, rest: 0, undone: '', fault: '', after: '' };
    // Registers that are put back where the instructions are jumped over.
    let written = 0;
    for (const insn of guarded.insns) {
      e.written = 0;
      if (aluUnderMask(e, insn, mask)) continue;
      template(e, insn, place, this.#stackAttr);
      written |= e.written;
    }
    const registers = [...Array(8).keys()].filter((n) => (written & (1 << n)) !== 0);
    const names = registers.map((n) => `${e.name('p')} = ${e.variable(n)}`);
    const kept = [...names, `${frBefore} = fr`, `${faBefore} = fa`];
    e.lines.splice(before, 0, `const ${kept.join(', ')};`);
    for (const text of kept) {
      const [old, variable] = text.split(' = ');
      e.line(`${variable} = ${old} ^ (${old} ^ ${variable}) & ${mask};`);
    }
    const { length } = guarded.insns;
    e.line(length === 1 ? `left = left + ${mask} | 0;` : `left = left - (${length} & ${mask}) | 0;`);
    e.flags = null;
  }

  #insn(insn: Insn, place: Place): void {
    const e = this.#e;
    const { op } = insn;
    const isStack32 = (this.#stackAttr & AR_DB) !== 0;
    if ((op >= Op.Jo && op <= Op.Jmp) || op === Op.Loop) return;
    if (op === Op.Call) {
      const target = (place.eip + insn.disp) & insn.imm2;
      this.#maxEip = Math.max(this.#maxEip, target >>> 0);
      callText(e, insn, place, target, isStack32, (eip) => this.#leaveTo(eip));
    } else if (op === Op.Ret) retText(e, insn, place, isStack32, (eip) => this.#leaveTo(eip));
    else if (isCalledJump(insn)) this.#calledJump(insn, place);
    else if (isRep(insn)) this.#rep(insn, place);
    else if (handling(insn) === CALL_COLD) this.#called(insn, place);
    else template(e, insn, place, this.#stackAttr);
  }

  /** The interpreter's function does it. */
  #called(insn: Insn, place: Place): void {
    const e = this.#e;
    const name = e.object(COLD_TABLE[insn.op]);
    e.line(`${SAVE} cpu.eip = ${place.eip}; ${name}(cpu, ${e.object(insn)}); ${LOAD} ${FORGET_PAGES}`);
    e.line(`if (cpu.fault !== 0) { ${place.fault} }`);
    e.line(`if (cpu.attention !== 0 || code.isDead) { ${place.after} }`);
    e.flags = null;
  }

  /** A jump that the interpreter's function makes: COLD_NEXT is no jump. */
  #calledJump(insn: Insn, place: Place): void {
    const e = this.#e;
    const name = e.object(COLD_TABLE[insn.op]);
    const status = e.name('st');
    e.line(
      `${SAVE} cpu.eip = ${place.eip}; const ${status} = ${name}(cpu, ${e.object(insn)}); ${LOAD} ${FORGET_PAGES}`,
    );
    e.line(`if (cpu.fault !== 0) { ${place.fault} }`);
    e.line(this.#leaveTo(`${status} === 0 ? ${place.next} : cpu.eip`));
  }

  /** A repeated string instruction, as far as the budget reaches. It is the last of its block. */
  #rep(insn: Insn, place: Place): void {
    const e = this.#e;
    const name = e.object(COLD_TABLE[insn.op]);
    const status = e.name('st');
    e.line(`${SAVE} cpu.eip = ${place.eip}; cpu.budgetLeft = left;`);
    e.line(
      `const ${status} = ${name}(cpu, ${e.object(insn)}); ${LOAD} ${FORGET_PAGES} left = cpu.budgetLeft | 0;`,
    );
    e.line(`if (cpu.fault !== 0 || ${status} === 2) { ${this.#leaveTo(String(place.eip))} }`);
    e.line(`if (cpu.attention !== 0 || code.isDead) { ${this.#leaveTo(String(place.next))} }`);
    e.flags = null;
  }
}
