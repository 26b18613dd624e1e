/**
 * What userspace hands to an ioctl is not to be trusted: fields of C's integer types, taken from JavaScript values
 * (Linux: `copy_from_user` of a structure; include/uapi/linux/kvm.h).
 */

const U32_END = 0x1_0000_0000;
const U64_END = 1n << 64n;

/** Whether `value` is an object whose fields can be looked at; −EFAULT is the answer to anything else. */
export function isStruct(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** Whether `value` is a `__u32`. */
export function isU32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < U32_END;
}

/** A `__u64` of a number or a bigint; null for what is none. A number beyond 2^53 is not exact, so it is none either. */
export function toU64(value: unknown): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null;
  return typeof value === 'bigint' && value >= 0n && value < U64_END ? value : null;
}
