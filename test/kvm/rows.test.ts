import { describe, expect, it } from 'vitest';
import type { BedMode } from '../../src/diff/bed-modes.ts';
import { CODE, DATA, END_PORT, STACK, TestBed, vectorOf } from '../../src/diff/test-bed.ts';
import { KVM_EXIT_IO, type KvmRegs, type KvmSregs } from '../../src/uapi/kvm.ts';
import { ENGINES, hostModes, noKvm, probe } from './engines.ts';

/** One row: assembly, bytes, state in, state out. Bytes that userspace answers count up from 0x81. */
interface Row {
  readonly name: string;
  readonly mode: BedMode;
  readonly asm: string;
  readonly code: string;
  readonly regs: Partial<KvmRegs>;
  readonly adjust?: (sregs: KvmSregs) => void;
  readonly memory?: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** `in|out port size count data` of each exit. */
  readonly exits: readonly string[];
  readonly out: Partial<KvmRegs>;
  readonly vector?: number;
  /** Address and hex. */
  readonly mem?: readonly [number, string];
  /** Only on a host, or an engine, that sends IN and OUT through the emulator. */
  readonly emulated?: boolean;
}

const es = (base: number) => (sregs: KvmSregs) => {
  sregs.es = { ...sregs.es, base, selector: base >>> 4 };
};
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

const ROWS: readonly Row[] = [
  {
    name: 'keeps the upper half of EAX at a word from a port',
    mode: 'real',
    asm: 'in ax,dx',
    code: 'ed',
    regs: { eax: 0xffff_ffff, edx: 0x10 },
    exits: ['in 10 2 1 8182'],
    out: { eax: 0xffff_8281, eip: CODE + 3 },
  },
  {
    name: 'reads ahead for a REP prefix on a plain IN, on the emulator’s path (edge case 47)',
    mode: 'real',
    asm: 'rep in al,dx',
    code: 'f3 ec',
    regs: { ecx: 5, edx: 0x10 },
    exits: ['in 10 1 5 8182838485'],
    out: { eax: 0x81, ecx: 5 },
    emulated: true,
  },
  {
    name: 'leaves once an element for REP OUTSB (edge case 17)',
    mode: 'real',
    asm: 'rep outsb',
    code: 'f3 6e',
    regs: { ecx: 3, edx: 0x3f8, esi: 0x8000 },
    memory: [{ at: 0x8000, bytes: hex('414243') }],
    exits: ['out 3f8 1 1 41', 'out 3f8 1 1 42', 'out 3f8 1 1 43'],
    out: { ecx: 0, esi: 0x8003 },
  },
  {
    name: 'takes a batch up to the page end, counted in bytes (edge case 21)',
    mode: 'prot32',
    asm: 'rep insd',
    code: 'f3 6d',
    regs: { ecx: 9, edx: 0x10, edi: DATA + 0xff8 },
    exits: [
      'in 10 4 8 8182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0',
      'in 10 4 1 a1a2a3a4',
    ],
    out: { ecx: 0, edi: DATA + 0xff8 + 36 },
    mem: [DATA + 0xff8, '8182838485868788'],
  },
  {
    name: 'goes downwards with DF, one element after the other (edge case 24)',
    mode: 'real',
    asm: 'std / rep insb',
    code: 'fd f3 6c',
    regs: { ecx: 4, edx: 0x10, edi: 0x8005 },
    exits: ['in 10 1 4 81828384'],
    out: { ecx: 0, edi: 0x8001 },
    mem: [0x8002, '84838281'],
  },
  {
    name: 'takes one element when DF starts at a page’s first byte (edge case 23)',
    mode: 'real',
    asm: 'std / rep insb',
    code: 'fd f3 6c',
    regs: { ecx: 3, edx: 0x10, edi: 0x8000 },
    exits: ['in 10 1 1 81', 'in 10 1 2 8283'],
    out: { ecx: 0, edi: 0x7ffd },
    mem: [0x7ffe, '838281'],
  },
  {
    name: 'reads a whole block before its limit check fails (edge case 34)',
    mode: 'real',
    asm: 'rep insw',
    code: 'f3 6d',
    regs: { ecx: 100, edx: 0x10, edi: 0xfff8 },
    adjust: es(DATA),
    exits: ['in 10 2 8 8182838485868788898a8b8c8d8e8f90'],
    out: { ecx: 100, edi: 0xfff8 },
    vector: 13,
    mem: [DATA + 0xfff8, '0000000000000000'],
  },
  {
    name: 'wraps DI between blocks of a REP INSB (edge case 35)',
    mode: 'real',
    asm: 'rep insb',
    code: 'f3 6c',
    regs: { ecx: 10, edx: 0x10, edi: 0xfff8 },
    adjust: es(DATA),
    exits: ['in 10 1 8 8182838485868788', 'in 10 1 2 898a'],
    out: { ecx: 0, edi: 2 },
    mem: [DATA, '898a'],
  },
  {
    name: 'does nothing for a count of 0 (edge case 25)',
    mode: 'prot32',
    asm: 'rep insb',
    code: 'f3 6c',
    regs: { ecx: 0, edx: 0x10, edi: DATA },
    exits: [],
    out: { ecx: 0, edi: DATA, eip: CODE + 4 },
  },
  {
    name: 'refuses LOCK before anything else (edge case 38)',
    mode: 'prot32u',
    asm: 'lock out dx,al',
    code: 'f0 ee',
    regs: { edx: 0x10 },
    exits: [],
    out: { eip: 0x600 + 4 * 6 + 2 },
    vector: 6,
  },
  {
    name: 'refuses a word whose second port is closed in the I/O bitmap (edge case 40)',
    mode: 'prot32u',
    asm: 'out dx,al / out dx,ax',
    code: 'ee 66 ef',
    regs: { eax: 0x5566, edx: 0x10 },
    memory: [{ at: 0x3068 + 2, bytes: hex('02') }],
    exits: ['out 10 1 1 66'],
    out: {},
    vector: 13,
  },
  {
    name: 'does not look at the bitmap with IOPL 3',
    mode: 'prot32u',
    asm: 'out dx,ax',
    code: '66 ef',
    regs: { eax: 0x5566, edx: 0x10, eflags: 0x3002 },
    memory: [{ at: 0x3068 + 2, bytes: hex('ff') }],
    exits: ['out 10 2 1 6655'],
    out: { eip: CODE + 4 },
  },
  {
    name: 'raises #SS for a source beyond the stack segment (edge case 37)',
    mode: 'prot16u',
    asm: 'ss outsb',
    code: '36 6e',
    regs: { edx: 0x10, esi: 0x8000 },
    adjust: (sregs) => {
      sregs.ss = { ...sregs.ss, limit: 0x7fff };
    },
    exits: [],
    out: { esi: 0x8000 },
    vector: 12,
  },
  {
    name: 'ignores a segment override on INS, and takes the last one of OUTS',
    mode: 'real',
    asm: 'fs insb / es fs outsb',
    code: '64 6c 26 64 6e',
    regs: { edx: 0x10, edi: 0x20, esi: 0x20 },
    adjust: (sregs) => {
      es(DATA)(sregs);
      sregs.fs = { ...sregs.fs, base: DATA + 0x100, selector: 0x1010 };
    },
    memory: [{ at: DATA + 0x120, bytes: hex('77') }],
    exits: ['in 10 1 1 81', 'out 10 1 1 77'],
    out: { edi: 0x21, esi: 0x21 },
    mem: [DATA + 0x20, '81'],
  },
];

describe.each(ENGINES)('on %s', (_name, createEngine) => {
  const isPio86 = _name === 'pio86';
  const bed = new TestBed(createEngine(), false);
  for (const row of ROWS) {
    const cannot =
      (!isPio86 && !hostModes.includes(row.mode)) || (row.emulated === true && probe?.emulatesIo === false);
    it.skipIf(cannot)(`${row.asm}: ${row.name}`, () => {
      bed.prepare({
        mode: row.mode,
        code: Uint8Array.from([...hex(row.code), 0xe6, END_PORT]),
        regs: { esp: STACK, ...row.regs },
        ...(row.adjust === undefined ? {} : { adjust: row.adjust }),
        ...(row.memory === undefined ? {} : { memory: row.memory }),
      });
      let next = 0x81;
      const answer = (data: Uint8Array): void => {
        for (let i = 0; i < data.length; i++) data[i] = next++;
      };
      const result = bed.run({ answer }, 100);
      const exits = result.exits.map((exit) => {
        expect(exit.reason).toBe(KVM_EXIT_IO);
        const data = Buffer.from(exit.data).toString('hex');
        return `${exit.isOut ? 'out' : 'in'} ${exit.port.toString(16)} ${exit.size} ${exit.count} ${data}`;
      });
      expect(exits).toEqual(row.exits);
      expect(result.end).toBe('done');
      expect(vectorOf(result)).toBe(row.vector ?? null);
      expect(result.regs).toMatchObject(row.out);
      if (row.mem !== undefined) {
        const [at, bytes] = row.mem;
        expect(Buffer.from(bed.ram.subarray(at, at + bytes.length / 2)).toString('hex')).toBe(bytes);
      }
    });
  }
});

describe.skipIf(noKvm)('the host’s probe (needs /dev/kvm)', () => {
  it('runs real mode and sends F3 EC with ECX = 5 as one exit of 1 or of 5 elements', () => {
    expect([1, 5]).toContain(probe?.repInCount);
    expect(probe?.emulatesIo).toBe(probe?.repInCount === 5);
    expect(hostModes).toContain('real');
  });

  it('names a reason for everything that does not run', () => {
    const answers = [...(probe?.instructions ?? []), ...(probe?.modes ?? []), ...(probe?.interrupts ?? [])];
    expect(answers.length).toBeGreaterThan(200);
    expect(answers.filter(({ runs, reason }) => runs !== (reason === undefined))).toEqual([]);
  });
});
