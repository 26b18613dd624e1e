import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { flagMasks, maskOf } from '../../../src/conform/flag-masks.ts';

const folder = mkdtempSync(join(tmpdir(), 'masks-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('flagMasks', () => {
  it('looks an instruction up by opcode or by opcode and ModRM, past its prefixes', () => {
    const mask386 = { default: 0xfff, mask: { '08': 1, 'D0.4': 2, F6: 3 } };
    writeFileSync(join(folder, 'flags.json'), JSON.stringify({ source: {}, mask386 }));
    const masks = flagMasks(folder);
    expect(maskOf(masks, Uint8Array.of(0x08, 0xc0))).toBe(1);
    expect(maskOf(masks, Uint8Array.of(0x2e, 0xf3, 0xf0, 0x08, 0xc0))).toBe(1);
    expect(maskOf(masks, Uint8Array.of(0xd0, 0xe0))).toBe(2);
    expect(maskOf(masks, Uint8Array.of(0xd0, 0xe8))).toBe(0xfff);
    expect(maskOf(masks, Uint8Array.of(0xf6, 0xff))).toBe(3);
    expect(maskOf(masks, Uint8Array.of(0x90))).toBe(0xfff);
    expect(maskOf(masks, Uint8Array.of(0xf3, 0xf3))).toBe(0xfff);
  });

  it('compares every 286 flag when a set brings no masks', () => {
    expect(maskOf(flagMasks(join(folder, 'absent')), Uint8Array.of(0x08))).toBe(0xfff);
  });

  it('refuses a mask table that is none', () => {
    writeFileSync(join(folder, 'flags.json'), '{"mask386": {"default": 1}}');
    expect(() => flagMasks(folder)).toThrow(
      expect.objectContaining({
        code: 'E_VECTOR',
        message: expect.stringMatching(/^flags.json: field "mask"/),
      }),
    );
  });
});
