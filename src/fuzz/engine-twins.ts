/**
 * Two boards for one program: one interprets, the other generates code for all that it meets twice. After every slice the two
 * are the same.
 */
import type { Board, BoardEnd, BoardSnapshot } from '../boards/board.ts';
import { boardDifferences, registersAreEqual } from '../boards/differences.ts';
import { createPcBoard } from '../boards/pc.ts';
import { setEflags } from '../cpu/flags.ts';
import { privilegeChanged } from '../cpu/privilege.ts';
import { X86_EFLAGS_VM } from '../cpu/registers.ts';
import type { JitOptions } from '../jit/engine.ts';
import { KVM_IRQCHIP_PIC_MASTER } from '../uapi/kvm.ts';
import { assembleItems, type EngineProgram } from './engine-program.ts';
import {
  CODE,
  CODE0,
  DATA,
  IDT,
  PAGE_TABLE,
  PRESENT_RW_USER,
  RAM_BYTES,
  STACK,
  TSS,
  tablesImage,
} from './random-code-layout.ts';
import { enterMode } from './random-code-mode.ts';

/** 1 M ticks a second: the PIT's shortest period is 200 ticks. */
const TICKS_A_SECOND = 1_000_000;
const TIMER_VECTOR = 0x20;
const TIMER_HANDLER = 0x3800;
const TIMER_HANDLER_REAL = 0x620;
/** push eax; mov al,0x20; out 0x20,al; pop eax; iret */
const TIMER_CODE = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf];
const IO_BITMAP = 104;

/** Never tired of functions, and of a page only when a program changes itself over and over. */
const EAGER: JitOptions = { threshold: 2, maxDeaths: 12, maxFunctions: Number.POSITIVE_INFINITY };

/** How often all of memory is compared. */
const FULL_LOOK_EVERY = 32;

/** Where two engines part. */
export interface EngineDifference {
  /** Ticks from the start of the program, at the end of the slice. */
  readonly ticks: number;
  readonly lines: readonly string[];
}

/** One of the two boards. */
class Twin {
  readonly board: Board;
  readonly #base: BoardSnapshot;

  constructor(jit: JitOptions | false) {
    this.board = createPcBoard({ memoryBytes: RAM_BYTES, ips: TICKS_A_SECOND, jit });
    const { vm } = this.board;
    const image = tablesImage();
    const view = new DataView(image.buffer);
    view.setUint32(IDT + TIMER_VECTOR * 8, (CODE0 << 16) | TIMER_HANDLER, true);
    view.setUint32(IDT + TIMER_VECTOR * 8 + 4, 0x8e00, true);
    view.setUint16(TIMER_VECTOR * 4, TIMER_HANDLER_REAL, true);
    image.set(TIMER_CODE, TIMER_HANDLER);
    image.set(TIMER_CODE, TIMER_HANDLER_REAL);
    vm.memory.write(0, image);
    const pic = vm.getIrqchip(KVM_IRQCHIP_PIC_MASTER);
    if (typeof pic !== 'number')
      vm.setIrqchip(KVM_IRQCHIP_PIC_MASTER, { ...pic, irq_base: TIMER_VECTOR, imr: 0xfe });
    this.#base = this.board.snapshot();
  }

  /** Pages written since the start of the program. */
  get writtenPages(): readonly number[] {
    return this.#base.vm.memory.pages;
  }

  start(program: EngineProgram, code: Uint8Array): void {
    const { board } = this;
    board.restore(this.#base);
    // Each program is the same whatever ran before.
    board.vcpu.cpu.cache.clear();
    const { memory } = board.vm;
    memory.write(CODE + program.offset, code);
    for (const at of program.deniedPorts) memory.write(TSS + IO_BITMAP + at, Uint8Array.of(0xff));
    if (program.aliasesCode) {
      const entry = new Uint8Array(4);
      new DataView(entry.buffer).setUint32(0, CODE | PRESENT_RW_USER, true);
      memory.write(PAGE_TABLE + (DATA >>> 12) * 4, entry);
    }
    this.#startTimer(program.pitCount);
    this.#load(program);
  }

  #startTimer(count: number): void {
    const { vm } = this.board;
    const pit = vm.getPit2();
    if (typeof pit === 'number' || count === 0) return;
    pit.channels[0].mode = 2;
    pit.channels[0].count = count;
    vm.setPit2(pit);
  }

  #load(program: EngineProgram): void {
    const { mode, isPaged } = program;
    const { cpu } = this.board.vcpu;
    enterMode(cpu, {
      mode: mode === 'user32' ? 'prot32' : mode,
      isPaged,
      isLevel3: mode === 'user32',
      cr4: program.cr4,
    });
    const isFlat = mode === 'prot32' || mode === 'user32';
    for (let i = 0; i < 8; i++) cpu.gpr[i] = program.gpr[i];
    if (isFlat) cpu.gpr[4] += STACK;
    cpu.eip = program.offset + (isFlat ? CODE : 0);
    setEflags(cpu, program.eflags | (mode === 'v86' ? X86_EFLAGS_VM : 0));
    privilegeChanged(cpu);
    cpu.flushTlb();
  }
}

function endText(end: BoardEnd): string {
  return JSON.stringify(end);
}

/** Runs programs on both. */
export class EngineTwins {
  readonly #interpreted = new Twin(false);
  readonly #generated: Twin;
  /** Ticks that all programs have run on one of the boards. */
  ticks = 0;
  #programs = 0;

  /** @param jit when the second board generates code. */
  constructor(jit: JitOptions = EAGER) {
    this.#generated = new Twin({ ...EAGER, ...jit });
  }

  /** Runs one program. @returns where the engines part, or null. */
  run(program: EngineProgram): EngineDifference | null {
    const is32 = program.mode === 'prot32' || program.mode === 'user32';
    const code = Uint8Array.from(assembleItems(program.items, is32));
    this.#interpreted.start(program, code);
    this.#generated.start(program, code);
    const a = this.#interpreted.board;
    const b = this.#generated.board;
    const begin = a.vm.clock.ticks;
    for (const slice of program.slices) {
      const first = a.run(slice);
      const second = this.#runGenerated(slice);
      if (typeof second === 'string') return { ticks: a.vm.clock.ticks - begin, lines: [second] };
      const ends = [endText(first), endText(second)];
      if (ends[0] !== ends[1] || !registersAreEqual(a, b)) return this.#difference(begin, ends);
      if (first.kind !== 'slice') break;
    }
    this.ticks += a.vm.clock.ticks - begin;
    // All of memory now and then: a store that nobody has noticed is in no list of written pages.
    const pages = ++this.#programs % FULL_LOOK_EVERY === 0 ? null : this.#writtenPages();
    const isSame = boardDifferences(a, b, pages, 1).length === 0;
    return isSame ? null : this.#difference(begin, ['', '']);
  }

  /** @returns the end, or what was thrown: nothing may be. */
  #runGenerated(ticks: number): BoardEnd | string {
    try {
      return this.#generated.board.run(ticks);
    } catch (error) {
      return `generated code has thrown: ${String(error)}`;
    }
  }

  #writtenPages(): Set<number> {
    return new Set([...this.#interpreted.writtenPages, ...this.#generated.writtenPages]);
  }

  #difference(begin: number, ends: readonly string[]): EngineDifference {
    const a = this.#interpreted.board;
    const lines = boardDifferences(a, this.#generated.board).map(
      ({ what, first, second }) => `${what}: ${first} interpreted, ${second} generated`,
    );
    if (ends[0] !== ends[1]) lines.unshift(`end: ${ends[0]} interpreted, ${ends[1]} generated`);
    return { ticks: a.vm.clock.ticks - begin, lines };
  }
}
