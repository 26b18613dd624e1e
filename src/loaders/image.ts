/**
 * What a loader makes of a file: a plan of memory writes, a ROM and a start state. Nothing touches the machine
 * before the whole plan is known to fit (see load.ts), so a refused image leaves nothing half-loaded.
 */
import { EmulatorError } from '../errors.ts';

/** A file to load. */
export interface Image {
  /** Shown in errors; its extension tells a .COM file. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** How the bytes of an image are to be understood. */
export type ImageFormat = 'raw' | 'boot' | 'bios' | 'com' | 'multiboot';

/** Bytes for one range of guest-physical memory. */
export interface MemoryWrite {
  /** Shown in errors. */
  readonly name: string;
  /** First guest-physical address. */
  readonly gpa: number;
  readonly bytes: Uint8Array;
  /** Bytes of memory that must be there, where it is more than `bytes`: the rest stays as it is, zero. */
  readonly span?: number;
}

/** A place in real-mode code. */
export interface RealModeEntry {
  readonly cs: number;
  readonly ip: number;
}

/** Registers that differ from zero when a guest starts in real mode. */
export interface RealModeStart extends RealModeEntry {
  readonly mode: 'real';
  /** SS, DS, ES, FS and GS. */
  readonly dataSegment: number;
  readonly sp: number;
  readonly dx: number;
}

/**
 * A guest that starts in flat 32-bit protected mode: all segments from 0 to 4 GiB, paging off, IF = 0, other registers 0.
 * There is no GDT: the guest loads its own before it loads a segment register.
 */
export interface FlatStart {
  readonly mode: 'flat32';
  readonly eip: number;
  readonly eax: number;
  readonly ebx: number;
}

/** A flat guest with the tables of protected.ts; IF = 0, other registers 0. */
export interface ProtectedStart {
  readonly mode: 'prot16' | 'prot32';
  readonly eip: number;
  readonly esp: number;
}

/** How a guest starts. */
export type StartState = RealModeStart | FlatStart | ProtectedStart;

/** Everything that loading an image changes. */
export interface LoadPlan {
  readonly format: ImageFormat;
  readonly writes: readonly MemoryWrite[];
  /** Mapped read-only so that it ends at 1 MiB and again at 4 GiB; null without one. */
  readonly rom: Uint8Array | null;
  /** null: the processor's reset state. */
  readonly start: StartState | null;
}

/** `0x…` */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** @throws EmulatorError `E_IMAGE` for an empty image. */
export function requireBytes(image: Image): void {
  if (image.bytes.length === 0) throw new EmulatorError('E_IMAGE', `${image.name}: the file is empty`);
}

/**
 * CS:IP of a linear address that real mode reaches: segment 0 below 64 KiB, else a 64 KiB-aligned segment.
 *
 * @throws EmulatorError `E_ARGUMENT` above FFFF:FFFF.
 */
export function realModeEntry(linear: number): RealModeEntry {
  if (linear <= 0xfffff) return { cs: (linear >>> 4) & 0xf000, ip: linear & 0xffff };
  if (linear <= 0x10ffef) return { cs: 0xffff, ip: linear - 0xffff0 };
  throw new EmulatorError(
    'E_ARGUMENT',
    `entry: real mode cannot reach ${hex(linear)}, its last address is 0x10ffef`,
  );
}
