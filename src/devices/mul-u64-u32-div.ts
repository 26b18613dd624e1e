/**
 * Scaling of a time without overflow (Linux: include/linux/math64.h). Conversions between nanoseconds and ticks of
 * the PIT must be exact: an error of one tick is visible to a guest.
 */

/**
 * a mod m for whole numbers 0 ≤ a < 2^53 and 0 < m ≤ 2^31. (The operator % of doubles is a call into the C library.)
 */
export function modulo(a: number, m: number): number {
  if (a < m) return a;
  // The quotient's rounding may carry it to the next whole number.
  const rest = a - Math.floor(a / m) * m;
  return rest < 0 ? rest + m : rest;
}

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
  return a >= 0 && a < divisor ? Math.floor((a * mul) / divisor) : inTwoParts(a, mul, divisor);
}

function inTwoParts(a: number, mul: number, divisor: number): number {
  const whole = Math.floor(a / divisor);
  return whole * mul + Math.floor(((a - whole * divisor) * mul) / divisor);
}
