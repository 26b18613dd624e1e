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

  it('shuts down when it turns paging on without page tables', async () => {
    const { exitCode, stderr } = await run(
      'paging',
      '66 b8 11 00 00 80 0f 22 c0 90 ; mov eax,0x80000011 / mov cr0,eax',
    );
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('triple fault')]);
  });
});

describe('--mode', () => {
  function start(name: string, mode: string, code: string, ...more: string[]) {
    return cli(['run', '--mode', mode, ...more, folder.file(`${name}.bin`, bytes(code))]);
  }

  it('prot32 starts a flat 32-bit guest at 0x1000 with a GDT that its segment registers can be loaded from', async () => {
    const { exitCode, stdout, stderr } = await start(
      'flat32',
      'prot32',
      `
      b8 10 00 00 00       ; mov eax,0x10
      8e d8 8e d0          ; mov ds,ax / mov ss,ax
      ea 10 10 00 00 08 00 ; jmp 8:0x1010
      66 ba f8 03          ; mov dx,0x3f8
      b0 41 ee             ; mov al,'A' / out dx,al
      f4                   ; hlt
    `,
    );
    expect([exitCode, stdout, stderr]).toEqual([
      0,
      'A',
      expect.stringContaining('halted with interrupts off'),
    ]);
  });

  it('prot16 starts with 16-bit code and stack', async () => {
    const { stdout, exitCode } = await start(
      'flat16',
      'prot16',
      `
      68 34 12 58          ; push 0x1234 / pop ax
      ba f8 03 b0 42 ee    ; mov dx,0x3f8 / mov al,'B' / out dx,al
      f4
    `,
    );
    expect([exitCode, stdout]).toEqual([0, 'B']);
  });

  it('gives level 3 segments and a TSS whose stack an interrupt switches to', async () => {
    const { stdout, exitCode } = await start(
      'levels',
      'prot32',
      `
      c7 05 00 04 00 00 2c 10 08 00 ; mov dword [0x400],0x0008102c   (gate 80h: 08:102c)
      c7 05 04 04 00 00 00 ee 00 00 ; mov dword [0x404],0x0000ee00
      6a 23 68 00 50 00 00          ; push 0x23 / push 0x5000
      6a 02 6a 1b 68 2a 10 00 00    ; push 2 / push 0x1b / push 0x102a
      cf                            ; iret
      90 90 90 90 90
      cd 80                         ; 102a: int 0x80
      66 ba f8 03 b0 43 ee f4       ; 102c: mov dx,0x3f8 / mov al,'C' / out dx,al / hlt
    `,
    );
    expect([exitCode, stdout]).toEqual([0, 'C']);
  });

  it('shuts down at the first exception while the IDT is empty', async () => {
    const { exitCode, stderr } = await start('ud', 'prot32', '0f 0b');
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('triple fault')]);
  });

  it('takes --entry and --load at linear addresses that real mode does not reach', async () => {
    const program = folder.file('high.bin', bytes('66 ba f8 03 b0 44 ee f4'));
    const { stdout } = await cli(['run', '--mode', 'prot32', '--load', `${program}@0x200000`]);
    expect(stdout).toBe('D');
    const entered = await start('skip', 'prot32', 'f4 66 ba f8 03 b0 45 ee f4', '--entry', '0x1001');
    expect(entered.stdout).toBe('E');
  });

  it.each([
    [['--format', 'boot'], 2, '--mode prot32 starts a raw binary'],
    [['--entry', '0:1000'], 2, 'entered at a linear address'],
    [['--reg', 'ds=0x10'], 2, 'loads its segment registers itself'],
  ])('refuses %j', async (more, code, text) => {
    const { exitCode, stderr } = await start('refused', 'prot32', 'f4', ...more);
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining(text)]);
  });

  it('refuses to load over its tables', async () => {
    const program = folder.file('low.bin', bytes('f4'));
    const { exitCode, stderr } = await cli(['run', '--mode', 'prot32', '--load', `${program}@0x800`]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('where the tables are')]);
  });
});
