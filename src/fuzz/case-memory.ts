/**
 * What lies in the RAM of the machine that runs string-io cases: random bytes, exception handlers for real mode, and
 * above everything that a case's segments reach the tables of protected mode (`case-layout.ts`).
 *
 * Intel SDM vol. 3A, “Interrupt Descriptor Table”, “Task-State Segment (TSS)”; vol. 1, “I/O Permission Bit Map”.
 */
import {
  CASE_RAM_BYTES,
  CASE_TSS_BYTES,
  ESP0,
  GDT_BASE,
  HANDLERS,
  IDT_BASE,
  TSS_BASE,
  TSS_IO_MAP_BASE,
} from './case-layout.ts';
import { pagingBytes } from './case-paging.ts';
import { Prng } from './prng.ts';
import type { StringIoCase } from './string-io-case.ts';

/** Selectors of the handlers: flat, 32 bits. */
const HANDLER_CS = 8;
const HANDLER_SS = 16;
/** Real mode: 32 handlers of one HLT each, four bytes apart; vector v goes to number v & 31. */
const REAL_HANDLERS = 0x600;
const HLT = 0xf4;
/** Seed of the RAM's contents: always the same, so that a reproducer need not carry it. */
const RAM_SEED = 0x70_696f;

const TSS_ESP0 = 4;
const TSS_SS0 = 8;
/** Flat 32-bit code and data, accessed. */
const CODE_DESCRIPTOR = [0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0];
const DATA_DESCRIPTOR = [0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0];
/** Present, privilege level 0, 32-bit interrupt gate. */
const GATE_TYPE = 0x8e;

/** Fills the RAM of a new machine. */
export function fillCaseMemory(ram: Uint8Array): void {
  const random = new Prng(RAM_SEED, 0);
  for (let i = 0; i < CASE_RAM_BYTES; i++) ram[i] = random.next() >>> 24;
  for (let vector = 0; vector < 256; vector++) {
    ram.set([(vector & 31) * 4, REAL_HANDLERS >> 8, 0, 0], vector * 4);
    const handler = HANDLERS + (vector & 31) * 4;
    const [b0, b1, b2, b3] = bytesOf(handler);
    ram.set([b0, b1, HANDLER_CS, 0, 0, GATE_TYPE, b2, b3], IDT_BASE + vector * 8);
  }
  for (let i = 0; i < 32; i++) {
    ram[REAL_HANDLERS + i * 4] = HLT;
    ram[HANDLERS + i * 4] = HLT;
  }
  ram.set(CODE_DESCRIPTOR, GDT_BASE + HANDLER_CS);
  ram.set(DATA_DESCRIPTOR, GDT_BASE + HANDLER_SS);
  ram.set(bytesOf(ESP0), TSS_BASE + TSS_ESP0);
  ram.set(bytesOf(HANDLER_SS), TSS_BASE + TSS_SS0);
}

/**
 * The bytes that a case puts into this RAM: its code with a HLT behind it, its TSS, its page tables. As address, byte, address,
 * byte…
 */
export function caseBytes(test: StringIoCase): number[] {
  const bytes: number[] = [];
  let at = test.segments.cs.selector * 16 + test.registers.eip;
  for (const insn of test.code) for (const byte of insn) bytes.push(at++, byte);
  bytes.push(at, HLT);
  if (test.mode === 'real') return bytes;
  const { ioMapBase, denied } = test.tss;
  bytes.push(TSS_BASE + TSS_IO_MAP_BASE, ioMapBase & 0xff, TSS_BASE + TSS_IO_MAP_BASE + 1, ioMapBase >> 8);
  const map = new Map<number, number>();
  for (const port of denied) {
    const offset = ioMapBase + (port >> 3);
    if (offset < CASE_TSS_BYTES) map.set(offset, (map.get(offset) ?? 0) | (1 << (port & 7)));
  }
  for (const [offset, bits] of map) bytes.push(TSS_BASE + offset, bits);
  if (test.paging !== null) bytes.push(...pagingBytes(test.paging));
  return bytes;
}

/** EIP of the HLT behind the code. */
export function endOfCode(test: StringIoCase): number {
  let eip = test.registers.eip;
  for (const insn of test.code) eip += insn.length;
  return eip;
}

function bytesOf(value: number): [number, number, number, number] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}
