/**
 * Boot sector: what a BIOS leaves behind when it jumps to 0000:7C00 (BIOS Boot Specification 1.01, “Booting from a
 * BCV or BEV device”). There is no disk to load the rest from, so the sectors after the first follow it in memory,
 * as if the boot sector had already read them.
 */
import { EmulatorError } from '../errors.ts';
import { hex, type Image, type LoadPlan, requireBytes } from './image.ts';

/** Where a BIOS loads the boot sector. */
export const BOOT_LOAD_ADDRESS = 0x7c00;
/** The image must end here at the latest: above lies what a BIOS keeps for itself. */
export const BOOT_LOAD_END = 0x80000;
/** DL: the first hard disk. */
export const BOOT_DRIVE = 0x80;

const SECTOR = 512;
const SIGNATURE_AT = 510;

/** Whether the bytes carry the boot signature 55 AA at 510. */
export function hasBootSignature(bytes: Uint8Array): boolean {
  return bytes.length >= SECTOR && bytes[SIGNATURE_AT] === 0x55 && bytes[SIGNATURE_AT + 1] === 0xaa;
}

/**
 * Plans a boot image.
 *
 * @throws EmulatorError `E_IMAGE` when it is empty, has no signature or ends within a sector, `E_IMAGE_SIZE` when it
 * does not fit below {@link BOOT_LOAD_END}.
 */
export function planBootSector(image: Image): LoadPlan {
  requireBytes(image);
  const { bytes, name } = image;
  if (bytes.length < SECTOR) {
    throw new EmulatorError('E_IMAGE', `${name}: truncated, ${bytes.length} bytes of a 512-byte boot sector`);
  }
  if (!hasBootSignature(bytes)) {
    throw new EmulatorError('E_IMAGE', `${name}: no boot sector, bytes 510 and 511 are not 55 aa`);
  }
  if (bytes.length % SECTOR !== 0) {
    throw new EmulatorError(
      'E_IMAGE',
      `${name}: truncated, ${bytes.length} bytes are not a whole number of 512-byte sectors; pad the image`,
    );
  }
  const room = BOOT_LOAD_END - BOOT_LOAD_ADDRESS;
  if (bytes.length > room) {
    throw new EmulatorError(
      'E_IMAGE_SIZE',
      `${name}: ${hex(bytes.length)} bytes, a boot image has room for ${hex(room)} (0x7c00 to 0x80000)`,
    );
  }
  return {
    format: 'boot',
    writes: [{ name, gpa: BOOT_LOAD_ADDRESS, bytes }],
    rom: null,
    start: {
      mode: 'real',
      cs: 0,
      ip: BOOT_LOAD_ADDRESS,
      dataSegment: 0,
      sp: BOOT_LOAD_ADDRESS,
      dx: BOOT_DRIVE,
    },
  };
}
