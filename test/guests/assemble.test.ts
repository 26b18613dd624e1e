import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  assembleExample,
  assembleRom,
  committed,
  exampleSources,
  ROMS,
  romIndex,
} from '../../scripts/assemble.ts';
import { requireTool } from '../tools.ts';

const noNasm = !requireTool('nasm');
const ROM_BYTES = 0x1_0000;
const FAR_JUMP = 0xea;

describe('examples', () => {
  it('are at least twelve', () => {
    expect(exampleSources().length).toBeGreaterThanOrEqual(12);
  });

  for (const name of exampleSources()) {
    it(`${name} has its committed .bin`, () => {
      const bin = new URL(`../../examples/${name.replace(/\.asm$/, '.bin')}`, import.meta.url);
      expect(existsSync(fileURLToPath(bin))).toBe(true);
    });

    it.skipIf(noNasm)(`${name} assembles to its committed .bin (needs nasm)`, () => {
      const artifact = assembleExample(name);
      expect(Buffer.from(artifact.bytes).equals(committed(artifact) ?? Buffer.alloc(0))).toBe(true);
    });
  }
});

describe('bench ROMs', () => {
  it('are listed in index.json as the script makes it', () => {
    const index = romIndex();
    expect(readFileSync(index.path, 'utf8')).toBe(new TextDecoder().decode(index.bytes));
    expect(JSON.parse(readFileSync(index.path, 'utf8'))).toEqual(ROMS);
  });

  for (const rom of ROMS) {
    it(`${rom.file} is a 64 KiB image with a far jump at its reset vector`, () => {
      const image = committed({
        path: fileURLToPath(new URL(`../../bench/roms/${rom.file}`, import.meta.url)),
        bytes: new Uint8Array(),
        stored: () => new Uint8Array(),
      });
      expect(image?.length).toBe(ROM_BYTES);
      expect(image?.[0xfff0]).toBe(FAR_JUMP);
    });

    it.skipIf(noNasm)(`${rom.file} is what its source in bench/ assembles to (needs nasm)`, () => {
      const artifact = assembleRom(rom);
      expect(Buffer.from(artifact.bytes).equals(committed(artifact) ?? Buffer.alloc(0))).toBe(true);
    });
  }
});
