/** `pio86 demo`: one guest, seen from outside. */
import type { CommandSpec } from '../command.ts';

export const demoCommand: CommandSpec<object> = {
  name: 'demo',
  summary: 'run a guest that programs the timer, and show what happens',
  description:
    'Runs examples/pit-irq.bin: the guest programs the PIT through ports 0x43 and 0x40 and counts ' +
    'its interrupts. Shows the trace, the ticks and the path of one access function by function.',
  examples: ['pio86 demo'],
  options: [],
  async action(context) {
    const { runDemo } = await import('../demo/run-demo.ts');
    return runDemo(context);
  },
};
