/**
 * Where things lie in the RAM of the machine that runs string-io cases: first what a case's segments reach, above it the tables of
 * protected mode, the TSS, the page tables.
 */

/** What the segments of a case may reach: all that a real-mode address reaches, and the bytes of code behind it. */
export const CASE_RAM_BYTES = 0x11_1000;
/** Bytes that a TSS and its bit map may have. */
export const CASE_TSS_BYTES = 0x3000;

/** 256 interrupt gates. */
export const IDT_BASE = CASE_RAM_BYTES + 0x1000;
export const IDT_LIMIT = 0x7ff;
export const GDT_BASE = CASE_RAM_BYTES + 0x1800;
export const GDT_LIMIT = 0x17;
/** Of protected mode: one HLT each, four bytes apart; vector v goes to number v & 31. */
export const HANDLERS = CASE_RAM_BYTES + 0x1900;
/** The stack of privilege level 0 grows down from here. */
export const ESP0 = CASE_RAM_BYTES + 0x3000;
export const TSS_BASE = CASE_RAM_BYTES + 0x3000;
/** Offset of the I/O map base in a 32-bit TSS. */
export const TSS_IO_MAP_BASE = 102;
/** A page directory, a page table, the four pointers of PAE paging: a page each. */
export const PAGING_BASE = TSS_BASE + CASE_TSS_BYTES;
/** All RAM of the machine. */
export const MACHINE_RAM_BYTES = PAGING_BASE + 0x3000;
