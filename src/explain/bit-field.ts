/**
 * One field of a packed VMCS value, explained.
 */

/** A row of an explanation table. */
export interface BitField {
  /** `2:0`, as the manual counts. */
  readonly bits: string;
  /** The manual's words for the field. */
  readonly field: string;
  readonly value: number;
  readonly meaning: string;
  /** What is wrong with the value, if anything. */
  readonly problem?: string;
}
