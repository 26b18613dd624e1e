/**
 * Which blocks of generated code have run: for checkers that have to say how much they have checked. Without a witness generated
 * code holds nothing of it.
 */

/** See the opening comment. */
export interface BlockWitness {
  /** Generated code sets element n when it enters block n. */
  readonly entered: Uint8Array;
  /**
   * A block goes into a function.
   *
   * @param page physical page.
   * @param at offset of its first instruction there.
   * @returns n, below the length of `entered`.
   */
  add(page: number, at: number): number;
}
