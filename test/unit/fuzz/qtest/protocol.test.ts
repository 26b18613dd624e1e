import { describe, expect, it } from 'vitest';
import { inCommand, irqCommand, outCommand, parseReplies } from '../../../../src/fuzz/qtest/protocol.ts';

describe('the qtest protocol', () => {
  it('gives each reply its value and the level of the interrupt line behind it', () => {
    const lines = ['OK', 'IRQ raise 0', 'OK 0x00fe', 'IRQ lower 0', 'IRQ raise 0', 'IRQ lower 0', 'OK'];
    expect(parseReplies(lines, 0)).toEqual([
      { value: null, level: 0 },
      { value: 0xfe, level: 1 },
      { value: null, level: 0 },
    ]);
    expect(parseReplies(['OK'], 1)).toEqual([{ value: null, level: 1 }]);
  });

  it.each(["FAIL Unknown command 'clock_step'", 'OK 0x', 'IRQ raise 7', ''])('refuses "%s"', (line) => {
    expect(() => parseReplies([line], 0)).toThrow(expect.objectContaining({ code: 'E_ORACLE' }));
  });

  it('spells accesses of each width and pins of both chips', () => {
    expect([outCommand(0x20, 0x11), outCommand(0x510, 5, 2), inCommand(0x71), inCommand(0xcf8, 4)]).toEqual([
      'outb 0x20 0x11',
      'outw 0x510 0x5',
      'inb 0x71',
      'inl 0xcf8',
    ]);
    expect(irqCommand(['/m', '/s'], 11, 1)).toBe('set_irq_in /s unnamed-gpio-in 3 1');
    expect(irqCommand(['/m', '/s'], 0, 0)).toBe('set_irq_in /m unnamed-gpio-in 0 0');
  });
});
