/**
 * Bytes of a kernel structure with typed access: little-endian, offsets as in the header. 64-bit fields are numbers
 * where the value is below 2^53, which holds for everything a 32-bit guest has.
 */
import type { U64 } from '../uapi/kvm.ts';

const TWO_32 = 0x1_0000_0000;

/** A structure of `size` bytes, all zero at first. */
export class StructView {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  u8(at: number): number {
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  i32(at: number): number {
    return this.#view.getInt32(at, true);
  }

  /** An unsigned 64-bit field; what is above 2^53 is rounded. */
  u64(at: number): number {
    return this.u32(at + 4) * TWO_32 + this.u32(at);
  }

  /** A signed 64-bit field; magnitudes above 2^53 are rounded. */
  s64(at: number): number {
    return Number(this.#view.getBigInt64(at, true));
  }

  big(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }

  setU8(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** Numbers that are no integers count as 0. */
  setU64(at: number, value: U64): void {
    const big = typeof value === 'bigint' ? value : Number.isInteger(value) ? BigInt(value) : 0n;
    this.#view.setBigUint64(at, BigInt.asUintN(64, big), true);
  }
}

/** A field and where it lies, for structures that are a list of equally wide fields. */
export type FieldOffsets<T> = readonly (readonly [keyof T & string, number])[];
