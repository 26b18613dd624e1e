/**
 * One case of `pio86 fuzz devices`: steps that the in-kernel devices of a VM see, and the generator that aims them at the
 * 8259A pair, the 8254 and port 0x61.
 */
import { EmulatorError } from '../../errors.ts';
import type { Prng } from '../prng.ts';

/** One step. */
export type DeviceStep =
  | { readonly kind: 'out'; readonly port: number; readonly size: 1 | 2 | 4; readonly value: number }
  | { readonly kind: 'in'; readonly port: number; readonly size: 1 | 2 | 4 }
  /** Userspace drives a GSI. */
  | { readonly kind: 'irq'; readonly gsi: number; readonly level: 0 | 1 }
  /** Ticks of the machine's clock pass, ten nanoseconds each. */
  | { readonly kind: 'wait'; readonly ticks: number }
  /** The processor acknowledges an interrupt. */
  | { readonly kind: 'inta' };

const MAX_STEPS = 24;
const PIT_PORTS = [0x40, 0x41, 0x42, 0x43, 0x43, 0x43, 0x61] as const;
const PIC_PORTS = [0x20, 0x20, 0x20, 0x21, 0x21, 0xa0, 0xa0, 0xa1, 0xa1, 0x4d0, 0x4d1] as const;
const OCW2 = [0x20, 0x60, 0x80, 0xa0, 0xc0, 0xe0, 0x00, 0x40] as const;

/** Steps number `run` of a seed. */
export function generateSteps(random: Prng): DeviceStep[] {
  const steps: DeviceStep[] = [];
  const length = 4 + random.below(MAX_STEPS - 4);
  // Half of the cases start from a pair that is set up, as a guest does it: else few requests get anywhere.
  if (random.oneIn(2)) steps.push(...initialization(random));
  if (random.oneIn(4)) steps.push(...timer(random));
  const isBusy = random.oneIn(4);
  while (steps.length < length) steps.push(isBusy ? service(random) : step(random));
  return steps;
}

/** Channel 0 as a guest sets it up: an interrupt again and again. */
function timer(random: Prng): DeviceStep[] {
  const out = (port: number, value: number): DeviceStep => ({ kind: 'out', port, size: 1, value });
  return [out(0x43, random.oneIn(2) ? 0x34 : 0x36), out(0x40, random.below(256)), out(0x40, random.below(8))];
}

/** What a guest does with the timer's interrupts: takes them, ends them, masks them, lets time pass. */
function service(random: Prng): DeviceStep {
  switch (random.below(6)) {
    case 0:
    case 1:
      return { kind: 'wait', ticks: waiting(random) };
    case 2:
      return { kind: 'inta' };
    case 3:
      return { kind: 'out', port: 0x20, size: 1, value: 0x20 };
    case 4:
      return { kind: 'out', port: 0x21, size: 1, value: random.below(4) };
    default:
      return step(random);
  }
}

function initialization(random: Prng): DeviceStep[] {
  const out = (port: number, value: number): DeviceStep => ({ kind: 'out', port, size: 1, value });
  const icw4 = 1 | (random.oneIn(4) ? 2 : 0) | (random.oneIn(4) ? 16 : 0);
  return [
    out(0x20, 0x11),
    out(0x21, 0x20),
    out(0x21, 0x04),
    out(0x21, icw4),
    out(0xa0, 0x11),
    out(0xa1, 0x28),
    out(0xa1, 0x02),
    out(0xa1, 0x01),
  ];
}

function step(random: Prng): DeviceStep {
  switch (random.below(12)) {
    case 0:
    case 1:
      return { kind: 'irq', gsi: pick(random), level: random.oneIn(3) ? 0 : 1 };
    case 2:
      return { kind: 'inta' };
    case 3:
      return { kind: 'wait', ticks: waiting(random) };
    case 4:
    case 5:
      return { kind: 'in', port: random.pick(PIC_PORTS), size: sizeOf(random) };
    case 6:
    case 7:
    case 8:
      return picWrite(random);
    case 9:
      return { kind: 'in', port: random.pick(PIT_PORTS), size: sizeOf(random) };
    default:
      return { kind: 'out', port: random.pick(PIT_PORTS), size: sizeOf(random), value: pitValue(random) };
  }
}

function pick(random: Prng): number {
  return random.oneIn(2) ? random.below(16) : random.pick([0, 1, 3, 8, 9, 15]);
}

function picWrite(random: Prng): DeviceStep {
  const port = random.pick(PIC_PORTS);
  const kind = random.below(4);
  const value =
    port >= 0x4d0 || kind === 0 ? random.below(256) : kind === 1 ? 0 : random.pick(OCW2) | random.below(8);
  const isOcw3 = port % 2 === 0 && random.oneIn(4);
  return {
    kind: 'out',
    port,
    size: sizeOf(random),
    value: isOcw3 ? 8 | random.pick([2, 3, 4, 0x60]) : value,
  };
}

function sizeOf(random: Prng): 1 | 2 | 4 {
  return random.oneIn(16) ? random.pick([2, 4] as const) : 1;
}

/** Control words that mean something, small counts, anything. */
function pitValue(random: Prng): number {
  const kind = random.below(4);
  if (kind === 0) return random.below(256);
  if (kind === 1) return random.below(6);
  return (random.below(4) << 6) | (random.below(4) << 4) | (random.below(8) << 1) | (random.oneIn(8) ? 1 : 0);
}

/** From a tick to some periods of the slowest timer. */
function waiting(random: Prng): number {
  return random.below(2 ** (1 + random.below(24)));
}

/** A step as a line. */
export function stepToText(step: DeviceStep): string {
  switch (step.kind) {
    case 'out':
      return `out 0x${step.port.toString(16)} size ${step.size} value 0x${step.value.toString(16)}`;
    case 'in':
      return `in 0x${step.port.toString(16)} size ${step.size}`;
    case 'irq':
      return `irq ${step.gsi} level ${step.level}`;
    case 'wait':
      return `wait ${step.ticks}`;
    default:
      return 'inta';
  }
}

/** Whether a target has devices at a port. */
type Knows = (port: number) => boolean;

const PATTERNS: readonly (readonly [
  RegExp,
  (a: number, b: number, c: number, knows: Knows) => DeviceStep | null,
])[] = [
  [/^out (\w+) size (\d) value (\w+)$/, access],
  [/^in (\w+) size (\d)$/, (port, size, _, knows) => access(port, size, null, knows)],
  [
    /^irq (\w+) level ([01])$/,
    (gsi, level) => (gsi < 16 ? { kind: 'irq', gsi, level: level === 0 ? 0 : 1 } : null),
  ],
  [/^wait (\w+)$/, (ticks) => (ticks <= 0xffff_ffff ? { kind: 'wait', ticks } : null)],
  [/^inta$/, () => ({ kind: 'inta' })],
];

function access(port: number, size: number, value: number | null, knows: Knows): DeviceStep | null {
  if (!knows(port) || (size !== 1 && size !== 2 && size !== 4)) return null;
  if (value === null) return { kind: 'in', port, size };
  return value < 2 ** (8 * size) ? { kind: 'out', port, size, value } : null;
}

/** Whether the naive models know a port. */
export function isModelled(port: number): boolean {
  return PIC_PORTS.some((known) => known === port) || PIT_PORTS.some((known) => known === port);
}

/**
 * @param knows the ports that a step may touch.
 * @throws EmulatorError `E_ARGUMENT` for a line that is no step.
 */
export function stepFromText(line: string, knows: Knows = isModelled): DeviceStep {
  for (const [pattern, make] of PATTERNS) {
    const match = pattern.exec(line);
    const step = match === null ? null : make(Number(match[1]), Number(match[2]), Number(match[3]), knows);
    if (step !== null) return step;
  }
  throw new EmulatorError('E_ARGUMENT', `"${line.slice(0, 40)}" is not a step of the devices`);
}
