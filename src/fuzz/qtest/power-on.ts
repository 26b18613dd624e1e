/**
 * How a case of the qtest oracle begins and ends: writes that make all state known, wherever the case before it has left QEMU, and
 * reads that show what the case has left.
 */
import type { DeviceStep } from '../devices/device-case.ts';
import type { PortWrite } from './own-pc.ts';

const RTC_INDEX = 0x70;
const RTC_DATA = 0x71;
const CMOS_INDEX_MASK = 0x7f;
/** First byte behind the clock's registers. */
const CMOS_RAM = 0x0e;
/** Where an IBM PS/2 has its century. */
export const PS2_CENTURY = 0x37;
/** 2026-01-01 00:00:00, a Thursday, no alarm; the century at 0x32. */
const RTC_TIME = [0, 0, 0, 0, 0, 0, 5, 1, 1, 0x26] as const;
const RTC_CENTURY: PortWrite[] = [
  [RTC_INDEX, 0x32],
  [RTC_DATA, 0x20],
];

/** Both chips initialised as by firmware, all edges, nothing masked; channels in mode 0 with 0; the gate closed; port 0x92. */
export const CHIP_WRITES: readonly PortWrite[] = [
  [0x4d0, 0],
  [0x4d1, 0],
  [0xa0, 0x11],
  [0xa1, 0x28],
  [0xa1, 0x02],
  [0xa1, 0x01],
  [0x20, 0x11],
  [0x21, 0x20],
  [0x21, 0x04],
  [0x21, 0x01],
  [0x43, 0x30],
  [0x40, 0],
  [0x40, 0],
  [0x43, 0x70],
  [0x41, 0],
  [0x41, 0],
  [0x43, 0xb0],
  [0x42, 0],
  [0x42, 0],
  [0x61, 0],
  [0x92, 0],
];

/** Reads before these writes: a latched status and two latched bytes of each channel. */
export const DRAIN_PORTS: readonly number[] = [0x40, 0x40, 0x40, 0x41, 0x41, 0x41, 0x42, 0x42, 0x42];

/** Which of the board's own devices a case touches: what it does not touch need not be put back. */
export interface Touched {
  /** Registers and bytes that port 0x70 selects, without those of the clock; empty when port 0x71 is left alone. */
  readonly cmos: readonly number[];
  readonly rtc: boolean;
}

/** See {@link Touched}. */
export function touchedBy(steps: readonly DeviceStep[]): Touched {
  const cmos = new Set<number>();
  let rtc = false;
  for (const step of steps) {
    if (step.kind !== 'in' && step.kind !== 'out') continue;
    if (step.port > RTC_DATA || step.port + step.size <= RTC_INDEX) continue;
    rtc = true;
    if (step.kind === 'out' && step.port === RTC_INDEX) cmos.add(step.value & CMOS_INDEX_MASK);
  }
  return { rtc, cmos: [...cmos].filter((index) => index >= CMOS_RAM && index !== PS2_CENTURY) };
}

/** Writes that make the touched devices of the board known. */
export function boardWrites({ rtc, cmos }: Touched): PortWrite[] {
  if (!rtc) return [];
  const register = (index: number, value: number): PortWrite[] => [
    [RTC_INDEX, index],
    [RTC_DATA, value],
  ];
  return [
    ...register(0x0a, 0x26),
    ...register(0x0b, 0x82),
    ...cmos.flatMap((index) => register(index, 0)),
    ...RTC_TIME.flatMap((value, index) => register(index, value)),
    ...RTC_CENTURY,
    ...register(0x0b, 0x02),
    [RTC_INDEX, 0x0d],
  ];
}

/** Reads that show the state: IRR, ISR, IMR, trigger modes; status and count of each channel; port 0x61; the clock. */
export function probeSteps({ rtc, cmos }: Touched): DeviceStep[] {
  const steps = [...CHIP_PROBES];
  if (!rtc) return steps;
  for (const index of [0, 2, 4, 6, 7, 8, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x32, 1, 3, 5, ...cmos])
    steps.push(out(RTC_INDEX, index), read(RTC_DATA));
  return steps;
}

const CHIP_PROBES: readonly DeviceStep[] = [
  ...[0x20, 0xa0].flatMap((port) => [
    out(port, 0x0a),
    read(port),
    out(port, 0x0b),
    read(port),
    read(port + 1),
  ]),
  ...[0x4d0, 0x4d1].map(read),
  out(0x43, 0xce),
  ...DRAIN_PORTS.map(read),
  read(0x61),
  read(0x92),
];

function out(port: number, value: number): DeviceStep {
  return { kind: 'out', port, size: 1, value };
}

function read(port: number): DeviceStep {
  return { kind: 'in', port, size: 1 };
}
