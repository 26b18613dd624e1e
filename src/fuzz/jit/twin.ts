/**
 * One of the two boards that run the same program: memory, mode, registers and timer as the program wants them.
 */
import type { Board, BoardSnapshot } from '../../boards/board.ts';
import { createPcBoard } from '../../boards/pc.ts';
import { setEflags } from '../../cpu/flags.ts';
import { PAGE_HAS_CODE, PAGE_SHIFT, PAGE_SIZE } from '../../cpu/memory.ts';
import { privilegeChanged } from '../../cpu/privilege.ts';
import { X86_EFLAGS_VM } from '../../cpu/registers.ts';
import { lower, MAX_INSN_LEN } from '../../decoder/lower.ts';
import { Jit, type JitOptions } from '../../jit/engine.ts';
import { KVM_IRQCHIP_PIC_MASTER } from '../../uapi/kvm.ts';
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
} from '../random-code-layout.ts';
import { enterMode } from '../random-code-mode.ts';
import { type EngineProgram, is32Bit } from './program.ts';

/** 1 M ticks a second: the PIT's shortest period is 200 ticks. */
const TICKS_A_SECOND = 1_000_000;
const TIMER_VECTOR = 0x20;
const TIMER_HANDLER = 0x3800;
const TIMER_HANDLER_REAL = 0x620;
/** push eax; mov al,0x20; out 0x20,al; pop eax; iret */
const TIMER_CODE = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf];
const IO_BITMAP = 104;

/** A program's bytes, and where its items begin among them. */
export interface AssembledProgram {
  readonly code: Uint8Array;
  readonly offsets: readonly number[];
}

/** See the opening comment. Boards start without generated code. */
export class Twin {
  readonly board: Board;
  readonly #base: BoardSnapshot;

  constructor() {
    this.board = createPcBoard({ memoryBytes: RAM_BYTES, ips: TICKS_A_SECOND, jit: false });
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

  /** Puts everything back and loads the program. {@link start} comes next. */
  load(program: EngineProgram, code: Uint8Array): void {
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
  }

  /** Code is generated from now on, whatever was generated before is not entered again. */
  generate(options: JitOptions): Jit {
    const jit = new Jit(options);
    this.board.vcpu.cpu.generator = jit;
    return jit;
  }

  /** Functions may begin at each of these offsets of the program's first page. Behind {@link start}. */
  offerHeads(program: EngineProgram, offsets: readonly number[]): void {
    const { cpu } = this.board.vcpu;
    const { cache, mem, model } = cpu;
    const page = CODE >>> PAGE_SHIFT;
    const is32 = is32Bit(program) ? 1 : 0;
    for (const offset of offsets) {
      const at = program.offset + offset;
      if (at >= PAGE_SIZE || cache.obtain(page).heads[is32].has(at)) continue;
      const len = Math.min(MAX_INSN_LEN, PAGE_SIZE - at);
      const insn = lower(mem.ram.subarray(CODE + at, CODE + at + len), len, is32, model.features);
      if (insn === null) continue;
      cache.add(page, is32, at, insn);
      cache.obtain(page).want(is32, at);
    }
    mem.restrict(page, 1, PAGE_HAS_CODE);
  }

  /** Puts the processor where the program begins, `offset` bytes behind its first. */
  start(program: EngineProgram, offset: number): void {
    const { mode, isPaged } = program;
    const { cpu } = this.board.vcpu;
    enterMode(cpu, {
      mode: mode === 'user32' ? 'prot32' : mode,
      isPaged,
      isLevel3: mode === 'user32',
      cr4: program.cr4,
    });
    const isFlat = is32Bit(program);
    for (let i = 0; i < 8; i++) cpu.gpr[i] = program.gpr[i];
    if (isFlat) cpu.gpr[4] += STACK;
    cpu.eip = program.offset + offset + (isFlat ? CODE : 0);
    setEflags(cpu, program.eflags | (mode === 'v86' ? X86_EFLAGS_VM : 0));
    privilegeChanged(cpu);
    cpu.flushTlb();
  }

  #startTimer(count: number): void {
    const { vm } = this.board;
    const pit = vm.getPit2();
    if (typeof pit === 'number' || count === 0) return;
    pit.channels[0].mode = 2;
    pit.channels[0].count = count;
    vm.setPit2(pit);
  }
}
