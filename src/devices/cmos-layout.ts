/**
 * What a PC's firmware finds in CMOS memory: memory sizes, equipment, checksum (IBM PC AT technical reference,
 * “CMOS RAM Information”; the bytes above 0x30 as Bochs and QEMU fill them and SeaBIOS reads them).
 */

export const CMOS_EQUIPMENT = 0x14;
/** KiB below 640 KiB. */
export const CMOS_BASE_MEMORY = 0x15;
/** KiB above 1 MiB, at most 65,535; stored twice. */
export const CMOS_EXTENDED_MEMORY = 0x17;
export const CMOS_CHECKSUM = 0x2e;
export const CMOS_EXTENDED_MEMORY_POST = 0x30;
/** Units of 64 KiB above 16 MiB, at most 65,535 (SeaBIOS: `CMOS_MEM_EXTMEM2_LOW`). */
export const CMOS_EXTENDED_MEMORY_64K = 0x34;

/** First and last byte under the checksum. */
const CHECKSUM_FIRST = 0x10;
const CHECKSUM_LAST = 0x2d;

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Writes the description of a machine with `memoryBytes` of RAM from address 0: no floppy, hard disk, display or
 * coprocessor (`equipment` says otherwise).
 */
export function fillCmosLayout(regs: Uint8Array, memoryBytes: number, equipment = 0): void {
  regs[CMOS_EQUIPMENT] = equipment;
  putWord(regs, CMOS_BASE_MEMORY, Math.min(640, memoryBytes / KIB));
  const extendedKib = Math.min(0xffff, Math.max(0, (memoryBytes - MIB) / KIB));
  putWord(regs, CMOS_EXTENDED_MEMORY, extendedKib);
  putWord(regs, CMOS_EXTENDED_MEMORY_POST, extendedKib);
  putWord(
    regs,
    CMOS_EXTENDED_MEMORY_64K,
    Math.min(0xffff, Math.max(0, (memoryBytes - 16 * MIB) / (64 * KIB))),
  );
  let sum = 0;
  for (let i = CHECKSUM_FIRST; i <= CHECKSUM_LAST; i++) sum += regs[i];
  // The checksum is the only word stored high byte first.
  regs[CMOS_CHECKSUM] = (sum >> 8) & 0xff;
  regs[CMOS_CHECKSUM + 1] = sum & 0xff;
}

function putWord(regs: Uint8Array, at: number, value: number): void {
  const whole = Math.floor(value);
  regs[at] = whole & 0xff;
  regs[at + 1] = whole >> 8;
}
