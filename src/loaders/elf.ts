/**
 * ELF32 executables for the i386: which bytes go to which physical address (System V ABI, “Object Files” and “Program
 * Loading”; Intel386 supplement). Relocations, sections and symbols do not matter to a loader and are not looked at.
 */
import { EmulatorError } from '../errors.ts';
import { hex, type Image, type MemoryWrite } from './image.ts';

const ELF_MAGIC = 0x464c457f;
const ELFCLASS32 = 1;
const ELFDATA2LSB = 1;
const ET_EXEC = 2;
const EM_386 = 3;
const PT_LOAD = 1;
/** Bytes of `Elf32_Ehdr` and `Elf32_Phdr`. */
const EHDR_SIZE = 52;
const PHDR_SIZE = 32;

/** An executable, taken apart. */
export interface ElfProgram {
  readonly entry: number;
  readonly writes: readonly MemoryWrite[];
}

/** Whether the file begins as an ELF file does. */
export function looksLikeElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === ELF_MAGIC;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function refuse(image: Image, what: string): never {
  throw new EmulatorError('E_IMAGE', `${image.name}: ${what}`);
}

/**
 * Reads the header and the program headers.
 *
 * @throws EmulatorError `E_IMAGE` for a file that is truncated or no i386 executable.
 */
export function readElf(image: Image): ElfProgram {
  const { bytes, name } = image;
  const view = viewOf(bytes);
  if (!looksLikeElf(bytes)) refuse(image, 'no ELF file');
  if (bytes.length < EHDR_SIZE) refuse(image, `truncated, ${bytes.length} bytes hold no ELF header`);
  const isI386 = bytes[4] === ELFCLASS32 && bytes[5] === ELFDATA2LSB && view.getUint16(18, true) === EM_386;
  if (!isI386 || view.getUint16(16, true) !== ET_EXEC)
    refuse(image, 'not an executable for the i386 (ELF32, EM_386)');
  const table = view.getUint32(28, true);
  const entrySize = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (entrySize < PHDR_SIZE || table + count * entrySize > bytes.length) {
    refuse(image, `truncated, the program headers at ${hex(table)} are not in the file`);
  }
  const writes: MemoryWrite[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = view.getUint32(at + 4, true);
    const gpa = view.getUint32(at + 12, true);
    const fileSize = view.getUint32(at + 16, true);
    const memorySize = view.getUint32(at + 20, true);
    if (memorySize === 0) continue;
    if (fileSize > memorySize || offset + fileSize > bytes.length) {
      refuse(image, `truncated, segment ${i} (${hex(fileSize)} bytes at ${hex(offset)}) is not in the file`);
    }
    writes.push({
      name: `${name}, segment ${i}`,
      gpa,
      bytes: bytes.subarray(offset, offset + fileSize),
      span: memorySize,
    });
  }
  if (writes.length === 0) refuse(image, 'nothing to load: no PT_LOAD segment');
  return { entry: view.getUint32(24, true), writes };
}
