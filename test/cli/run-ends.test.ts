import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cli } from '../unit/cli/capture-io.ts';
import * as guests from './guests.ts';

const folder = guests.guestFolder();
const loop = folder.file('loop.bin', guests.LOOP);
const halt = folder.file('halt.bin', guests.HALT);
const exit5 = folder.file('exit5.bin', guests.EXIT_5);

describe('pio86 run ends', () => {
  it('with 0 when the guest halts with interrupts off', async () => {
    const { exitCode, stdout, stderr } = await cli(['run', halt]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^pio86: the guest halted with interrupts off: 1 instruction, .*1 exit \(1 HLT\)\n$/,
    );
  });

  it('with 0 when the guest waits for input and stdin is at its end', async () => {
    const { exitCode, stderr } = await cli(['run', folder.file('sleep.bin', guests.SLEEP)]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('waits for input and there is none')]);
  });

  it('with 0 when the guest writes to the exit port, and with QEMU’s code under --guest-exit', async () => {
    expect((await cli(['run', exit5])).exitCode).toBe(0);
    expect((await cli(['run', '--guest-exit', exit5])).exitCode).toBe(11);
  });

  it('with 5 at --max-insns, at the latest after the batch of REP INS that is under way', async () => {
    const rep = guests.bytes('b9 ff ff 31 ff f3 6c eb f7 ; l: mov cx,0xffff / xor di,di / rep insb / jmp l');
    const { exitCode, stderr } = await cli(['run', '--max-insns', '3000', folder.file('rep.bin', rep)]);
    const ran = Number(/: ([\d,]+) instructions/.exec(stderr)?.[1]?.replaceAll(',', ''));
    expect(exitCode).toBe(5);
    expect(ran).toBeGreaterThanOrEqual(3000);
    expect(ran).toBeLessThan(3000 + 1024);
  });

  it('with 4 at a triple fault', async () => {
    const { exitCode, stderr } = await cli(['run', folder.file('triple.bin', guests.TRIPLE_FAULT)]);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('pio86: guest fault: triple fault')]);
  });

  it('with 4 at a jump to where no memory is', async () => {
    const jump = folder.file('jump.bin', guests.JUMP_TO_F000);
    const { exitCode, stderr } = await cli(['run', '--memory', '64K', jump]);
    expect([exitCode, stderr]).toEqual([4, expect.stringMatching(/guest fault: .*0xf0000/)]);
  });

  it('with 4 at an unclaimed port under --unclaimed error', async () => {
    const flood = folder.file('unclaimed.bin', guests.FLOOD_PORT);
    const { exitCode, stderr } = await cli(['run', '--unclaimed', 'error', flood]);
    expect([exitCode, stderr]).toEqual([
      4,
      expect.stringMatching(/no device at port 0x1234: write of 2 bytes/),
    ]);
  });

  it('with 5 after exactly --max-insns instructions', async () => {
    const { exitCode, stderr } = await cli(['run', '--max-insns', '12345', loop]);
    expect([exitCode, stderr]).toEqual([
      5,
      expect.stringContaining('--max-insns reached: 12,345 instructions'),
    ]);
  });

  it('with 5 when --timeout is over', async () => {
    const { exitCode, stderr } = await cli(['run', '--timeout', '0.2', loop]);
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('--timeout reached')]);
  });

  it('with 130 and the summary at Ctrl-C', async () => {
    let sigint = (): void => {};
    setTimeout(() => sigint(), 200);
    const { exitCode, stderr } = await cli(['run', loop], {
      onReady(raise) {
        sigint = raise;
      },
    });
    expect([exitCode, stderr]).toEqual([
      130,
      expect.stringMatching(/^pio86: interrupted: [\d,]+ instructions/),
    ]);
  });

  it('with 143 and the summary at SIGTERM, and keeps the trace', async () => {
    let sigterm = (): void => {};
    setTimeout(() => sigterm(), 200);
    const trace = folder.path('sigterm.txt');
    const { exitCode, stderr } = await cli(['run', '--trace=kvm_entry', '--trace-file', trace, loop], {
      onReadySigterm(raise) {
        sigterm = raise;
      },
    });
    expect([exitCode, stderr]).toEqual([
      143,
      expect.stringMatching(/^pio86: ended by SIGTERM: [\d,]+ instructions/),
    ]);
    expect(readFileSync(trace, 'latin1')).toMatch(/kvm_entry: .*\n$/);
  });

  it('with what a self-modifying guest made of itself', async () => {
    const { exitCode } = await cli(['run', '--guest-exit', folder.file('self.bin', guests.SELF_MODIFYING)]);
    expect(exitCode).toBe((7 << 1) | 1);
  });

  it('with the exit code of a .COM program, after its text', async () => {
    const com = folder.file('hi.com', guests.COM_HELLO);
    expect(await cli(['run', '--guest-exit', com])).toMatchObject({ exitCode: 7, stdout: 'Hi!' });
  });

  it('where a .COM program meets an exception', async () => {
    const com = folder.file('ud.com', guests.bytes('0f ff ; ud0'));
    expect((await cli(['run', '--guest-exit', com])).exitCode).toBe(255);
  });

  it('after a .COM program has asked DOS and BIOS for what is not there', async () => {
    const com = folder.file(
      'ask.com',
      guests.bytes('cd 10 b4 30 cd 21 f4 ; int 0x10 / mov ah,0x30 / int 0x21 / hlt'),
    );
    const { registers } = JSON.parse((await cli(['run', '--json', com])).stdout);
    expect([registers.eax & 0xffff, registers.eflags & 1]).toEqual([1, 1]);
  });

  it('where a .COM program returns to its prefix', async () => {
    const com = folder.file('ret.com', guests.bytes('c3 ; ret'));
    expect(await cli(['run', com])).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('the guest wrote 0 to the exit port'),
    });
  });

  it('when a raw guest pulls the reset line, and starts a ROM anew', async () => {
    const pull = 'b0 fe e6 64 ; mov al,0xfe / out 0x64,al';
    const raw = folder.file('reset.bin', guests.bytes(`${pull}\n eb fe`));
    expect(await cli(['run', raw])).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('reset the machine (keyboard controller)'),
    });
    // Resets once: the byte at 0x500 survives and tells.
    const rom = new Uint8Array(0x10000);
    rom.set(
      guests.bytes(`
        31 c0 8e d8        ; xor ax,ax / mov ds,ax
        fe 06 00 05        ; inc byte [0x500]
        80 3e 00 05 02     ; cmp byte [0x500],2
        74 06              ; je +6
        ${pull}
        eb fe              ; jmp $
        f4                 ; hlt
      `),
    );
    rom.set(guests.bytes('ea 00 00 00 f0 ; jmp 0xf000:0'), 0xfff0);
    expect(await cli(['run', folder.file('reset.rom', rom)])).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('halted with interrupts off'),
    });
  });
});
