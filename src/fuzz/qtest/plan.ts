/**
 * A devices case as qtest commands, and what is expected of each: all its steps, or those up to one behind which QEMU and pio86 go
 * different ways, then reads of the state.
 */
import { type DeviceStep, stepToText } from '../devices/device-case.ts';
import type { OwnPc } from './own-pc.ts';
import { type Next, Planner, type QtestCheck } from './planner.ts';
import { probeSteps, type Touched } from './power-on.ts';
import type { QtestRule } from './rules.ts';

/** See the opening comment. */
export interface QtestPlan {
  readonly checks: readonly QtestCheck[];
  /** How often each rule was met. */
  readonly rules: ReadonlyMap<QtestRule, number>;
}

/** Runs a case on pio86, which is as its power-on made it. */
export function planCase(
  own: OwnPc,
  chips: readonly [string, string],
  steps: readonly DeviceStep[],
  touched: Touched,
): QtestPlan {
  const planner = new Planner(own, chips);
  let next: Next = 'step';
  for (const [i, step] of steps.entries()) {
    next = planner.run(step, `step ${i + 1}, ${stepToText(step)}`);
    if (next !== 'step') break;
  }
  if (next !== 'end') {
    for (const step of probeSteps(touched))
      if (planner.run(step, `at the end, ${stepToText(step)}`) !== 'step') break;
  }
  return planner;
}
