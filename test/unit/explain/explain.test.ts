import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ExplainMode, explainBytes, explainQualification } from '../../../src/explain/explain.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** Mode, bytes, text, qualification with DX = 0. */
const INSTRUCTIONS: readonly (readonly [ExplainMode, string, string, number])[] = [
  ['real', 'e6 80', 'out 0x80,al', 0x0080_0040],
  ['real', 'e4 61', 'in al,0x61', 0x0061_0048],
  ['real', 'e5 80', 'in ax,0x80', 0x0080_0049],
  ['real', '66 e5 80', 'in eax,0x80', 0x0080_004b],
  ['prot32', 'e5 80', 'in eax,0x80', 0x0080_004b],
  ['prot16', 'e7 80', 'out 0x80,ax', 0x0080_0041],
  ['real', 'ec', 'in al,dx', 8],
  ['real', 'ef', 'out dx,ax', 1],
  ['real', 'f3 6e', 'rep outsb', 0x30],
  ['real', 'f2 6c', 'repne insb', 0x38],
  ['real', 'f3 6d', 'rep insw', 0x39],
  ['real', '6f', 'outsw', 0x11],
  ['prot32', '26 67 f3 6f', 'es rep a16 outsd', 0x33],
];

describe('explainBytes', () => {
  it.each(INSTRUCTIONS)('%s: %s', (mode, hex, text, qualification) => {
    const { instruction, exitQualification, problems } = explainBytes(bytes(hex), mode, null);
    expect(instruction?.length).toBe(bytes(hex).length);
    expect(exitQualification.value).toBe(qualification);
    expect(problems).toEqual([]);
    for (const word of text.split(/[ ,]/)) expect(instruction?.text).toContain(word.replace('repne', 'rep'));
  });

  it('puts the port of DX into the qualification, but never over an immediate', () => {
    expect(explainBytes(bytes('f3 6e'), 'real', 0x3f8).exitQualification.value).toBe(0x03f8_0030);
    expect(explainBytes(bytes('ec'), 'real', 0xffff).exitQualification.value).toBe(0xffff_0008);
    expect(explainBytes(bytes('e6 80'), 'real', 0x3f8).exitQualification.value).toBe(0x0080_0040);
  });

  it('gives the instruction information of strings: address size, and the segment of OUTS', () => {
    expect(explainBytes(bytes('6e'), 'real', null).instructionInformation?.value).toBe(3 << 15);
    expect(explainBytes(bytes('26 67 6e'), 'real', null).instructionInformation?.value).toBe(1 << 7);
    expect(explainBytes(bytes('26 6c'), 'prot32', null).instructionInformation?.value).toBe(1 << 7);
    expect(explainBytes(bytes('ec'), 'real', null).instructionInformation).toBeNull();
  });

  it('leads IN and OUT through the fast path, strings through the emulator', () => {
    expect(explainBytes(bytes('ee'), 'real', null).path.functions).toEqual([
      'handle_io',
      'kvm_fast_pio',
      'kvm_fast_pio_out',
      'emulator_pio_out',
      'emulator_pio_in_out',
      'kernel_pio',
      'kvm_io_bus_write',
      '__kvm_io_bus_write',
      'kvm_iodevice_write',
      'dev->ops->write',
    ]);
    const ins = explainBytes(bytes('f3 6c'), 'real', null).path.functions;
    expect(ins.slice(0, 5)).toEqual([
      'handle_io',
      'kvm_emulate_instruction',
      'x86_emulate_instruction',
      'x86_emulate_insn',
      'em_in',
    ]);
    expect(ins.at(-1)).toBe('dev->ops->read');
  });

  it('shows what follows the instruction and does not look at it', () => {
    expect(explainBytes(bytes('ec 90 90'), 'real', null).instruction).toMatchObject({
      bytes: 'ec',
      rest: '90 90',
    });
  });

  it.each([
    ['90', /90: 'nop' is not IN, OUT, INS or OUTS/],
    ['f0 ec', /#UD \(LOCK is not allowed/],
    ['0f 0b', /is not IN|#UD/],
    ['e4', /the bytes end inside the instruction/],
    ['66', /the bytes end inside the instruction/],
    [`${'66 '.repeat(15)}ec`, /no VM exit/],
  ])('refuses %s', (hex, message) => {
    expect(() => explainBytes(bytes(hex), 'real', null)).toThrow(message);
  });

  it('never fails in another way, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 17 }),
        fc.constantFrom<ExplainMode>('real', 'prot16', 'prot32'),
        (random, mode) => {
          try {
            return explainBytes(random, mode, 0x80).problems.length === 0;
          } catch (error) {
            return (error as { code?: string }).code === 'E_INPUT';
          }
        },
      ),
    );
  });
});

describe('explainQualification', () => {
  it('names the fields of a sound value', () => {
    const { exitQualification, problems } = explainQualification(0x03f8_0030);
    expect(problems).toEqual([]);
    expect(exitQualification.fields.map(({ bits, meaning }) => `${bits} ${meaning}`)).toEqual([
      '2:0 1-byte',
      '3 OUT',
      '4 string (INS, OUTS)',
      '5 REP',
      '6 DX',
      '15:7 ',
      '31:16 port 0x3f8',
      '63:32 ',
    ]);
  });

  it.each([
    [0x0080_0042, 0, 'bits 2:0 are 2'],
    [0x0080_00c0, 0, 'bits 15:7 are reserved, here 0x1'],
    [0x0080_0020, 0, 'bit 5 (REP) is set, but bit 4 (string) is not'],
    [0x0080_0050, 0, 'bit 6 (immediate) is set, but INS and OUTS'],
    [0x0180_0040, 0, 'bit 6 (immediate) is set, but port 0x180 needs DX'],
    [0x0080_0040, 1, 'bits 63:32 are reserved, here 0x1'],
  ])('names what is wrong with %i', (low, high, problem) => {
    expect(explainQualification(low, high).problems).toEqual([expect.stringContaining(problem)]);
  });

  it('agrees with the qualification of every encoding it explains', () => {
    for (const [mode, hex] of INSTRUCTIONS) {
      const { exitQualification, path } = explainBytes(bytes(hex), mode, 0x1f0);
      const again = explainQualification(exitQualification.value);
      expect(again.path).toEqual(path);
      expect(again.exitQualification.fields).toEqual(exitQualification.fields);
      expect(again.problems).toEqual([]);
    }
  });
});

describe('I/O bitmaps', () => {
  const spans = [
    { first: 0x60, last: 0x64 },
    { first: 0x7fff, last: 0x8000 },
  ];

  it.each([
    ['e4 61', 0xe4, 0x61, null, true, ['port 0x61: bit 1 of byte 0xc of I/O bitmap A is 1']],
    ['e4 65', 0xe4, 0x65, null, false, ['port 0x65: bit 5 of byte 0xc of I/O bitmap A is 0']],
    [
      'ed at 0x8000',
      0xed,
      0x90,
      0x8000,
      true,
      [
        'port 0x8000: bit 0 of byte 0x0 of I/O bitmap B is 1',
        'port 0x8001: bit 1 of byte 0x0 of I/O bitmap B is 0',
      ],
    ],
    [
      'ed at 0xffff',
      0xed,
      0x90,
      0xffff,
      true,
      [
        'port 0xffff: bit 7 of byte 0xfff of I/O bitmap B is 0',
        'port 0x10000 is past 0xffff: the access exits',
      ],
    ],
  ])('say whether %s exits', (_, first, second, dx, exits, bits) => {
    expect(explainBytes(Uint8Array.of(first, second), 'real', dx, spans).ioExit).toEqual({ exits, bits });
  });

  it('say nothing without bitmaps or without a port', () => {
    expect(explainBytes(Uint8Array.of(0xec), 'real', 0x60).ioExit).toBeNull();
    expect(explainBytes(Uint8Array.of(0xec), 'real', null, spans).ioExit).toBeNull();
    expect(explainQualification(0x0060_0008, 0, spans).ioExit?.exits).toBe(true);
  });
});
