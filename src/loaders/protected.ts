/**
 * A flat guest in protected mode: the bytes of a raw binary, and the tables that level 0 and level 3 need.
 *
 * | address | what |
 * | --- | --- |
 * | 0x000 | IDT, 256 gates, all zero: until the guest fills it, any exception ends in shutdown |
 * | 0x800 | GDT: 08 code, 10 data, 1B and 23 code and data of level 3, 28 TSS, 30 code of the other width |
 * | 0x880 | 32-bit TSS, busy: SS0:ESP0 = 10:1000, no I/O permission bit map |
 * | 0x1000 | top of the stack |
 *
 * All segments are flat. In `prot16` CS.D and SS.B are 0.
 */
import { EmulatorError } from '../errors.ts';
import type { KvmDtable, KvmSegment, KvmSregs } from '../uapi/kvm.ts';
import { hex, type Image, type LoadPlan, type ProtectedStart } from './image.ts';
import { RAW_LOAD_ADDRESS, RAW_STACK_TOP, rawWrite } from './raw.ts';

const IDT = 0;
const IDT_LIMIT = 0x7ff;
const GDT = 0x800;
const TSS = 0x880;
const TSS_BYTES = 0x68;
const CODE0 = 0x08;
const DATA0 = 0x10;
const TSS_SELECTOR = 0x28;
/** Type of a busy 32-bit TSS, of readable code and of writable data (both accessed). */
const TYPE_TSS = 11;
const TYPE_CODE = 11;
const TYPE_DATA = 3;

/** A flat segment: 0 to 4 GiB. */
function flat(selector: number, type: number, db: number): KvmSegment {
  const dpl = selector & 3;
  return {
    selector,
    base: 0,
    limit: 0xffff_ffff,
    type,
    s: 1,
    dpl,
    present: 1,
    db,
    l: 0,
    g: 1,
    avl: 0,
    unusable: 0,
  };
}

const TASK: KvmSegment = {
  ...flat(TSS_SELECTOR, TYPE_TSS, 0),
  base: TSS,
  limit: TSS_BYTES - 1,
  s: 0,
  g: 0,
};

/** The eight bytes that a segment register was loaded from. */
function descriptorBytes({ base, limit, type, s, dpl, present, db, g }: KvmSegment): number[] {
  const raw = g !== 0 ? limit >>> 12 : limit;
  return [
    raw & 0xff,
    (raw >> 8) & 0xff,
    base & 0xff,
    (base >> 8) & 0xff,
    (base >> 16) & 0xff,
    type | (s << 4) | (dpl << 5) | (present << 7),
    ((raw >> 16) & 15) | (db << 6) | (g << 7),
    base >>> 24,
  ];
}

/** The GDT; `db`: 1 for 32-bit segments. */
function gdtBytes(db: number): Uint8Array {
  const entries = [
    flat(CODE0, TYPE_CODE, db),
    flat(DATA0, TYPE_DATA, db),
    flat(0x1b, TYPE_CODE, db),
    flat(0x23, TYPE_DATA, db),
    TASK,
    flat(0x30, TYPE_CODE, 1 - db),
  ];
  return Uint8Array.from([...new Array<number>(8).fill(0), ...entries.flatMap(descriptorBytes)]);
}

function tssBytes(): Uint8Array {
  const bytes = new Uint8Array(TSS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, RAW_STACK_TOP, true);
  view.setUint16(8, DATA0, true);
  // A map base beyond the limit: no port is open to level 3.
  view.setUint16(0x66, TSS_BYTES, true);
  return bytes;
}

/**
 * Plans a flat guest at `gpa`, entered at its first byte.
 *
 * @throws EmulatorError `E_IMAGE` for an empty file, `E_ARGUMENT` for an address below the end of the tables and the stack.
 */
export function planProtected(
  image: Image,
  mode: ProtectedStart['mode'],
  gpa: number = RAW_LOAD_ADDRESS,
): LoadPlan {
  if (gpa < RAW_STACK_TOP) {
    const first = hex(RAW_STACK_TOP);
    throw new EmulatorError(
      'E_ARGUMENT',
      `${image.name}: ${hex(gpa)} is below ${first}, where the tables are`,
    );
  }
  const db = mode === 'prot32' ? 1 : 0;
  return {
    format: 'raw',
    writes: [
      { name: 'GDT', gpa: GDT, bytes: gdtBytes(db) },
      { name: 'TSS', gpa: TSS, bytes: tssBytes() },
      rawWrite(image, gpa),
    ],
    rom: null,
    start: { mode, eip: gpa, esp: RAW_STACK_TOP },
  };
}

/** Puts the start of a flat guest into the segment registers and tables of `sregs`. */
export function protectedSregs(sregs: KvmSregs, { mode }: ProtectedStart): KvmSregs {
  const db = mode === 'prot32' ? 1 : 0;
  const data = flat(DATA0, TYPE_DATA, db);
  const gdt: KvmDtable = { base: GDT, limit: gdtBytes(db).length - 1 };
  const idt: KvmDtable = { base: IDT, limit: IDT_LIMIT };
  return {
    ...sregs,
    cr0: sregs.cr0 | 1,
    cs: flat(CODE0, TYPE_CODE, db),
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    tr: TASK,
    gdt,
    idt,
  };
}
