import { describe, expect, it } from 'vitest';
import { CaseDiff, hex } from '../../../src/conform/case-diff.ts';

describe('CaseDiff', () => {
  it('keeps silent about what agrees', () => {
    const diff = new CaseDiff();
    diff.number('ax', 5, 5, 4);
    diff.flags('flags', 0x0046, 0x0847, 0x0046);
    expect(diff).toMatchObject({ count: 0, rows: [] });
  });

  it('shows numbers in hex with the width they have', () => {
    const diff = new CaseDiff();
    diff.number('ax', 0x12, 0x1234, 4);
    expect(diff.rows).toEqual([{ what: 'ax', expected: '0x0012', got: '0x1234' }]);
  });

  it('names the flags that differ under the mask, and only those', () => {
    const diff = new CaseDiff();
    diff.flags('flags', 0x0003, 0x0842, 0x0fbf);
    expect(diff.rows).toEqual([{ what: 'flags', expected: '0x0003 (CF)', got: '0x0842 (OF)' }]);
  });

  it('counts differences that it has no room to keep', () => {
    const diff = new CaseDiff();
    for (let i = 0; i < 100; i++) diff.number(`mem ${i}`, 0, 1, 2);
    expect(diff.count).toBe(100);
    expect(diff.rows.length).toBeLessThan(100);
  });

  it('starts over after clear', () => {
    const diff = new CaseDiff();
    diff.text('end', 'HLT', 'KVM_EXIT_SHUTDOWN');
    diff.clear();
    expect(diff).toMatchObject({ count: 0, rows: [] });
  });
});

describe('hex', () => {
  it('shows negative int32 values as unsigned', () => {
    expect(hex(-1, 8)).toBe('0xffffffff');
    expect(hex(5, 4)).toBe('0x0005');
  });
});
