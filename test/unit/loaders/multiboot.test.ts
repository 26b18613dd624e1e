import { describe, expect, it } from 'vitest';
import { createKvmBoard } from '../../../src/boards/kvm.ts';
import { EmulatorError } from '../../../src/errors.ts';
import { detectFormat, planImage } from '../../../src/loaders/detect.ts';
import { loadImage } from '../../../src/loaders/load.ts';
import {
  MULTIBOOT_BOOTLOADER_MAGIC,
  MULTIBOOT_HEADER_MAGIC,
  MULTIBOOT_INFO_ADDRESS,
} from '../../../src/loaders/multiboot.ts';

const MIB = 0x10_0000;
const CODE = [0xf4, 0x90, 0x90, 0x90];

interface Changes {
  readonly flags?: number;
  readonly magic?: number;
  readonly machine?: number;
  readonly fileSize?: number;
  readonly memorySize?: number;
  readonly length?: number;
}

/** An ELF file with one segment at 1 MiB: a Multiboot header and `CODE`. */
function elf(changes: Changes = {}): Uint8Array {
  const {
    flags = 0,
    magic = MULTIBOOT_HEADER_MAGIC,
    machine = 3,
    fileSize = 16,
    memorySize = 0x2000,
  } = changes;
  const bytes = new Uint8Array(0x200);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, machine, true);
  view.setUint32(24, MIB + 12, true); // e_entry
  view.setUint32(28, 52, true); // e_phoff
  view.setUint16(42, 32, true);
  view.setUint16(44, 1, true);
  [1, 0x100, 0xc000_0000, MIB, fileSize, memorySize].forEach((v, i) => {
    view.setUint32(52 + 4 * i, v, true);
  });
  [magic, flags, -(magic + flags)].forEach((v, i) => {
    view.setUint32(0x100 + 4 * i, v | 0, true);
  });
  bytes.set(CODE, 0x10c);
  return bytes.slice(0, changes.length ?? bytes.length);
}

/** A flat image with the header's address fields. */
function flat(loadEnd: number, bssEnd: number): Uint8Array {
  const bytes = new Uint8Array(0x40);
  const view = new DataView(bytes.buffer);
  const flags = 1 << 16;
  const fields = [
    MULTIBOOT_HEADER_MAGIC,
    flags,
    -(MULTIBOOT_HEADER_MAGIC + flags),
    MIB + 8,
    MIB,
    loadEnd,
    bssEnd,
    MIB + 0x30,
  ];
  fields.forEach((v, i) => {
    view.setUint32(8 + 4 * i, v | 0, true);
  });
  bytes.set(CODE, 0x30);
  return bytes;
}

function refusal(bytes: Uint8Array): string {
  try {
    planImage({ name: 'k', bytes }, 'multiboot');
  } catch (error) {
    if (error instanceof EmulatorError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('a Multiboot image', () => {
  it('of ELF form goes to its physical addresses and starts flat, told of memory and command line', () => {
    const board = createKvmBoard({ memoryBytes: 4 * MIB });
    const bytes = elf();
    expect(detectFormat({ name: 'k', bytes })).toBe('multiboot');
    loadImage(board, planImage({ name: 'k', bytes }, 'auto', { memoryBytes: 4 * MIB, commandLine: '-x 1' }));
    const { vm, vcpu } = board;
    expect([...vm.memory.read(MIB + 12, 4)]).toEqual(CODE);
    const { eax, ebx, eip } = vcpu.getRegs();
    expect([eax, ebx, eip]).toEqual([MULTIBOOT_BOOTLOADER_MAGIC, MULTIBOOT_INFO_ADDRESS, MIB + 12]);
    const { cs, ss, cr0 } = vcpu.getSregs();
    expect([cs.base, cs.limit, cs.db, ss.limit, ss.db, cr0 & 1]).toEqual([
      0, 0xffff_ffff, 1, 0xffff_ffff, 1, 1,
    ]);
    const info = vm.memory.read(MULTIBOOT_INFO_ADDRESS, 200);
    const view = new DataView(info.buffer, info.byteOffset);
    expect([view.getUint32(4, true), view.getUint32(8, true)]).toEqual([640, 3 * 1024]);
    const text = (at: number) =>
      new TextDecoder().decode(info.slice(view.getUint32(at, true) - MULTIBOOT_INFO_ADDRESS)).split('\0')[0];
    expect([text(16), text(64)]).toEqual(['k -x 1', 'pio86']);
    expect(board.run(10)).toEqual({ kind: 'halted' });
  });

  it('with address fields goes where they say', () => {
    const plan = planImage({ name: 'k', bytes: flat(MIB + 0x34, MIB + 0x3000) }, 'multiboot');
    expect(plan.start).toMatchObject({ mode: 'flat32', eip: MIB + 0x30 });
    expect(plan.writes[0]).toMatchObject({ gpa: MIB, span: 0x3000 });
    expect(plan.writes[0]?.bytes.length).toBe(0x34);
  });

  it('that lies where the boot information would go gets it further up', () => {
    const bytes = elf({ memorySize: 0x3000 });
    new DataView(bytes.buffer).setUint32(52 + 12, 0x8000, true);
    const plan = planImage({ name: 'k', bytes }, 'multiboot');
    expect(plan.writes.map(({ gpa }) => gpa)).toEqual([0x8000, 0xb000]);
    expect(plan.start).toMatchObject({ ebx: 0xb000 });
    new DataView(bytes.buffer).setUint32(52 + 20, 0x10_0000, true);
    expect(refusal(bytes)).toBe('E_IMAGE k: leaves no room below 640 KiB for its boot information');
  });

  it('needs memory for all of its segment, not only for the bytes of the file', () => {
    const board = createKvmBoard({ memoryBytes: 2 * MIB });
    const plan = planImage({ name: 'k', bytes: elf({ memorySize: 0xf000_0000 }) }, 'multiboot');
    expect(() => loadImage(board, plan)).toThrow(
      /k, segment 0: too large, 0xf0000000 bytes at 0x100000 run past/,
    );
  });

  it.each([
    ['without a header', elf({ magic: 0 }), 'E_IMAGE k: no Multiboot header in its first 8 KiB'],
    ['that wants a video mode', elf({ flags: 4 }), /^E_IMAGE k: its Multiboot header demands flags 0x4 /],
    [
      'for another machine',
      elf({ machine: 62 }),
      'E_IMAGE k: not an executable for the i386 (ELF32, EM_386)',
    ],
    ['whose segment is not in the file', elf({ fileSize: 0x1000 }), /^E_IMAGE k: truncated, segment 0 /],
    [
      'with address fields beyond the file',
      flat(MIB + 0x100, 0),
      /^E_IMAGE k: truncated, its Multiboot header/,
    ],
  ])('%s is refused', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });

  it('cut anywhere is refused or planned, never more', () => {
    for (let length = 0; length < 0x200; length++)
      expect(refusal(elf({ length }))).toMatch(/^E_IMAGE k: |^accepted$/);
  });
});
