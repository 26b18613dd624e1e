/** Board.snapshot and Board.restore: random guests with ports, timers and interrupts. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Board, BoardOptions } from '../../../src/boards/board.ts';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { TraceLog } from '../kvm/real-machine.ts';
import { bytesOf, load, setVector, TextSink } from './board-guest.ts';

const HANDLER = 0x600;

/** Interrupts on, PIT channel 0 at 1 ms, RTC periodic, UART with FIFOs and every interrupt; then the body again and again. */
const SETUP = `
  fa b0 11 e6 20 e6 a0        ; cli; ICW1
  b0 20 e6 21 b0 28 e6 a1     ; ICW2: vectors 20h, 28h
  b0 04 e6 21 b0 02 e6 a1     ; ICW3
  b0 01 e6 21 e6 a1           ; ICW4
  b0 00 e6 21 e6 a1           ; all unmasked
  b0 34 e6 43 b0 a9 e6 40 b0 04 e6 40
  ba fa 03 b0 07 ee ba f9 03 b0 0f ee ba fc 03 b0 0b ee
  b0 0b e6 70 b0 42 e6 71     ; RTC: PIE
  fb`;

/** Counts, writes to the serial line now and then, reads register C, ends the interrupt. */
const HANDLER_CODE = `
  50 52                       ; push ax; push dx
  fe 06 00 50                 ; inc byte [5000h]
  ba f8 03 a0 00 50 ee        ; serial ← count
  b0 0c e6 70 e4 71
  ba fa 03 ec
  b0 20 e6 a0 e6 20
  5a 58 cf`;

const FRAGMENTS = [
  ...[
    'fb f4',
    '90',
    'e4 40',
    'b0 00 e6 43 e4 40 e4 40',
    'ba f8 03 b0 41 ee',
    'ba fd 03 ec',
    'e4 61 34 03 e6 61',
  ],
  ...[
    'b9 00 02 e2 fe',
    'bf 00 54 b9 09 00 ba 40 00 f3 6c',
    'be 00 7c b9 07 00 ba f8 03 f3 6e',
    'b9 40 00 f3 aa',
  ],
  ...[
    'fe 06 01 50',
    'e4 60',
    'e4 64',
    'b0 ae e6 64',
    'b0 f4 e6 60',
    'b0 d1 e6 64 b0 df e6 60',
    'b0 02 e6 92',
  ],
  ...['b0 00 e6 92', 'b0 77 e6 80', 'ba 08 06 66 ed', 'b0 0a e6 70 b0 26 e6 71', 'b0 0a e6 70 b0 2f e6 71'],
  ...[
    'ba 34 12 ec',
    'ba 34 12 ee',
    'ba e9 00 b0 58 ee',
    'b0 0a e6 20 e4 20',
    'b0 00 e6 70 e4 71',
    'ba f9 03 b0 05 ee',
  ],
  ...[
    '80 36 01 50 55',
    '9c 58',
    'b0 aa e6 64',
    'b0 ee e6 60',
    'ba fc 03 b0 1b ee',
    'ba f8 03 b0 61 ee',
    'ba f8 03 ec',
  ],
];
const programs = fc.array(fc.constantFrom(...FRAGMENTS), { minLength: 1, maxLength: 20 });

interface Guest {
  readonly board: Board;
  readonly text: TextSink;
  readonly warnings: string[];
}

type Maker = (options: BoardOptions) => Board;

function guest(create: Maker, program: readonly string[], forceEmulation = false): Guest {
  const text = new TextSink();
  const warnings: string[] = [];
  const board = create({
    memoryBytes: 0x10_0000,
    ips: 2_000_000,
    serial: text,
    debug: text,
    unclaimed: 'warn',
    onWarning: (line) => warnings.push(line),
    forceEmulation,
  });
  write(board, program);
  return { board, text, warnings };
}

function write(board: Board, program: readonly string[]): void {
  const setup = bytesOf(SETUP);
  const body = bytesOf(program.join('\n'));
  const back = 0x1_0000 - body.length - 3;
  const hex = [...setup, ...body, 0xe9, back & 0xff, back >> 8].map((byte) => byte.toString(16)).join(' ');
  load(board, hex);
  for (let vector = 0; vector < 0x30; vector++) setVector(board, vector, HANDLER);
  board.vm.memory.write(HANDLER, bytesOf(HANDLER_CODE));
}

/** Everything that can be seen of a board from outside. */
function seen({ board }: Guest): unknown {
  const { vm, vcpu } = board;
  return {
    regs: vcpu.getRegs(),
    sregs: vcpu.getSregs(),
    a20: vcpu.cpu.a20Mask,
    stat: structuredClone({ ...vcpu.stat }),
    instructions: vcpu.instructions,
    devices: board.saveDevices(),
    clock: vm.clock.saveState(),
    kernel: [vm.pic?.saveState(), vm.pit?.saveState(), vm.ioapic?.saveState()],
    memory: createHash('sha1').update(vm.memory.ram).digest('hex'),
  };
}

interface Input {
  readonly ticks: number;
  readonly serial: number;
  readonly scancode: number;
}

const inputs = fc.array(
  fc.record({ ticks: fc.integer({ min: 1, max: 5_000 }), serial: fc.nat(511), scancode: fc.nat(511) }),
  { minLength: 1, maxLength: 4 },
);

/** Runs slices with bytes that come in between. @returns what came out and where it ended. */
function go(g: Guest, list: readonly Input[]): unknown {
  const { board, text, warnings } = g;
  const from = [text.text.length, warnings.length];
  const ends = list.map(({ ticks, serial, scancode }) => {
    if (serial < 256) board.receiveSerial(serial);
    if (scancode < 256) board.receiveScancode(scancode);
    return board.run(ticks);
  });
  return { ends, text: text.text.slice(from[0]), warnings: warnings.slice(from[1]), end: seen(g) };
}

describe.each<[string, Maker]>([
  ['kvm', createKvmBoard],
  ['pc', createPcBoard],
])('on the board %s, running on from a restore', (_, create) => {
  it('is what the first run was: text, warnings, trace lines, registers, devices, memory', () => {
    // One board for all runs; each begins with a program of its own.
    const g = guest(create, ['90']);
    const reset = g.board.snapshot();
    fc.assert(
      fc.property(programs, inputs, inputs, fc.boolean(), (program, before, after, isEmulated) => {
        g.board.restore(reset);
        write(g.board, program);
        g.board.vcpu.forceEmulation = isEmulated ? 1 : 0;
        go(g, before);
        const snapshot = g.board.snapshot();
        const start = seen(g);
        const runs = [0, 1, 2].map((i) => {
          if (i > 0) g.board.restore(snapshot);
          expect(seen(g)).toEqual(start);
          const trace = new TraceLog();
          g.board.vcpu.trace = trace;
          const result = go(g, after);
          g.board.vcpu.trace = null;
          return { result, lines: trace.lines.join('\n') };
        });
        expect(runs[1]).toEqual(runs[0]);
        expect(runs[2]).toEqual(runs[0]);
      }),
      { numRuns: 30 },
    );
  });

  it('is what a fresh board does after as many ticks, here and on another board', () => {
    fc.assert(
      fc.property(programs, inputs, inputs, (program, before, after) => {
        const g = guest(create, program);
        go(g, before);
        const snapshot = g.board.snapshot();
        go(g, after);
        const other = guest(create, ['90']);
        go(other, after);
        other.board.restore(snapshot);
        g.board.restore(snapshot);
        const fresh = guest(create, program);
        go(fresh, before);
        expect(seen(g)).toEqual(seen(fresh));
        const expected = go(fresh, after);
        expect(go(g, after)).toEqual(expected);
        expect(go(other, after)).toEqual(expected);
      }),
      { numRuns: 8 },
    );
  });
});

describe('Board.restore', () => {
  it('refuses the snapshot of another kind of board, or of one with other memory', () => {
    const pc = createPcBoard({ memoryBytes: 0x10_0000 });
    const kvm = createKvmBoard({ memoryBytes: 0x10_0000 });
    const small = createKvmBoard({ memoryBytes: 0x8_0000 });
    expect(() => kvm.restore(pc.snapshot())).toThrowError('snapshot: of a board pc, not kvm');
    expect(() => small.restore(kvm.snapshot())).toThrowError(
      "snapshot: memory is slot 0 at 0x0+0x100000, the machine's is slot 0 at 0x0+0x80000",
    );
  });

  it('refuses the snapshot of a board with other devices', () => {
    const plain = createKvmBoard({ memoryBytes: 0x10_0000 });
    const extended = createKvmBoard({ memoryBytes: 0x10_0000, extraDevices: ['pc-testdev'] });
    const message = (a: string, b: string): string => `snapshot: its devices are ${a}, the board's are ${b}`;
    const names = [plain, extended].map((board) => Object.keys(board.saveDevices()).join());
    expect(() => plain.restore(extended.snapshot())).toThrowError(message(names[1], names[0]));
    expect(() => extended.restore(plain.snapshot())).toThrowError(message(names[0], names[1]));
  });

  it('takes back ROM that was written over RAM, and refuses when ROM outside the RAM was added', () => {
    const board = createKvmBoard({ memoryBytes: 0x10_0000 });
    const snapshot = board.snapshot();
    board.addRom(new Uint8Array(0x1000).fill(0x5a), 0xf_f000);
    board.restore(snapshot);
    expect(board.vm.memory.readByte(0xf_f000)).toBe(0);
    board.addRom(new Uint8Array(0x1000), 0xffff_f000);
    expect(() => board.restore(snapshot)).toThrowError('memory slots have come or gone');
  });

  it('goes back and forth between snapshots taken before and after the guest’s exit', () => {
    const g = guest(createPcBoard, []);
    load(g.board, 'b0 05 e6 80 b0 07 e6 f4 b0 06 e6 80 f4');
    const start = g.board.snapshot();
    expect(g.board.run(100)).toEqual({ kind: 'exit', code: 7 });
    const exited = g.board.snapshot();
    for (let i = 0; i < 3; i++) {
      g.board.restore(exited);
      expect(g.board.run(100).kind).toBe('halted');
      g.board.restore(start);
      expect(g.board.run(100)).toEqual({ kind: 'exit', code: 7 });
    }
  });
});
