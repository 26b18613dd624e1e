import { describe, expect, it } from 'vitest';
import type { Board, BoardOptions } from '../../../src/boards/board.ts';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { COLD_TABLE } from '../../../src/cpu/cold.ts';
import type { CodeGenerator } from '../../../src/cpu/generated-code.ts';
import { Op } from '../../../src/decoder/op.ts';
import { LockStepBoard } from '../../../src/verify/lock-step-board.ts';

/** mov cx,5000; loop: bswap eax; inc eax; add ebx,eax; out 0xe9,al; loop loop; cli; hlt */
const PROGRAM = 'b98813 660fc8 6640 6601c3 e6e9 e2f4 fa f4';

function load(board: Board, hex: string): void {
  board.vm.memory.write(0x1000, Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')));
  const sregs = board.vcpu.getSregs();
  sregs.cs.selector = 0;
  sregs.cs.base = 0;
  board.vcpu.setSregs(sregs);
  board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: 0x1000, esp: 0x800, eax: 0x0102_0304 });
}

/** A generator whose functions get `broken` where they should call the cold table's function of `op`. */
function breakOperation(board: Board, op: number, broken: (typeof COLD_TABLE)[number]): Board {
  const { cpu } = board.vcpu;
  const whole = cpu.generator;
  if (whole === null) return board;
  const planted = <T>(act: () => T): T => {
    const right = COLD_TABLE[op];
    COLD_TABLE[op] = broken;
    try {
      return act();
    } finally {
      COLD_TABLE[op] = right;
    }
  };
  const generator: CodeGenerator = {
    wantsAll: false,
    get budget() {
      return whole.budget;
    },
    set budget(ticks) {
      whole.budget = ticks;
    },
    arrive: (...args) => planted(() => whole.arrive(...args)),
    run: (...args) => planted(() => whole.run(...args)),
    timePasses: (ticks) => whole.timePasses(ticks),
  };
  cpu.generator = generator;
  return board;
}

describe('two engines in lock step', () => {
  it('come to the same end, and what the guest says comes once', () => {
    const said: number[] = [];
    const debug = { write: (byte: number) => said.push(byte) };
    const plain = createKvmBoard({ memoryBytes: 0x10000, jit: false, debug });
    load(plain, PROGRAM);
    expect(plain.run(1_000_000)).toEqual({ kind: 'halted' });
    const expected = said.splice(0);
    const board = new LockStepBoard(
      createKvmBoard,
      { memoryBytes: 0x10000, debug },
      { sliceTicks: 777, snapshotTicks: 3000 },
    );
    load(board, PROGRAM);
    expect(board.run(1_000_000)).toEqual({ kind: 'halted' });
    expect(said).toEqual(expected);
    expect(board.vcpu.getRegs()).toEqual(plain.vcpu.getRegs());
    expect(board.vm.clock.ticks).toBe(plain.vm.clock.ticks);
  });

  it('report a planted difference with the instruction it is in, and say nothing twice', () => {
    let calls = 0;
    const right = COLD_TABLE[Op.Bswap];
    const said: number[] = [];
    const board = new LockStepBoard(
      (options) =>
        breakOperation(createKvmBoard(options), Op.Bswap, (cpu, insn) => {
          calls++;
          const status = right?.(cpu, insn) ?? 0;
          cpu.gpr[0] ^= 0x40;
          return status;
        }),
      { memoryBytes: 0x10000, debug: { write: (byte) => said.push(byte) } },
      { sliceTicks: 1000 },
    );
    load(board, PROGRAM);
    let message = '';
    try {
      board.run(1_000_000);
    } catch (error) {
      message = String(error);
    }
    expect(calls).toBeGreaterThan(0);
    expect(message).toMatch(
      /differ at tick \d+\n {2}in the instruction\n {4}0000:1003 {2}66 0f c8 {2}bswap eax/,
    );
    expect(message).toMatch(/eax: 0x[0-9a-f]{8} interpreted, 0x[0-9a-f]{8} generated/);
    expect(said.length).toBeLessThanOrEqual(200);
  });

  it('compare RAM: a store that only one engine makes is found', () => {
    const make = (options: BoardOptions): Board => {
      const board = createKvmBoard(options);
      const right = COLD_TABLE[Op.Bswap];
      return breakOperation(board, Op.Bswap, (cpu, insn) => {
        cpu.mem.ram[0x7000] = 0x5a;
        return right?.(cpu, insn) ?? 0;
      });
    };
    const board = new LockStepBoard(make, { memoryBytes: 0x10000 });
    // mov [0x7001],al makes the page a written one.
    load(board, `a20170 ${PROGRAM}`);
    expect(() => board.run(1_000_000)).toThrow(/memory 0x00007000: 0x00 interpreted, 0x5a generated/);
  });
});
