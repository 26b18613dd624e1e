import { describe, expect, it } from 'vitest';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { parseReg } from '../../../src/cli/run/run-options.ts';
import { setEntry, setRegisters } from '../../../src/cli/run/set-registers.ts';

describe('setRegisters', () => {
  it.each([
    [['eax=0x12345678'], 'eax', 0x12345678],
    [['eax=0x12345678', 'ax=0xffff'], 'eax', 0x1234ffff],
    [['ebx=0xffffffff', 'bl=0'], 'ebx', 0xffffff00],
    [['ecx=0xffffffff', 'ch=0'], 'ecx', 0xffff00ff],
    [['dh=0x80', 'dl=1'], 'edx', 0x8001],
    [['sp=0xfffe'], 'esp', 0xfffe],
    [['ip=0x7c00'], 'eip', 0x7c00],
    [['flags=0x202'], 'eflags', 0x202],
  ] as const)('%j', (options, reg, value) => {
    const board = createKvmBoard({ memoryBytes: 0x10000 });
    const zero = { ...board.vcpu.getRegs(), edx: 0, eip: 0 };
    board.vcpu.setRegs(zero);
    setRegisters(board, options.map(parseReg));
    expect(board.vcpu.getRegs()[reg]).toBe(value);
  });

  it('sets segments with their real-mode base', () => {
    const board = createKvmBoard({ memoryBytes: 0x10000 });
    setRegisters(board, ['es=0x1234', 'gs=0xffff'].map(parseReg));
    const { es, gs, ds } = board.vcpu.getSregs();
    expect([es.selector, es.base, gs.base, ds.base]).toEqual([0x1234, 0x12340, 0xffff0, 0]);
  });
});

describe('setEntry', () => {
  it.each([
    [{ selector: 0x100, offset: 0x10 }, 0x100, 0x10],
    [{ selector: null, offset: 0x12345 }, 0x1000, 0x2345],
  ])('%j', (entry, selector, eip) => {
    const board = createKvmBoard({ memoryBytes: 0x20000 });
    setEntry(board, entry);
    const { cs } = board.vcpu.getSregs();
    expect([cs.selector, cs.base, board.vcpu.getRegs().eip]).toEqual([selector, selector * 16, eip]);
  });
});
