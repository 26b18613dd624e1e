/** How one benchmark or one peer drops out without ending the others. */

/** Something that cannot be measured here: a program that is not installed, a guest that did not end as it should. */
export class BenchFailure extends Error {
  override readonly name = 'BenchFailure';
}

/** pio86 itself did not get to the end: a finding, not a thing that is absent. */
export class Pio86Failure extends BenchFailure {}
