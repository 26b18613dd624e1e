/**
 * Steps for a whole PC, as the qtest oracle has one: those of the in-kernel chips, and for a fifth of the cases the clock with its
 * CMOS memory and port 0x92.
 */
import type { Prng } from '../prng.ts';
import { type DeviceStep, generateSteps, isModelled } from './device-case.ts';

const RTC_INDEX = 0x70;
const RTC_DATA = 0x71;
const PORT92 = 0x92;
const PC_PORTS: readonly number[] = [RTC_INDEX, RTC_DATA, PORT92];
const MAX_BOARD_STEPS = 32;
/** Registers of the clock that hold a time, an alarm, a mode. */
const RTC_REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x32] as const;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;

/** Whether a PC has a device at a port. */
export function isPcPort(port: number): boolean {
  return isModelled(port) || PC_PORTS.includes(port);
}

/** Steps number `run` of a seed; none is `wait`. */
export function generatePcSteps(random: Prng): DeviceStep[] {
  if (!random.oneIn(5)) return generateSteps(random).filter(({ kind }) => kind !== 'wait');
  const steps: DeviceStep[] = [];
  const length = 4 + random.below(MAX_BOARD_STEPS - 4);
  while (steps.length < length) steps.push(...(random.oneIn(8) ? port92(random) : clock(random)));
  return steps;
}

function port92(random: Prng): DeviceStep[] {
  if (random.oneIn(2)) return [{ kind: 'in', port: PORT92, size: 1 }];
  return [out(PORT92, random.below(256))];
}

/** A register of the clock or a byte of the memory: selected, then read or written. */
function clock(random: Prng): DeviceStep[] {
  if (random.oneIn(16)) return [{ kind: 'in', port: RTC_INDEX, size: 1 }];
  const index = random.oneIn(4) ? random.below(256) : random.pick(RTC_REGISTERS);
  const select = out(RTC_INDEX, index);
  if (random.oneIn(2)) return [select, { kind: 'in', port: RTC_DATA, size: 1 }];
  return [select, out(RTC_DATA, clockValue(random, index))];
}

/** Times in BCD or binary, modes that keep the clock going, anything. */
function clockValue(random: Prng, index: number): number {
  if (random.oneIn(8)) return random.below(256);
  if (index === REGISTER_A) return (random.pick([2, 2, 2, 0, 1, 6, 7]) << 4) | random.below(16);
  if (index === REGISTER_B) return random.below(256) & (random.oneIn(2) ? 0x77 : 0xff);
  const value = random.below(index === 9 ? 100 : 60);
  return random.oneIn(3) ? value : Math.floor(value / 10) * 16 + (value % 10);
}

function out(port: number, value: number): DeviceStep {
  return { kind: 'out', port, size: 1, value };
}
