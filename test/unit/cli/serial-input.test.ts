import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Wakeup } from '../../../src/cli/run/host-time.ts';
import { StdinInput } from '../../../src/cli/run/serial-input.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(terminal = false) {
  const stdin = new PassThrough();
  const modes: boolean[] = [];
  const tty = { isTTY: terminal, setRawMode: (on: boolean) => modes.push(on) };
  let interrupts = 0;
  const input = new StdinInput({ stdin: Object.assign(stdin, tty) }, new Wakeup(), () => interrupts++);
  return { stdin, input, modes, interrupts: () => interrupts };
}

/** A UART with room for `room` bytes. */
function uart(room: number) {
  const got: number[] = [];
  return {
    got,
    receive(byte: number): boolean {
      if (got.length >= room) return false;
      got.push(byte);
      return true;
    },
  };
}

describe('StdinInput', () => {
  it('keeps what the UART refuses, and stops reading meanwhile', async () => {
    const { stdin, input } = setUp();
    stdin.write('abc');
    await turn();
    const full = uart(2);
    expect([input.feed(full.receive), input.pending, stdin.isPaused()]).toEqual([2, 1, true]);
    const rest = uart(9);
    expect([input.feed(rest.receive), input.pending, stdin.isPaused()]).toEqual([1, 0, false]);
    expect([...full.got, ...rest.got]).toEqual([0x61, 0x62, 0x63]);
  });

  it.each(['end', 'destroy'] as const)('ends when the stream does: %s', async (how) => {
    const { stdin, input } = setUp();
    expect(input.ended).toBe(false);
    stdin[how]();
    await turn();
    await turn();
    expect(input.ended).toBe(true);
  });

  it('has a terminal hand over every key at once, and gives it back', () => {
    const { input, modes } = setUp(true);
    input.close();
    expect(modes).toEqual([true, false]);
  });

  it('takes Ctrl-C for itself on a terminal only', async () => {
    for (const [terminal, interrupts] of [
      [true, 1],
      [false, 0],
    ] as const) {
      const setup = setUp(terminal);
      setup.stdin.write(Uint8Array.of(3));
      await turn();
      expect(setup.interrupts()).toBe(interrupts);
    }
  });
});

describe('Wakeup', () => {
  it('ends the next wait when nobody waits, once', async () => {
    const wakeup = new Wakeup();
    wakeup.wake();
    await wakeup.wait(Number.POSITIVE_INFINITY);
    const started = performance.now();
    await wakeup.wait(30);
    expect(performance.now() - started).toBeGreaterThan(20);
  });

  it('ends a wait that is under way', async () => {
    const wakeup = new Wakeup();
    setTimeout(() => wakeup.wake(), 1);
    await wakeup.wait(Number.POSITIVE_INFINITY);
  });
});
