/**
 * Memory of the random-code machine: tables and handlers that are put back before every program, and where the program and
 * its stacks lie. Physical addresses; paging maps them one to one.
 *
 * Intel SDM vol. 3A, “Segment Descriptors”, “Gate Descriptors”, “Task-State Segment (TSS)”, “32-Bit Paging”.
 */

export const RAM_BYTES = 0x8_0000;
export const GDT = 0x1000;
export const GDT_LIMIT = 0xff;
export const IDT = 0x2000;
export const TSS = 0x4000;
export const TSS_LIMIT = 0x20ff;
export const PAGE_DIRECTORY = 0x7000;
export const PAGE_TABLE = 0x8000;
/** Everything below is put back before every program. */
export const TABLES_END = 0x9000;
/** A real-mode segment of code, one of data, one of stack. */
export const CODE = 0x1_0000;
export const DATA = 0x2_0000;
export const STACK = 0x3_0000;
const INNER_STACK = 0x4_8000;

/** Selectors: code and data of level 0, of level 3, the TSS, an LDT. */
export const CODE0 = 0x08;
export const CODE3 = 0x1b;
export const TSS_SELECTOR = 0x28;

const HANDLERS_REAL = 0x600;
const HANDLERS = 0x3000;
const HANDLER_BYTES = 8;
/** Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
const WITH_ERROR = [8, 10, 11, 12, 13, 14, 17];

/** Handlers step over one byte of what has faulted: inc dword [esp]; iretd. */
const STEP_OVER = [0xff, 0x04, 0x24, 0xcf];
/** add esp,4 first: an error code. */
const DROP_ERROR = [0x83, 0xc4, 0x04];
/** The same in real mode: inc word [esp] through a 32-bit address; iret. */
const STEP_OVER_REAL = [0x67, 0xff, 0x04, 0x24, 0xcf];

/** Page-table flags. */
export const PRESENT_RW_USER = 7;

/** The low and high doubleword of flat 32-bit and of 64 KiB 16-bit segments, and of the system segments. */
const DESCRIPTORS: readonly (readonly [selector: number, low: number, high: number])[] = [
  [0x08, 0x0000_ffff, 0x00cf_9b00],
  [0x10, 0x0000_ffff, 0x00cf_9300],
  [0x18, 0x0000_ffff, 0x00cf_fb00],
  [0x20, 0x0000_ffff, 0x00cf_f300],
  [0x28, ((TSS & 0xffff) << 16) | TSS_LIMIT, 0x0000_8900],
  [0x30, ((GDT & 0xffff) << 16) | GDT_LIMIT, 0x0000_8200],
  // 16 bits, over the program.
  [0x38, ((CODE & 0xffff) << 16) | 0xffff, 0x0000_fb00 | (CODE >>> 16)],
  [0x40, ((STACK & 0xffff) << 16) | 0xffff, 0x0000_f300 | (STACK >>> 16)],
  // A call gate, an expand-down segment, conforming code, a task gate.
  [0x48, (0x08 << 16) | HANDLERS, 0x0000_ec00],
  [0x50, 0x0000_00ff, 0x0040_f700],
  [0x58, 0x0000_ffff, 0x00cf_9f00],
  [0x60, TSS_SELECTOR << 16, 0x0000_e500],
];

/** Bytes 0 … {@link TABLES_END} of every program. */
export function tablesImage(): Uint8Array {
  const image = new Uint8Array(TABLES_END);
  const view = new DataView(image.buffer);
  for (const [selector, low, high] of DESCRIPTORS) {
    view.setUint32(GDT + selector, low, true);
    view.setUint32(GDT + selector + 4, high, true);
  }
  for (let vector = 0; vector < 256; vector++) {
    const handler = HANDLERS + (vector & 31) * HANDLER_BYTES;
    view.setUint32(IDT + vector * 8, (0x08 << 16) | handler, true);
    view.setUint32(IDT + vector * 8 + 4, 0xee00, true);
    view.setUint16(vector * 4, HANDLERS_REAL, true);
  }
  for (let vector = 0; vector < 32; vector++) {
    const code = WITH_ERROR.includes(vector) ? [...DROP_ERROR, ...STEP_OVER] : STEP_OVER;
    image.set(code, HANDLERS + vector * HANDLER_BYTES);
  }
  image.set(STEP_OVER_REAL, HANDLERS_REAL);
  for (let level = 0; level < 3; level++) {
    view.setUint32(TSS + 4 + 8 * level, INNER_STACK, true);
    view.setUint16(TSS + 8 + 8 * level, 0x10, true);
  }
  view.setUint16(TSS + 102, 104, true);
  view.setUint32(PAGE_DIRECTORY, PAGE_TABLE | PRESENT_RW_USER, true);
  for (let page = 0; page < RAM_BYTES >>> 12; page++) {
    view.setUint32(PAGE_TABLE + page * 4, (page << 12) | PRESENT_RW_USER, true);
  }
  return image;
}
