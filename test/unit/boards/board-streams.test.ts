import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Board, MAX_WARNINGS } from '../../../src/boards/board.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { PORT_TABLE } from '../../../src/boards/port-table.ts';
import type { IoSize } from '../../../src/bus/io-device.ts';
import { load } from './board-guest.ts';

interface Access {
  readonly isWrite: boolean;
  readonly port: number;
  readonly size: IoSize;
  readonly value: number;
  readonly pause: number;
}

const ports = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PORT_TABLE.flatMap(({ base, len }) => [base, base + len - 1])) },
  { weight: 1, arbitrary: fc.nat(0xffff) },
);
const accesses: fc.Arbitrary<Access[]> = fc.array(
  fc.record({
    isWrite: fc.boolean(),
    port: ports,
    size: fc.constantFrom<IoSize>(1, 2, 4),
    value: fc.nat(0xffff_ffff),
    pause: fc.oneof(fc.nat(100), fc.nat(100_000_000)),
  }),
  { maxLength: 60 },
);

/** One access through the board's bus. @returns the value read, −1 for a write. */
function perform(board: Board, { isWrite, port, size, value, pause }: Access): number {
  const { clock } = board.vm;
  clock.advance(pause);
  clock.runDueAlarms();
  const bus = board.vcpu.userspace;
  if (bus === null) throw new Error('the board has no bus');
  if (!isWrite) return bus.read(port, size);
  bus.write(port, size, value % 2 ** (8 * size));
  return -1;
}

const MEMORY = { memoryBytes: 0x10000 };

describe('any stream of accesses', () => {
  it('reads values of its width and leaves a state that another board can go on from', () => {
    fc.assert(
      fc.property(accesses, accesses, (before, after) => {
        const first = createPcBoard(MEMORY);
        for (const access of before) {
          const value = perform(first, access);
          expect(value >= -1 && value < 2 ** (8 * access.size)).toBe(true);
        }
        const second = createPcBoard(MEMORY);
        second.vm.clock.loadState(first.vm.clock.saveState());
        second.loadDevices(structuredClone(first.saveDevices()));
        expect(second.vcpu.cpu.a20Mask).toBe(first.vcpu.cpu.a20Mask);
        expect(after.map((access) => perform(second, access))).toEqual(
          after.map((access) => perform(first, access)),
        );
        expect(second.saveDevices()).toEqual(first.saveDevices());
      }),
      { numRuns: 60 },
    );
  });
});

describe('a guest that floods', () => {
  it('every port under the policy warn gives a bounded number of lines', () => {
    const warnings: string[] = [];
    const board = createPcBoard({ ...MEMORY, unclaimed: 'warn', onWarning: (line) => warnings.push(line) });
    load(board, 'ba 00 07 ee ef 66 ed 42 eb f9 ; mov dx,0x700; out dx,al; out dx,ax; in eax,dx; inc dx; jmp');
    expect(board.run(200_000)).toEqual({ kind: 'slice' });
    expect(warnings.length).toBe(MAX_WARNINGS + 1);
  });

  it('the UART in loopback keeps sixteen characters', () => {
    const board = createPcBoard(MEMORY);
    load(
      board,
      `ba fc 03 b0 18 ee ; mov dx,0x3fc; mov al,0x18; out dx,al   loopback
       ba fa 03 b0 01 ee ; mov dx,0x3fa; mov al,1; out dx,al      FIFOs
       ba f8 03 ee eb fd ; mov dx,0x3f8; out dx,al; jmp $-1`,
    );
    expect(board.run(100_000)).toEqual({ kind: 'slice' });
    const { serial } = board.saveDevices() as { serial: { rxCount: number } };
    expect(serial.rxCount).toBe(16);
  });
});
