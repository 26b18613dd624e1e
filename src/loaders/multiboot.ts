/**
 * Multiboot images (Multiboot Specification version 0.6.96): a header in the first 8 KiB says where the bytes go, or
 * leaves it to the ELF program headers; the guest starts in flat 32-bit protected mode with EAX = 0x2BADB002 and EBX at
 * the boot information.
 *
 * The boot information holds the sizes of memory, the command line and the loader's name. Of the features that an image
 * may demand, page-aligned modules (there are none) and memory sizes are given; a video mode is refused.
 */
import { EmulatorError } from '../errors.ts';
import { readElf } from './elf.ts';
import { type Image, type LoadPlan, type MemoryWrite, requireBytes } from './image.ts';

/** `magic` of the header. */
export const MULTIBOOT_HEADER_MAGIC = 0x1badb002;
/** EAX at the start. */
export const MULTIBOOT_BOOTLOADER_MAGIC = 0x2badb002;
/** The header lies in this much of the file. */
const MULTIBOOT_SEARCH = 8192;
/** Header flags that must be understood, and those that are. */
const REQUIRED_MASK = 0xffff;
const MULTIBOOT_PAGE_ALIGN = 1 << 0;
const MULTIBOOT_MEMORY_INFO = 1 << 1;
/** The header's address fields say what to load, not the ELF headers. */
const MULTIBOOT_AOUT_KLUDGE = 1 << 16;

/** Boot information flags. */
const MULTIBOOT_INFO_MEMORY = 1 << 0;
const MULTIBOOT_INFO_CMDLINE = 1 << 2;
const MULTIBOOT_INFO_BOOT_LOADER_NAME = 1 << 9;
/** Where the boot information goes, with its strings behind it, unless the image itself is there: then to a page further up. */
export const MULTIBOOT_INFO_ADDRESS = 0x9000;
const INFO_STEP = 0x1000;
/** The end of conventional memory. */
const INFO_END = 0xa_0000;
const INFO_SIZE = 116;
/** Longest command line, bytes. */
const MAX_COMMAND_LINE = 2048;

const LOWER_KIB = 640;
const ONE_MIB = 0x10_0000;
const LOADER_NAME = 'pio86';

/** What the boot information tells. */
export interface MultibootOptions {
  /** RAM from address 0, bytes. */
  readonly memoryBytes: number;
  /** Behind the image's name on the command line. */
  readonly commandLine?: string;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Offset of the header, or −1. */
function findHeader(bytes: Uint8Array): number {
  const view = viewOf(bytes);
  const end = Math.min(bytes.length, MULTIBOOT_SEARCH) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== MULTIBOOT_HEADER_MAGIC) continue;
    const sum = view.getUint32(at, true) + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum >>> 0 === 0 || sum % 0x1_0000_0000 === 0) return at;
  }
  return -1;
}

/** Whether the file has a Multiboot header. */
export function looksLikeMultiboot(bytes: Uint8Array): boolean {
  return findHeader(bytes) >= 0;
}

/** What to load by the header's address fields. */
function addressFields(image: Image, at: number): { entry: number; writes: MemoryWrite[] } {
  const { bytes, name } = image;
  if (at + 32 > bytes.length)
    throw new EmulatorError('E_IMAGE', `${name}: truncated in its Multiboot header`);
  const view = viewOf(bytes);
  const [header, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((o) =>
    view.getUint32(at + o, true),
  );
  const from = at - (header - load);
  const size = loadEnd === 0 ? bytes.length - from : loadEnd - load;
  if (from < 0 || size < 0 || from + size > bytes.length) {
    throw new EmulatorError(
      'E_IMAGE',
      `${name}: truncated, its Multiboot header asks for more than the file has`,
    );
  }
  const span = bssEnd === 0 ? size : Math.max(size, bssEnd - load);
  return { entry, writes: [{ name, gpa: load, bytes: bytes.subarray(from, from + size), span }] };
}

/** An address for `size` bytes that are none of the image's. @throws EmulatorError `E_IMAGE` when it fills low memory. */
function freeAddress(image: Image, writes: readonly MemoryWrite[], size: number): number {
  const isFree = (at: number): boolean =>
    writes.every(({ gpa, bytes, span = 0 }) => at + size <= gpa || gpa + Math.max(bytes.length, span) <= at);
  for (let at = MULTIBOOT_INFO_ADDRESS; at + size <= INFO_END; at += INFO_STEP) if (isFree(at)) return at;
  throw new EmulatorError('E_IMAGE', `${image.name}: leaves no room below 640 KiB for its boot information`);
}

/** The boot information and its strings. */
function bootInformation(
  image: Image,
  writes: readonly MemoryWrite[],
  { memoryBytes, commandLine = '' }: MultibootOptions,
): MemoryWrite {
  const line = commandLine === '' ? image.name : `${image.name} ${commandLine}`;
  const text = new TextEncoder().encode(`${line}\0${LOADER_NAME}\0`);
  if (text.length > MAX_COMMAND_LINE) {
    throw new EmulatorError(
      'E_ARGUMENT',
      `${image.name}: its command line has over ${MAX_COMMAND_LINE} bytes`,
    );
  }
  const bytes = new Uint8Array(INFO_SIZE + text.length);
  const gpa = freeAddress(image, writes, bytes.length);
  const view = viewOf(bytes);
  view.setUint32(0, MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_BOOT_LOADER_NAME, true);
  view.setUint32(4, Math.min(LOWER_KIB, memoryBytes / 1024), true);
  view.setUint32(8, Math.max(0, memoryBytes - ONE_MIB) / 1024, true);
  view.setUint32(16, gpa + INFO_SIZE, true);
  view.setUint32(64, gpa + INFO_SIZE + text.indexOf(0) + 1, true);
  bytes.set(text, INFO_SIZE);
  return { name: `${image.name}, boot information`, gpa, bytes };
}

/**
 * Plans a Multiboot image.
 *
 * @throws EmulatorError `E_IMAGE` for a file without a header, truncated, or that demands what there is not.
 */
export function planMultiboot(image: Image, options: MultibootOptions): LoadPlan {
  requireBytes(image);
  const at = findHeader(image.bytes);
  if (at < 0) throw new EmulatorError('E_IMAGE', `${image.name}: no Multiboot header in its first 8 KiB`);
  const flags = viewOf(image.bytes).getUint32(at + 4, true);
  const unknown = flags & REQUIRED_MASK & ~(MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO);
  if (unknown !== 0) {
    throw new EmulatorError(
      'E_IMAGE',
      `${image.name}: its Multiboot header demands flags 0x${unknown.toString(16)} (bit 2 is a video mode), which pio86 has not`,
    );
  }
  const { entry, writes } = (flags & MULTIBOOT_AOUT_KLUDGE) !== 0 ? addressFields(image, at) : readElf(image);
  const information = bootInformation(image, writes, options);
  return {
    format: 'multiboot',
    writes: [...writes, information],
    rom: null,
    start: { mode: 'flat32', eip: entry, eax: MULTIBOOT_BOOTLOADER_MAGIC, ebx: information.gpa },
  };
}
