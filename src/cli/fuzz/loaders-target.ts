/**
 * Target `loaders`: images with random bytes in the places that matter. Whatever the file holds, a loader makes a plan with
 * addresses below 4 GiB that is no larger than the file allows, or refuses with an EmulatorError; twice the same.
 */
import { EmulatorError } from '../../errors.ts';
import { ListTarget } from '../../fuzz/engine/list-target.ts';
import type { Prng } from '../../fuzz/prng.ts';
import { planImage } from '../../loaders/detect.ts';

/** A doubleword of the image, or (the first element) how long it is and what it starts from. */
export interface ImageEdit {
  readonly at: number;
  readonly value: number;
}

/** Element that says the length and the template instead of an edit. */
const LENGTH_AT = -1;
const TEMPLATES = ['zero', 'elf', 'multiboot', 'boot'] as const;
const LENGTHS = [0, 1, 16, 52, 84, 511, 512, 513, 4096, 8192, 0x1_0000, 0x2_0000] as const;
const VALUES = [
  0, 1, 2, 0xff, 0x20, 0x34, 0x1000, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_f000,
] as const;
const MULTIBOOT_MAGIC = 0x1bad_b002;
/** What a plan may write more than the file has: a .COM file's whole segment, boot information; a BSS counts as a span. */
const EXTRA_BYTES = 0x2_0000;
const FOUR_GIB = 2 ** 32;
const FORMATS = ['auto', 'raw', 'boot', 'bios', 'com', 'multiboot'] as const;

function generate(random: Prng): ImageEdit[] {
  const template = random.below(TEMPLATES.length);
  const edits: ImageEdit[] = [{ at: LENGTH_AT, value: random.pick(LENGTHS) * TEMPLATES.length + template }];
  for (let i = random.below(12); i > 0; i--) {
    const value = random.oneIn(3) ? random.next() : random.pick(VALUES);
    edits.push({ at: random.below(random.oneIn(4) ? 8192 : 128), value });
  }
  return edits;
}

/** The headers of a small ELF file: one loadable segment. Intel386 ABI, “ELF Header”, “Program Header”. */
const ELF: readonly (readonly [number, number])[] = [
  [0, 0x464c_457f],
  [4, 0x0001_0101],
  [16, 0x0003_0002],
  [20, 1],
  [24, 0x10_0000],
  [28, 52],
  [40, 0x0020_0034],
  [44, 1],
  [52, 1],
  [56, 0],
  [60, 0x10_0000],
  [64, 0x10_0000],
  [68, 84],
  [72, 0x1000],
  [76, 7],
  [80, 0x1000],
];

function imageOf(edits: readonly ImageEdit[]): Uint8Array {
  const first = edits.find(({ at }) => at === LENGTH_AT)?.value ?? 512 * TEMPLATES.length;
  const bytes = new Uint8Array(Math.min(Math.floor(first / TEMPLATES.length), 0x4_0000));
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number): void => {
    if (at >= 0 && at + 4 <= bytes.length) view.setUint32(at, value >>> 0, true);
  };
  const template = TEMPLATES[first % TEMPLATES.length];
  if (template === 'elf') for (const [at, value] of ELF) put(at, value);
  if (template === 'multiboot' || template === 'elf') {
    put(96, MULTIBOOT_MAGIC);
    put(100, template === 'elf' ? 0 : 0x1_0000);
    put(104, -(MULTIBOOT_MAGIC + (template === 'elf' ? 0 : 0x1_0000)));
  }
  if (template === 'boot') put(508, 0xaa55_0000);
  for (const { at, value } of edits) put(at, value);
  return bytes;
}

/** @returns what is wrong with how the image is loaded. */
function judge(edits: readonly ImageEdit[]): string[] {
  const bytes = imageOf(edits);
  return FORMATS.flatMap((format) => {
    const once = plan(bytes, format);
    const again = plan(bytes, format);
    return once.problem === null && once.text === again.text
      ? []
      : [`${format}: ${once.problem ?? 'another plan the second time'}`];
  });
}

function plan(bytes: Uint8Array, format: (typeof FORMATS)[number]): { text: string; problem: string | null } {
  try {
    const made = planImage({ name: 'image', bytes }, format);
    let total = 0;
    for (const { gpa, bytes: part, span } of made.writes) {
      total += part.length;
      // What reaches beyond is refused when it is loaded: there is no memory.
      const isAddress = gpa >= 0 && gpa < FOUR_GIB && (span ?? 0) >= 0 && (span ?? 0) < FOUR_GIB;
      if (!isAddress) return { text: '', problem: `writes ${span ?? part.length} bytes at ${gpa}` };
    }
    if (total > bytes.length + EXTRA_BYTES) return { text: '', problem: `${total} bytes of ${bytes.length}` };
    const writes = made.writes.map(({ gpa, bytes: part }) => `${gpa}+${part.length}`);
    return { text: JSON.stringify([made.format, writes, made.start, made.rom?.length]), problem: null };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { text, problem: error instanceof EmulatorError ? null : `threw ${text}` };
  }
}

function fromText(line: string): ImageEdit {
  const match = /^at (-?\d+) value (\d+)$/.exec(line);
  if (match === null)
    throw new EmulatorError('E_ARGUMENT', `"${line.slice(0, 40)}" is not an edit of an image`);
  return { at: Number(match[1]), value: Number(match[2]) };
}

/** See the opening comment. */
export function createLoadersTarget(): ListTarget<ImageEdit> {
  return new ListTarget({
    name: 'loaders',
    generate,
    judge,
    toText: ({ at, value }) => `at ${at} value ${value}`,
    fromText,
  });
}
