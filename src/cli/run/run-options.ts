/**
 * What `pio86 run` understands, and how its own kinds of values are read.
 */
import { EXTRA_DEVICES, type ExtraDevice } from '../../boards/extra-devices.ts';
import type { IMAGE_FORMATS } from '../../loaders/detect.ts';
import { usageError } from '../cli-error.ts';
import type { CpuOption } from '../cpu-option.ts';
import type { JitOption } from '../jit-option.ts';
import { type FarAddress, type PortSpan, parseAddress, parseNumber } from '../numbers.ts';

/** `--load FILE@ADDR` */
export interface LoadOption {
  readonly path: string;
  readonly address: FarAddress;
}

/** `--reg NAME=VALUE`, NAME in lower case. */
export interface RegOption {
  readonly name: string;
  readonly value: number;
}

/** `--serial` */
export type SerialOption =
  | { readonly kind: 'stdio' | 'none' }
  | { readonly kind: 'file'; readonly path: string };

/** The options of `pio86 run`, parsed. Names are commander's: `--max-insns` is `maxInsns`. */
export interface RunOptions extends CpuOption, JitOption {
  readonly format: (typeof IMAGE_FORMATS)[number];
  /** Command line of a Multiboot image. */
  readonly append?: string;
  readonly load?: readonly LoadOption[];
  readonly entry?: FarAddress;
  readonly engine: 'pio86' | 'kvm';
  readonly mode: 'real' | 'prot16' | 'prot32';
  readonly reg?: readonly RegOption[];
  readonly board: 'kvm' | 'pc';
  readonly device?: readonly ExtraDevice[];
  readonly memory: number;
  readonly maxInsns?: number;
  /** Seconds of the host. */
  readonly timeout?: number;
  readonly serial: SerialOption;
  readonly clock: 'virtual' | 'wall';
  readonly ips: number;
  /** Seconds since 1970. */
  readonly rtc?: number;
  readonly unclaimed: 'open-bus' | 'warn' | 'error';
  /** Event list as typed; empty for the default events. */
  readonly trace?: string;
  readonly traceFile?: string;
  readonly ioports?: string;
  readonly forceEmulation?: boolean;
  /** Ports that exit; all others do not. */
  readonly ioBitmap?: readonly PortSpan[];
  readonly json?: boolean;
  readonly guestExit?: boolean;
}

function limits(names: string, limit: number): (readonly [string, number])[] {
  return names.split(' ').map((name) => [name, limit]);
}

/** Registers that `--reg` sets, with the largest value each takes. */
const REGISTER_LIMITS: ReadonlyMap<string, number> = new Map([
  ...limits('eax ecx edx ebx esp ebp esi edi eip eflags', 0xffff_ffff),
  ...limits('ax cx dx bx sp bp si di ip flags', 0xffff),
  ...limits('cs ds es fs gs ss', 0xffff),
  ...limits('al cl dl bl ah ch dh bh', 0xff),
]);

/** Parses the name of a device. */
export function parseDevice(text: string): ExtraDevice {
  const device = EXTRA_DEVICES.find((name) => name === text);
  if (device === undefined) throw usageError(`--device: '${text}' is not one of ${EXTRA_DEVICES.join(', ')}`);
  return device;
}

/** Parses `FILE@ADDR`; the last `@` counts. */
export function parseLoad(text: string): LoadOption {
  const at = text.lastIndexOf('@');
  if (at <= 0) throw usageError(`--load: '${text}' is not FILE@ADDR, for example data.bin@0x2000`);
  return { path: text.slice(0, at), address: parseAddress('--load', text.slice(at + 1)) };
}

/** Parses `NAME=VALUE`. */
export function parseReg(text: string): RegOption {
  const match = /^([a-z]+)=(.+)$/i.exec(text);
  const name = (match?.[1] ?? '').toLowerCase();
  const limit = REGISTER_LIMITS.get(name);
  if (match === null || limit === undefined) {
    throw usageError(
      `--reg: '${text}' is not NAME=VALUE with a register such as eax, ax, al, ds, ip or eflags`,
    );
  }
  return { name, value: parseNumber(`--reg ${name}`, match[2] ?? '', 0, limit) };
}

/** Parses `stdio`, `none` or `file:PATH`. */
export function parseSerial(text: string): SerialOption {
  if (text === 'stdio' || text === 'none') return { kind: text };
  if (text.startsWith('file:') && text.length > 'file:'.length) {
    return { kind: 'file', path: text.slice('file:'.length) };
  }
  throw usageError(`--serial: '${text}' is not stdio, none or file:PATH`);
}

/** Parses seconds since 1970, or an ISO 8601 date; without a zone it is UTC. */
export function parseRtc(text: string): number {
  const MAX_SECONDS = 253_402_300_799; // 9999-12-31T23:59:59Z, what the CMOS century register can show
  if (/^[0-9]+$/.test(text)) return parseNumber('--rtc', text, 0, MAX_SECONDS);
  if (/^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)) {
    const hasTime = text.length > 10;
    const hasZone = /(?:Z|[+-]\d{2}:\d{2})$/.test(text.slice(10));
    const ms = Date.parse(hasTime && !hasZone ? `${text}Z` : text);
    if (Number.isFinite(ms) && ms >= 0) return Math.floor(ms / 1000);
  }
  throw usageError(`--rtc: '${text}' is not a date (2026-01-31T12:00:00Z) or seconds since 1970`);
}

/** Parses host seconds: a positive decimal number, fractions allowed. */
export function parseTimeout(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  // A timer takes at most 2^31−1 ms.
  if (value <= 0 || value > 2_147_483) {
    throw usageError(`--timeout: '${text}' is not a number of seconds from 0.001 to 2147483`);
  }
  return value;
}
