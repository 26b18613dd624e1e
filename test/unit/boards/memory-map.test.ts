import { describe, expect, it } from 'vitest';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { createPcBoard } from '../../../src/boards/pc.ts';
import { load } from './board-guest.ts';

const PAGE = 4096;
const KIB = 1024;
const MIB = 1024 * KIB;

describe('memory size', () => {
  it.each([64 * KIB, 68 * KIB, 16 * MIB])('%i bytes is made', (memoryBytes) => {
    expect(createKvmBoard({ memoryBytes }).vm.memory.ram.length).toBe(memoryBytes);
  });

  it.each([0, PAGE, 64 * KIB - PAGE, 64 * KIB + 1, 3072 * MIB + PAGE, -PAGE, Number.NaN, 65536.5])(
    '%d bytes is refused',
    (memoryBytes) => {
      expect(() => createKvmBoard({ memoryBytes })).toThrow(
        `board: ${memoryBytes} bytes of memory are not a whole number of 4 KiB pages from 64 KiB to 3 GiB`,
      );
    },
  );
});

describe('RTC time', () => {
  it.each([0.5, Number.NaN, 253_402_300_800])('%d is refused', (rtcSeconds) => {
    expect(() => createPcBoard({ rtcSeconds })).toThrow('is not whole seconds of the years 0 to 9999');
  });
});

describe('ROM', () => {
  const rom = Uint8Array.from({ length: 64 * KIB }, (_, i) => i & 0xff);

  it('in RAM and in a hole is read by the guest and not changed by its stores', () => {
    const board = createKvmBoard({ memoryBytes: MIB, unclaimed: 'error' });
    board.addRom(rom, MIB - rom.length);
    board.addRom(rom, 0x1_0000_0000 - rom.length);
    load(
      board,
      `b8 00 f0        ; mov ax,0xf000
       8e d8           ; mov ds,ax
       c6 06 34 12 99  ; mov byte [0x1234],0x99
       c7 06 ff 2f 11 22 ; mov word [0x2fff],0x2211
       a0 34 12        ; mov al,[0x1234]
       8b 1e ff 2f     ; mov bx,[0x2fff]
       e6 f4           ; out 0xf4,al`,
    );
    expect(board.run(100)).toEqual({ kind: 'exit', code: 0x34 });
    expect(board.vcpu.getRegs().ebx).toBe(0x00ff);
    expect(board.vm.memory.read(0xffff_1234, 1)[0]).toBe(0x34);
  });

  it('across the end of RAM lies in both', () => {
    const board = createKvmBoard({ memoryBytes: MIB - 2 * PAGE });
    board.addRom(rom.slice(0, 4 * PAGE), MIB - 4 * PAGE);
    expect([...board.vm.memory.read(MIB - 4 * PAGE, 4 * PAGE)]).toEqual([...rom.slice(0, 4 * PAGE)]);
    expect(board.vm.memory.slots.map(({ gpa, readOnly }) => [gpa, readOnly])).toEqual([
      [0, false],
      [MIB - 2 * PAGE, true],
    ]);
  });

  it('goes into the hole between two slots and over both', () => {
    const board = createKvmBoard({ memoryBytes: 64 * KIB });
    board.addRom(rom.slice(0, PAGE), 64 * KIB + PAGE);
    board.addRom(rom.slice(0, 3 * PAGE), 64 * KIB);
    expect([...board.vm.memory.read(64 * KIB, 3 * PAGE)]).toEqual([...rom.slice(0, 3 * PAGE)]);
  });

  it.each([
    [100, MIB],
    [PAGE, 100],
    [0, MIB],
    [2 * PAGE, 0x1_0000_0000 - PAGE],
  ])('of %i bytes at %i is refused', (length, gpa) => {
    expect(() => createKvmBoard().addRom(new Uint8Array(length), gpa)).toThrow(
      `rom: 0x${gpa.toString(16)}+0x${length.toString(16)} is not a whole number of 4 KiB pages below 4 GiB`,
    );
  });
});
