/** The engines of `pio86 conform --jit`, apart from what they need: the command line reads this at every start. */

/** `off`: interpreted; `on`: generated code; `verify`: both, which must also agree where the recording says nothing. */
export const CONFORM_ENGINES = ['off', 'on', 'verify'] as const;
/** One of {@link CONFORM_ENGINES}. */
export type ConformEngine = (typeof CONFORM_ENGINES)[number];
