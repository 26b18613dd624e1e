/**
 * Which kind of image a file is. In this order, first match wins:
 *
 * 1. the name ends in `.com` → com
 * 2. a Multiboot header in the first 8 KiB → multiboot
 * 3. 64 to 256 KiB in steps of 64 with a jump 16 bytes before the end → bios
 * 4. bytes 510 and 511 are 55 AA → boot
 * 5. anything else → raw
 */
import { DEFAULT_MEMORY_BYTES } from '../boards/board.ts';
import { looksLikeBios, planBios } from './bios.ts';
import { hasBootSignature, planBootSector } from './boot-sector.ts';
import { planCom } from './com.ts';
import type { Image, ImageFormat, LoadPlan } from './image.ts';
import { looksLikeMultiboot, type MultibootOptions, planMultiboot } from './multiboot.ts';
import { planRaw } from './raw.ts';

/** Formats a user may force. */
export const IMAGE_FORMATS = ['auto', 'raw', 'boot', 'bios', 'com', 'multiboot'] as const;

/** Tells the format by name and content. */
export function detectFormat(image: Image): ImageFormat {
  if (/\.com$/i.test(image.name)) return 'com';
  if (looksLikeMultiboot(image.bytes)) return 'multiboot';
  if (looksLikeBios(image.bytes)) return 'bios';
  if (hasBootSignature(image.bytes)) return 'boot';
  return 'raw';
}

const PLANNERS: Readonly<Record<ImageFormat, (image: Image, machine: MultibootOptions) => LoadPlan>> = {
  raw: (image) => planRaw(image),
  boot: planBootSector,
  bios: planBios,
  com: planCom,
  multiboot: planMultiboot,
};

/**
 * Plans an image in the given format, or in the one it shows.
 *
 * @param machine what the boot information of a Multiboot image tells.
 * @throws EmulatorError `E_IMAGE` or `E_IMAGE_SIZE` when the image cannot be of that format.
 */
export function planImage(
  image: Image,
  format: ImageFormat | 'auto' = 'auto',
  machine: MultibootOptions = { memoryBytes: DEFAULT_MEMORY_BYTES },
): LoadPlan {
  return PLANNERS[format === 'auto' ? detectFormat(image) : format](image, machine);
}
