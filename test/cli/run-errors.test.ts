import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requireTool } from '../tools.ts';
import { cli } from '../unit/cli/capture-io.ts';
import * as guests from './guests.ts';

const folder = guests.guestFolder();
const halt = folder.file('halt.bin', guests.HALT);
const sub = folder.path('sub');
mkdirSync(sub);

/** Arguments, exit code, what the line says. */
const ERRORS: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ['no file', ['run'], 2, /no program given; name a file, '-' for standard input, or --load/],
  ['two files', ['run', halt, halt], 2, /too many arguments.*see 'pio86 run --help'/],
  ['an unknown option', ['run', '--foo', halt], 2, /unknown option '--foo'; see 'pio86 run --help'/],
  ['a mistyped option', ['run', '--memroy', '1M', halt], 2, /'--memroy' \(Did you mean --memory\?\)/],
  [
    'help of an unknown command',
    ['help', 'nope'],
    2,
    /^pio86: unknown command 'nope'; see 'pio86 --help'\n$/,
  ],
  [
    'a trace of no events',
    ['run', '--trace=', halt],
    2,
    /^pio86: --trace=: no events are named; --trace alone shows the usual ones\n$/,
  ],
  ['an unknown command', ['rnu'], 2, /unknown command 'rnu' \(Did you mean run\?\); see 'pio86 --help'/],
  ['a bad number', ['run', '--max-insns', 'many', halt], 2, /--max-insns: 'many' is not a number/],
  ['a zero limit', ['run', '--max-insns', '0', halt], 2, /--max-insns: '0'/],
  ['a bad size', ['run', '--memory', '5K', halt], 2, /--memory: '5K' is not a size/],
  [
    'half a page',
    ['run', '--memory', '65537', halt],
    2,
    /--memory: 65537 is not a whole number of 4 KiB pages/,
  ],
  ['a bad entry', ['run', '--entry', 'main', halt], 2, /--entry: 'main' is not an address/],
  ['an entry out of reach', ['run', '--entry', '0x200000', halt], 2, /real mode cannot reach 0x200000/],
  [
    'an entry without memory',
    ['run', '--memory', '64K', '--entry', 'f000:0', halt],
    2,
    /entry: no memory at 0xf0000/,
  ],
  [
    'a load address without memory',
    ['run', '--load', `${halt}@0x10000000`, halt],
    2,
    /no memory at its load address/,
  ],
  ['a bad load', ['run', '--load', halt], 2, /is not FILE@ADDR/],
  ['an unknown register', ['run', '--reg', 'rax=1', halt], 2, /--reg: 'rax=1' is not NAME=VALUE/],
  ['a register overflow', ['run', '--reg', 'al=256', halt], 2, /--reg al: '256'/],
  ['an unknown board', ['run', '--board', 'vax', halt], 2, /'vax' is invalid. Allowed choices are kvm, pc;/],
  [
    'an unknown event',
    ['run', '--trace=kvm_foo', halt],
    2,
    /no event is called 'kvm_foo'; there are kvm_entry/,
  ],
  ['a bad date', ['run', '--rtc', 'today', halt], 2, /--rtc: 'today'/],
  ['protected mode', ['run', '--mode', 'long', halt], 2, /'long' is invalid/],
  [
    'a serial file in no folder',
    ['run', '--serial', `file:${sub}/no/x`, halt],
    2,
    /--serial: cannot write .*: no such file/,
  ],
  [
    'a trace file that is a folder',
    ['run', '--trace-file', sub, halt],
    2,
    /--trace-file: cannot write .*: is a directory/,
  ],
  ['a missing file', ['run', folder.path('no.bin')], 3, /no\.bin: no such file or directory/],
  ['a folder', ['run', sub], 3, /sub: is a directory/],
  ['an empty file', ['run', folder.file('empty.bin', '')], 3, /empty\.bin: the file is empty/],
  ['an empty stdin', ['run', '-'], 3, /\(standard input\): the file is empty/],
  [
    'a truncated boot sector',
    ['run', '--format', 'boot', halt],
    3,
    /truncated, 1 bytes of a 512-byte boot sector/,
  ],
  ['a truncated ROM', ['run', '--format', 'bios', halt], 3, /truncated, 0x1 bytes/],
  [
    'a file larger than memory',
    ['run', '--memory', '64K', folder.file('big.bin', new Uint8Array(0xf001))],
    3,
    /big\.bin: too large, 0xf001 bytes at 0x1000 run past the end of memory at 0x10000/,
  ],
  [
    'a file larger than anything',
    ['run', '--memory', '64K', folder.file('huge.bin', new Uint8Array(0x40001))],
    3,
    /huge\.bin: too large, more than 262144 bytes/,
  ],
  [
    'a .COM too large',
    ['run', folder.file('big.com', new Uint8Array(0xff00))],
    3,
    /a \.COM program has at most/,
  ],
  ['a missing extra file', ['run', '--load', `${folder.path('no')}@0`, halt], 3, /no: no such file/],
  ['a malformed port map', ['run', '--ioports', halt, halt], 3, /halt\.bin:1: no port map/],
];

describe('pio86 run refuses, in one line and with the documented exit code,', () => {
  it.each(ERRORS)('%s', async (_what, argv, exitCode, message) => {
    const result = await cli(argv);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).toMatch(/^pio86: [^\n]+\n$/);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, '']);
  });

  it('a .asm file without nasm', async () => {
    const path = process.env.PATH;
    process.env.PATH = sub;
    try {
      const result = await cli(['run', folder.file('x.asm', 'hlt\n')]);
      expect(result).toMatchObject({
        exitCode: 6,
        stderr: expect.stringMatching(/x\.asm: nasm is not installed/),
      });
    } finally {
      process.env.PATH = path;
    }
  });

  it.skipIf(!requireTool('nasm'))('a .asm file that nasm refuses (needs nasm)', async () => {
    const result = await cli(['run', folder.file('bad.asm', 'nop\n foo bar\n')]);
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toMatch(/^pio86: nasm: .*bad\.asm:2: error: [^\n]*\n$/);
  });

  it.skipIf(!requireTool('nasm'))(
    'nothing about a .asm file that is right, with includes beside it (needs nasm)',
    async () => {
      writeFileSync(folder.path('code.inc'), 'mov al,2\nout 0xf4,al\n');
      const asm = folder.file('good.asm', 'bits 16\norg 0x1000\n%include "code.inc"\n');
      expect((await cli(['run', '--guest-exit', asm])).exitCode).toBe(5);
    },
  );
});
