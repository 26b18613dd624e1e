import { beforeEach, describe, expect, it } from 'vitest';
import { CaseDiff } from '../../../src/conform/case-diff.ts';
import { JudgedMemory } from '../../../src/conform/judged-memory.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';

describe('JudgedMemory', () => {
  let memory: GuestMemory;
  let judged: JudgedMemory;
  let diff: CaseDiff;

  beforeEach(() => {
    memory = new GuestMemory();
    memory.addSlot(0, 0, new Uint8Array(0x4000).fill(0x77), false);
    judged = new JudgedMemory(memory);
    diff = new CaseDiff();
  });

  it('finds a store where none should be', () => {
    judged.arm();
    memory.writeByte(0x2345, 1);
    judged.compare(diff);
    expect(diff.rows).toEqual([{ what: 'mem 0x02345', expected: '0x77', got: '0x01' }]);
  });

  it('finds a store that should have been', () => {
    judged.arm();
    judged.expect(0x10, 5);
    judged.compare(diff);
    expect(diff.rows).toEqual([{ what: 'mem 0x00010', expected: '0x05', got: '0x77' }]);
  });

  it('is content with the stores it expects and with those that change nothing', () => {
    judged.load(0x20, 9);
    judged.arm();
    memory.writeByte(0x20, 9);
    memory.writeByte(0x1000, 3);
    judged.expect(0x1000, 3);
    judged.compare(diff);
    expect(diff.count).toBe(0);
  });

  it('leaves undefined bits to the guest', () => {
    judged.arm();
    memory.writeByte(0x30, 0xf5);
    judged.expect(0x30, 0x05);
    judged.undefinedBits(0x30, 0x0f);
    judged.compare(diff);
    expect(diff.count).toBe(0);
  });

  it('puts the background back, whoever wrote', () => {
    judged.load(0x40, 1);
    judged.arm();
    memory.writeByte(0x1234, 2);
    judged.expect(0x3000, 3);
    judged.restore();
    expect(memory.ram.every((byte) => byte === 0x77)).toBe(true);
    judged.arm();
    judged.compare(diff);
    expect(diff.count).toBe(0);
    expect(judged.audit()).toBe(-1);
  });

  it('catches in the audit a store that did not mark its page', () => {
    judged.arm();
    memory.ram[0x2fff] = 1;
    judged.compare(diff);
    judged.restore();
    expect(diff.count).toBe(0);
    expect(judged.audit()).toBe(0x2fff);
  });

  it('starts from a new background after rebase', () => {
    memory.ram.fill(1);
    judged.rebase();
    judged.arm();
    memory.writeByte(0, 2);
    judged.restore();
    expect(memory.ram[0]).toBe(1);
  });

  it('refuses addresses outside the RAM', () => {
    expect(() => judged.load(0x4000, 0)).toThrow(expect.objectContaining({ code: 'E_VECTOR' }));
  });
});
