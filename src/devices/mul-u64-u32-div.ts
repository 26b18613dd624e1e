/**
 * Scaling of a time without overflow (Linux: include/linux/math64.h). Conversions between nanoseconds and ticks of
 * the PIT must be exact: an error of one tick is visible to a guest.
 */

/**
 * floor(a · mul / divisor), exact.
 *
 * The whole multiples of `divisor` are split off first, so that no product exceeds 2^53. Needs `a`, the result and
 * mul · divisor below 2^53: then a quotient that is no integer stands at least 1/divisor away from the next one,
 * more than its rounding error, and the floors are right.
 *
 * @kvm mul_u64_u32_div(a, mul, divisor) include/linux/math64.h
 */
export function mulU64U32Div(a: number, mul: number, divisor: number): number {
  const whole = Math.floor(a / divisor);
  return whole * mul + Math.floor(((a - whole * divisor) * mul) / divisor);
}
