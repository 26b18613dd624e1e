/**
 * A case as text that people can read and `pio86 fuzz string-io --replay FILE` can run: `name=value` lines, bytes
 * with their disassembly as comments.
 */
import { disassemble } from '../decoder/disassemble.ts';
import { EmulatorError } from '../errors.ts';
import { type PagingText, pagingFromText, pagingLines } from './case-paging-text.ts';
import {
  CASE_MODES,
  CASE_REGISTERS,
  CASE_SEGMENTS,
  CASE_USERSPACES,
  type CaseDevice,
  type CaseSegment,
  type CaseTss,
  caseProblem,
  DEVICE_BEHAVIOURS,
  type StringIoCase,
} from './string-io-case.ts';

const TARGET = 'string-io';
const U32 = 0xffff_ffff;
/** Bytes an instruction of a case may have: the processor's limit and a little more, to meet it. */
const MAX_CODE = 20;

/**
 * The lines of a reproducer.
 *
 * @param origin lines that say where it came from, for example its seed.
 * @param options of `pio86 fuzz` that judge it as it was judged, each behind a space.
 */
export function caseToText(test: StringIoCase, origin: readonly string[] = [], options = ''): string[] {
  const lines = [
    `# replay with: pio86 fuzz ${TARGET}${options} --replay FILE`,
    `target=${TARGET}`,
    ...origin,
    `mode=${test.mode}`,
    `cpl=${test.cpl}`,
    `path=${test.path}`,
    `userspace=${test.userspace}`,
    `port-seed=${hex(test.portSeed)}`,
  ];
  for (const bytes of test.code) {
    const text = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    lines.push(
      `code=${text}`,
      `#    ${disassemble(Uint8Array.from(bytes), test.mode === 'prot32' ? 32 : 16, 0)}`,
    );
  }
  for (const name of CASE_REGISTERS) lines.push(`${name}=${hex(test.registers[name])}`);
  for (const name of CASE_SEGMENTS) {
    const { selector, limit, access } = test.segments[name];
    lines.push(`${name}=${hex(selector)} limit ${hex(limit)}${access === 'rw' ? '' : ` ${access}`}`);
  }
  if (test.mode !== 'real') {
    const { limit, ioMapBase, denied } = test.tss;
    lines.push(`tss=limit ${hex(limit)} map ${hex(ioMapBase)}`);
    for (const port of denied) lines.push(`denied=${hex(port)}`);
  }
  if (test.paging !== null) lines.push(...pagingLines(test.paging));
  for (const { base, len, behaviour } of test.devices) lines.push(`device=${hex(base)}+${len} ${behaviour}`);
  return lines;
}

/**
 * Reads a reproducer.
 * @throws EmulatorError `E_ARGUMENT` naming the line that is wrong or the value that is missing.
 */
export function caseFromText(text: string): StringIoCase {
  const values = new Map<string, string>();
  const code: number[][] = [];
  const devices: CaseDevice[] = [];
  const denied: number[] = [];
  const paging: PagingText = { line: null, directory: [], pages: [] };
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    if (at < 1) throw bad(`line ${i + 1}: "${line.slice(0, 40)}" is not name=value`);
    const name = line.slice(0, at);
    const value = line.slice(at + 1);
    if (name === 'code') code.push(parseCode(value, i + 1));
    else if (name === 'device') devices.push(parseDevice(value, i + 1));
    else if (name === 'denied') denied.push(parsePort(value, i + 1));
    else if (name === 'paging') paging.line = value;
    else if (name === 'directory') paging.directory.push(value);
    else if (name === 'page') paging.pages.push(value);
    else values.set(name, value);
  }
  choice(values, 'target', [TARGET]);
  const mode = values.has('mode') ? choice(values, 'mode', CASE_MODES) : 'real';
  const test: StringIoCase = {
    mode,
    cpl: values.has('cpl') ? (choice(values, 'cpl', ['0', '3']) === '3' ? 3 : 0) : 0,
    tss: parseTss(values, denied),
    paging: pagingFromText(paging),
    path: choice(values, 'path', ['fast', 'forced']),
    userspace: choice(values, 'userspace', CASE_USERSPACES),
    code,
    portSeed: numberOf(values, 'port-seed', U32),
    devices,
    registers: Object.fromEntries(
      CASE_REGISTERS.map((name) => [name, numberOf(values, name, U32)]),
    ) as StringIoCase['registers'],
    segments: Object.fromEntries(
      CASE_SEGMENTS.map((name) => [name, parseSegment(values, name)]),
    ) as StringIoCase['segments'],
  };
  const problem = caseProblem(test);
  if (problem !== null) throw bad(problem);
  return test;
}

function parseCode(value: string, line: number): number[] {
  const bytes = value.split(/\s+/).filter((part) => part !== '');
  if (bytes.length === 0 || bytes.length > MAX_CODE || !bytes.every((byte) => /^[0-9a-f]{2}$/i.test(byte))) {
    throw bad(`line ${line}: code needs 1 to ${MAX_CODE} hex bytes`);
  }
  return bytes.map((byte) => Number.parseInt(byte, 16));
}

function parseDevice(value: string, line: number): CaseDevice {
  const match = /^(\w+)\+(\d+) (\w+)$/.exec(value);
  const base = parseNumber(match?.[1]);
  const len = parseNumber(match?.[2]);
  const behaviour = DEVICE_BEHAVIOURS.find((known) => known === match?.[3]);
  if (behaviour === undefined || !(len >= 1 && base + len <= 0x1_0000)) {
    throw bad(`line ${line}: device needs BASE+LENGTH and one of ${DEVICE_BEHAVIOURS.join(', ')}`);
  }
  return { base, len, behaviour };
}

function parsePort(value: string, line: number): number {
  const port = parseNumber(value);
  if (!(port <= 0xffff)) throw bad(`line ${line}: denied needs a port`);
  return port;
}

/** A TSS that allows everything, where the text has none. */
function parseTss(values: ReadonlyMap<string, string>, denied: readonly number[]): CaseTss {
  const match = /^limit (\w+) map (\w+)$/.exec(values.get('tss') ?? 'limit 0x2fff map 0x68');
  const limit = parseNumber(match?.[1]);
  const ioMapBase = parseNumber(match?.[2]);
  if (!(limit <= U32 && ioMapBase <= 0xffff)) throw bad('tss needs "limit LIMIT map OFFSET"');
  return { limit, ioMapBase, denied };
}

function parseSegment(values: ReadonlyMap<string, string>, name: string): CaseSegment {
  const match = /^(\w+) limit (\w+)(?: (ro|null))?$/.exec(values.get(name) ?? '');
  const selector = parseNumber(match?.[1]);
  const limit = parseNumber(match?.[2]);
  if (!(selector <= 0xffff && limit <= U32)) throw bad(`${name} needs "SELECTOR limit LIMIT [ro|null]"`);
  const access = match?.[3] === 'ro' || match?.[3] === 'null' ? match[3] : 'rw';
  return { selector, limit, access };
}

function numberOf(values: ReadonlyMap<string, string>, name: string, max: number): number {
  const value = parseNumber(values.get(name));
  if (!(value <= max)) throw bad(`${name} needs a number up to ${hex(max)}`);
  return value;
}

function choice<T extends string>(
  values: ReadonlyMap<string, string>,
  name: string,
  choices: readonly T[],
): T {
  const value = choices.find((known) => known === values.get(name));
  if (value === undefined) throw bad(`${name} needs one of ${choices.join(', ')}`);
  return value;
}

/** Hex with 0x or decimal; NaN for anything else, which compares as false. */
function parseNumber(text: string | undefined): number {
  return text !== undefined && /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
}

function bad(what: string): EmulatorError {
  return new EmulatorError('E_ARGUMENT', what);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
