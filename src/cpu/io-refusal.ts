/**
 * What the check of an I/O instruction found, kept for whoever wants to explain a #GP: `pio86 explain --fault`, and the last
 * line of a run that dies of one.
 */

/** `IoRefusal.reason`: the access was allowed, or nothing was asked. */
export const IO_NOT_REFUSED = 0;
/** There is no TSS: TR holds nothing usable. */
export const IO_REFUSED_NO_TSS = 1;
/** The TSS is a 16-bit one, which has no I/O permission bit map. */
export const IO_REFUSED_TSS_TYPE = 2;
/** The TSS ends before the I/O map base field. */
export const IO_REFUSED_TSS_LIMIT = 3;
/** The two bytes of the bit map are not both within the TSS limit. */
export const IO_REFUSED_MAP_LIMIT = 4;
/** A bit of the map is set. */
export const IO_REFUSED_BIT = 5;

/** The last I/O access for which the bit map was asked. Fields behind the check that refused are stale. */
export class IoRefusal {
  /** IO_REFUSED_* */
  reason = IO_NOT_REFUSED;
  port = 0;
  size = 0;
  cpl = 0;
  iopl = 0;
  isV86 = false;
  /** AR_* of TR. */
  tssAttr = 0;
  tssLimit = 0;
  mapBase = 0;
  /** Offset of the first of the two bytes in the TSS. */
  offset = 0;
  /** The two bytes, the first in bits 7:0. */
  bits = 0;
}
