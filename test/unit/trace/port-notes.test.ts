import { describe, expect, it } from 'vitest';
import { portNote } from '../../../src/trace/port-notes.ts';

describe('portNote', () => {
  it.each([
    [0x34, 'counter 0, lobyte/hibyte, mode 2'],
    [0xb6, 'counter 2, lobyte/hibyte, mode 3'],
    [0x3e, 'counter 0, lobyte/hibyte, mode 3'],
    [0x1c, 'counter 0, lobyte, mode 2'],
    [0x40, 'counter 1, latch count'],
    [0xc2, 'read back count and status of counter 0'],
    [0xde, 'read back count of counter 0, 1, 2'],
    [0xf0, 'read back nothing of counter none'],
  ])('reads the 8254 control word %i', (value, note) => {
    expect(portNote('i8254', 0x43, value)).toBe(note);
  });

  it.each([
    [0x11, 'ICW1'],
    [0x10, 'ICW1, no ICW4'],
    [0x20, 'OCW2: EOI'],
    [0x63, 'OCW2: EOI of IRQ 3'],
    [0xc7, 'OCW2: lowest priority: IRQ 7'],
    [0x0a, 'OCW3: read IRR'],
    [0x0b, 'OCW3: read ISR'],
    [0x0c, 'OCW3: poll'],
  ])('reads the 8259 command word %i', (value, note) => {
    expect(portNote('i8259', 0xa0, value)).toBe(note);
  });

  it('says nothing about data ports and other devices', () => {
    expect(portNote('i8254', 0x40, 0x34)).toBe('');
    expect(portNote('i8259', 0x21, 0xff)).toBe('');
    expect(portNote(null, 0x43, 0x34)).toBe('');
  });
});
