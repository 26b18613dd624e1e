import { describe, expect, it } from 'vitest';
import { cli } from '../unit/cli/capture-io.ts';
import { bytes, guestFolder } from './guests.ts';

const folder = guestFolder();

const ENTER = `
  66 b8 11 00 00 00  ; mov eax,0x11
  0f 22 c0           ; mov cr0,eax
`;

/** Runs a guest that sets CR0.PE and goes on with `rest`. */
function run(name: string, rest: string) {
  return cli(['run', folder.file(`${name}.bin`, bytes(ENTER + rest))]);
}

describe('a guest that enters protected mode', () => {
  it('goes on in the code segment it has, and its ports work', async () => {
    const { exitCode, stderr } = await run('port', 'e6 80 f4 ; out 0x80,al / hlt');
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('halted with interrupts off')]);
  });

  it('shuts down at a far jump to nowhere, for there is no IDT either', async () => {
    const { exitCode, stderr } = await run('rest', 'ea 00 00 08 00 ; jmp 8:0');
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('triple fault')]);
  });

  it('ends with 4 and one line when it turns paging on', async () => {
    const { exitCode, stderr } = await run(
      'paging',
      '66 b8 11 00 00 80 0f 22 c0 90 ; mov eax,0x80000011 / mov cr0,eax',
    );
    expect(exitCode).toBe(4);
    expect(stderr).toContain('paging (CR0.PG = 1) is not built yet');
  });
});
