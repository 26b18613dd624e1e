/** Numbers as people read them. */

const SCALES: readonly (readonly [number, string])[] = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e3, ' k'],
];
const DIGITS = 3;

/** Three digits that matter: `86.9 M`, `1,230 G`, `0.971`. */
export function shortNumber(value: number): string {
  const scale = SCALES.find(([size]) => value >= size);
  const [size, suffix] = scale ?? [1, ''];
  const scaled = value / size;
  const whole = Math.max(1, Math.floor(Math.log10(Math.max(scaled, 1))) + 1);
  return `${scaled.toFixed(Math.max(0, DIGITS - whole))}${suffix}`;
}

/** How many times: `3.42×`. */
export function times(ratio: number): string {
  return `${ratio >= 100 ? ratio.toFixed(0) : ratio.toFixed(2)}×`;
}

/** A figure in its unit: rates get a suffix, times and sizes their digits. */
export function figure(value: number, unit: string): string {
  return unit.endsWith('/s') || value < 1000 ? shortNumber(value) : value.toFixed(0);
}
