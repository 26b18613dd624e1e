/** What a device is given when nothing hangs on it. */
import { expect, it } from 'vitest';
import { NO_IRQ_LINE, NO_SINK } from '../../../src/bus/irq-line.ts';

it('a wire that leads nowhere takes every level, and what swallows bytes takes every byte', () => {
  expect([NO_IRQ_LINE.set(1), NO_IRQ_LINE.set(0), NO_SINK.write(0xff)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
