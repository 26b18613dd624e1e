import { describe, expect, it } from 'vitest';
import { cli } from '../unit/cli/capture-io.ts';
import * as guests from './guests.ts';

const folder = guests.guestFolder();
const echo = folder.file('echo.bin', guests.ECHO);
const sleep = folder.file('sleep.bin', guests.SLEEP);

describe('standard input', () => {
  it('goes to the UART byte by byte, none lost, raw', async () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte).filter(
      (byte) => byte !== 0x71 && byte < 0x80,
    );
    const { exitCode, stdout } = await cli(['run', echo], { stdin: Buffer.concat([all, Buffer.from('q')]) });
    expect(exitCode).toBe(0);
    expect([...Buffer.from(stdout)]).toEqual([...all]);
  });

  it('is read no faster than the guest takes it, and all of it arrives', async () => {
    const text = 'abcdefghij'.repeat(1000);
    expect((await cli(['run', echo], { stdin: `${text}q` })).stdout).toBe(text);
  });

  it('ends a guest that sleeps when the UART takes no more', async () => {
    const { exitCode, stderr } = await cli(['run', sleep], { stdin: 'x'.repeat(100) });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('waits for input')]);
  });

  it('is the program for -', async () => {
    expect((await cli(['run', '--guest-exit', '-'], { stdin: guests.EXIT_5 })).exitCode).toBe(11);
  });

  it('is not waited for with --serial none', async () => {
    const result = await cli(['run', '--serial', 'none', sleep], { stdin: null });
    expect(result.exitCode).toBe(0);
  });

  it('is waited for, until --timeout', async () => {
    const { exitCode, stderr } = await cli(['run', '--timeout', '0.3', sleep], { stdin: null });
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('2 instructions')]);
  });

  it('is waited for, until Ctrl-C', async () => {
    let sigint = (): void => {};
    setTimeout(() => sigint(), 200);
    const { exitCode } = await cli(['run', sleep], {
      stdin: null,
      onReady(raise) {
        sigint = raise;
      },
    });
    expect(exitCode).toBe(130);
  });
});
