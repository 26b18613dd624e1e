/**
 * Code generated as early and in as small pieces as can be: for checkers whose cases run each instruction once, so that nothing would
 * ever become hot.
 */
import type { JitOptions } from './engine.ts';

/** Every instruction a function of its own, at its first visit, however many there are. */
export const EVERY_INSTRUCTION: JitOptions = {
  threshold: 1,
  maxInsns: 1,
  maxDeaths: Number.POSITIVE_INFINITY,
  maxFunctions: Number.POSITIVE_INFINITY,
  wantsAll: true,
};
