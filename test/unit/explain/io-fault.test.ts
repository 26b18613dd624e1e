import { describe, expect, it } from 'vitest';
import { explainIoFault, type IoFaultQuestion } from '../../../src/explain/io-fault.ts';
import { bytes, guestFolder } from '../../cli/guests.ts';
import { cli } from '../cli/capture-io.ts';

const QUESTION: IoFaultQuestion = {
  port: 0x60,
  size: 1,
  mode: 'protected',
  cpl: 3,
  iopl: 0,
  tss: '32',
  tssLimit: 0x2068,
  mapBase: 0x68,
  bitmap: new Uint8Array(0),
};

/** Which check decides, and how. */
function decision(question: Partial<IoFaultQuestion>): string {
  const { checks, allowed, exception } = explainIoFault({ ...QUESTION, ...question });
  const last = checks[checks.length - 1];
  expect(exception).toBe(allowed ? null : '#GP(0)');
  expect(checks.slice(0, -1).every(({ verdict }) => verdict === 'goes on')).toBe(true);
  expect(last.verdict).toBe(allowed ? 'allows' : 'refuses');
  return `${last.check} ${last.verdict}`;
}

describe('explain --fault', () => {
  it.each<[string, Partial<IoFaultQuestion>]>([
    ['mode allows', { mode: 'real', tss: 'none' }],
    ['CPL allows', { cpl: 3, iopl: 3 }],
    ['CPL allows', { cpl: 0, tss: 'none' }],
    ['TSS type refuses', { tss: 'none' }],
    ['TSS type refuses', { tss: '16' }],
    ['TSS type refuses', { mode: 'v86', iopl: 3, tss: '16' }],
    ['TSS limit refuses', { tssLimit: 0x66 }],
    ['map base refuses', { tssLimit: 0x67 }],
    ['map base refuses', { tssLimit: 0x68 + 12 }],
    ['bit map allows', { tssLimit: 0x68 + 13 }],
    ['map base refuses', { mapBase: 0xffff, tssLimit: 0xffff }],
    ['bit map refuses', { bitmap: new Uint8Array(13).fill(1, 12) }],
    ['bit map allows', { bitmap: new Uint8Array(13).fill(2, 12) }],
    ['bit map refuses', { size: 2, bitmap: new Uint8Array(13).fill(2, 12) }],
  ])('%s for %o', (expected, question) => {
    expect(decision(question)).toBe(expected);
  });

  it('names the byte and the bit, in the second byte too', () => {
    const bitmap = new Uint8Array(14);
    bitmap[13] = 1;
    const { checks } = explainIoFault({ ...QUESTION, port: 0x67, size: 2, bitmap });
    expect(checks.map(({ check }) => check)).toEqual(['CPL', 'TSS type', 'TSS limit', 'map base', 'bit map']);
    expect(checks[4].text).toContain('bit 0 of the byte at offset 0x75 is set, which is port 0x68');
    expect(checks[3].text).toContain('offsets 0x74 and 0x75');
  });

  it('takes an instruction or options on the command line', async () => {
    const plain = await cli([
      'explain',
      '--fault',
      '--port',
      '0x60',
      '--bitmap',
      '00 00 00 00 00 00 00 00 00 00 00 00 01 ff',
    ]);
    expect(plain.exitCode).toBe(0);
    expect(plain.stdout).toContain('bit 0 of the byte at offset 0x74 is set, which is port 0x60');
    expect(plain.stdout).toContain('#GP(0), before any VM exit');
    const json = await cli([
      'explain',
      '--fault',
      '--vm',
      '--iopl',
      '3',
      '--json',
      '66',
      'ed',
      '--dx',
      '0x3f8',
    ]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      port: 0x3f8,
      size: 4,
      allowed: false,
      exception: '#GP(0)',
    });
    const real = await cli(['explain', '--fault', '--real', 'e4', '60']);
    expect(real.stdout).toContain('allowed: the VM exit follows');
  });

  it.each([
    [['--fault']],
    [['--fault', '--port', '0x60', 'e4', '60']],
    [['--fault', 'ec']],
    [['--fault', '--vm', '--real', 'e4', '60']],
    [['--fault', '--port', '1', '--size', '3']],
    [['--fault', '--port', '1', '--bitmap', 'zz']],
  ])('refuses %j as a usage error', async (args) => {
    expect((await cli(['explain', ...args])).exitCode).toBe(2);
  });
});

describe('a run that dies of a refused port', () => {
  it('says which check refused it', async () => {
    const folder = guestFolder();
    // Level 3 through IRET, with an empty IDT and a TSS without a map.
    const guest = bytes(`
      0f 01 16 40 10     ; lgdt [0x1040]
      66 b8 11 00 00 00  ; mov eax,0x11
      0f 22 c0           ; mov cr0,eax
      b8 10 00 8e d0     ; mov ax,0x10 / mov ss,ax
      bc 00 0f           ; mov sp,0xf00
      b8 28 00 0f 00 d8  ; mov ax,0x28 / ltr ax
      6a 23 68 00 0f     ; push 0x23 / push 0xf00
      6a 02              ; push 2 (flags)
      6a 1b 68 30 10 cf  ; push 0x1b / push 0x1030 / iret
    `);
    const image = new Uint8Array(0x80);
    image.set(guest);
    image.set([0xe6, 0x80], 0x30); // out 0x80,al
    image.set([0x2f, 0, 0x48, 0x10, 0, 0], 0x40);
    image.set([0xff, 0xff, 0, 0, 0, 0x9b, 0, 0], 0x50);
    image.set([0xff, 0xff, 0, 0, 0, 0x93, 0, 0], 0x58);
    image.set([0xff, 0xff, 0, 0, 0, 0xfb, 0, 0], 0x60);
    image.set([0xff, 0xff, 0, 0, 0, 0xf3, 0, 0], 0x68);
    image.set([0x60, 0, 0, 0x20, 0, 0x89, 0, 0], 0x70);
    const { exitCode, stderr } = await cli(['run', folder.file('refused.bin', image)]);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('triple fault')]);
    expect(stderr).toContain(
      '#GP(0) of an I/O instruction (1 byte at port 0x80): CPL 3 is greater than IOPL 0: the I/O permission bit map decides; the I/O map base address is at offsets 102',
    );
  });
});
