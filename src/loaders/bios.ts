/**
 * BIOS ROM image: mapped so that it ends at 1 MiB and again at 4 GiB, where the processor fetches its first
 * instruction, 16 bytes before the end (Intel SDM vol. 3A, “First Instruction Executed”).
 */
import { EmulatorError } from '../errors.ts';
import { hex, type Image, type LoadPlan, requireBytes } from './image.ts';

/** A ROM is a whole number of these. */
export const BIOS_SIZE_STEP = 0x10000;
/** Largest ROM: more would reach into the expansion ROMs below 0xC0000. */
export const BIOS_SIZE_MAX = 0x40000;

const RESET_VECTOR_FROM_END = 16;
const JMP_FAR = 0xea;
const JMP_NEAR = 0xe9;
const JMP_SHORT = 0xeb;

/** Whether size and reset vector are those of a BIOS: 64 to 256 KiB in steps of 64, a jump 16 bytes before the end. */
export function looksLikeBios(bytes: Uint8Array): boolean {
  if (bytes.length === 0 || bytes.length % BIOS_SIZE_STEP !== 0 || bytes.length > BIOS_SIZE_MAX) return false;
  const first = bytes[bytes.length - RESET_VECTOR_FROM_END];
  return first === JMP_FAR || first === JMP_NEAR || first === JMP_SHORT;
}

/**
 * Plans a ROM image. The start is the processor's reset state, F000:FFF0 with CS base 0xFFFF0000. What stands at the
 * reset vector is not judged: a ROM forced by `--format bios` may begin with any instruction.
 *
 * @throws EmulatorError `E_IMAGE` for an empty file, `E_IMAGE_SIZE` for a size that no ROM has.
 */
export function planBios(image: Image): LoadPlan {
  requireBytes(image);
  const { bytes, name } = image;
  if (bytes.length > BIOS_SIZE_MAX) {
    throw new EmulatorError(
      'E_IMAGE_SIZE',
      `${name}: ${hex(bytes.length)} bytes, a BIOS image has at most ${hex(BIOS_SIZE_MAX)} (256 KiB)`,
    );
  }
  if (bytes.length % BIOS_SIZE_STEP !== 0) {
    throw new EmulatorError(
      'E_IMAGE_SIZE',
      `${name}: truncated, ${hex(bytes.length)} bytes are not a whole number of 64 KiB`,
    );
  }
  return { format: 'bios', writes: [], rom: bytes, start: null };
}
