import { describe, expect, it } from 'vitest';
import { EmulatorError } from '../../../src/errors.ts';
import { looksLikeBios } from '../../../src/loaders/bios.ts';
import { COM_SIZE_MAX } from '../../../src/loaders/com.ts';
import { detectFormat, planImage } from '../../../src/loaders/detect.ts';
import { type ImageFormat, realModeEntry } from '../../../src/loaders/image.ts';
import { planRaw } from '../../../src/loaders/raw.ts';

const KIB = 1024;

function rom(size: number, jump = 0xea): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes[size - 16] = jump;
  return bytes;
}

function bootSector(size = 512): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

/** The code that planning is refused with. */
function refusal(bytes: Uint8Array, format: ImageFormat | 'auto', name = 'x.bin'): string {
  try {
    planImage({ name, bytes }, format);
  } catch (error) {
    if (error instanceof EmulatorError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('detectFormat', () => {
  it.each([
    ['HELLO.COM', new Uint8Array(10), 'com'],
    ['x.com', bootSector(), 'com'],
    ['bios', rom(64 * KIB), 'bios'],
    ['bios', rom(192 * KIB, 0xe9), 'bios'],
    ['bios', rom(256 * KIB, 0xeb), 'bios'],
    ['x.bin', rom(64 * KIB, 0x90), 'raw'],
    ['x.bin', rom(320 * KIB), 'raw'],
    ['x.bin', bootSector(), 'boot'],
    ['x.img', bootSector(1024), 'boot'],
    ['x.bin', new Uint8Array(512), 'raw'],
    ['x.bin', Uint8Array.of(0xf4), 'raw'],
  ] as const)('takes %s for what it is', (name, bytes, format) => {
    expect(detectFormat({ name, bytes })).toBe(format);
  });

  it('takes a ROM with a boot signature for a ROM', () => {
    const bytes = rom(64 * KIB);
    bytes.set([0x55, 0xaa], 510);
    expect(looksLikeBios(bytes) && detectFormat({ name: 'x', bytes })).toBe('bios');
  });
});

describe('planImage', () => {
  it.each(['auto', 'raw', 'boot', 'bios', 'com'] as const)('refuses an empty file as %s', (format) => {
    expect(refusal(new Uint8Array(0), format)).toBe('E_IMAGE x.bin: the file is empty');
  });

  it.each([
    ['a short boot sector', new Uint8Array(511), 'boot', 'E_IMAGE x.bin: truncated, 511 bytes'],
    ['a boot sector without signature', new Uint8Array(512), 'boot', 'E_IMAGE x.bin: no boot sector'],
    ['half a sector', bootSector(700), 'auto', 'E_IMAGE x.bin: truncated, 700 bytes'],
    ['a large boot image', bootSector(0x78600), 'boot', 'E_IMAGE_SIZE x.bin: 0x78600 bytes'],
    ['half a ROM', new Uint8Array(1000), 'bios', 'E_IMAGE_SIZE x.bin: truncated, 0x3e8 bytes'],
    ['a large ROM', new Uint8Array(320 * KIB), 'bios', 'E_IMAGE_SIZE x.bin: 0x50000 bytes'],
    ['a large .COM', new Uint8Array(COM_SIZE_MAX + 1), 'com', 'E_IMAGE_SIZE x.bin: 0xfeff bytes'],
  ] as const)('refuses %s', (_what, bytes, format, message) => {
    expect(refusal(bytes, format)).toContain(message);
  });

  it('accepts the largest of each', () => {
    expect(refusal(new Uint8Array(COM_SIZE_MAX), 'com')).toBe('accepted');
    expect(refusal(bootSector(0x78400), 'boot')).toBe('accepted');
    expect(refusal(new Uint8Array(256 * KIB), 'bios')).toBe('accepted');
  });
});

describe('realModeEntry', () => {
  it.each([
    [0x1000, 0, 0x1000],
    [0xffff, 0, 0xffff],
    [0x12345, 0x1000, 0x2345],
    [0xfffff, 0xf000, 0xffff],
    [0x10ffef, 0xffff, 0xffff],
  ])('reaches %i', (linear, cs, ip) => {
    expect(realModeEntry(linear)).toEqual({ cs, ip });
    expect(cs * 16 + ip).toBe(linear);
  });

  it('refuses what real mode cannot reach', () => {
    expect(() => realModeEntry(0x10fff0)).toThrow(EmulatorError);
    expect(() => planRaw({ name: 'x', bytes: Uint8Array.of(1) }, 0x200000)).toThrow(/cannot reach 0x200000/);
  });
});
