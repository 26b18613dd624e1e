import { describe, expect, it } from 'vitest';
import { formatIoports, ioportsJson } from '../../../src/ioports/format.ts';
import { parseIoports } from '../../../src/ioports/parse.ts';
import { portNamesOf } from '../../../src/ioports/port-names.ts';
import { portTreeOf } from '../../../src/ioports/port-tree.ts';

const RANGES = [
  { base: 0x20, len: 2, label: 'pic1', device: 'i8259' },
  { base: 0x60, len: 1, label: 'keyboard', device: 'i8042' },
  { base: 0x61, len: 4, label: 'speaker', device: 'speaker' },
  { base: 0x64, len: 1, label: 'keyboard', device: 'i8042' },
];

describe('portTreeOf', () => {
  it('puts a range inside the one that contains it', () => {
    expect(formatIoports(portTreeOf(RANGES))).toBe(
      '0020-0021 : pic1\n0060-0060 : keyboard\n0061-0064 : speaker\n  0064-0064 : keyboard\n',
    );
  });

  it('keeps ranges that overlap without containment side by side', () => {
    const tree = portTreeOf([
      { base: 0x10, len: 4, label: 'a', device: 'a' },
      { base: 0x12, len: 4, label: 'b', device: 'b' },
    ]);
    expect(formatIoports(tree)).toBe('0010-0013 : a\n0012-0015 : b\n');
  });

  it('is a document with a schema version as JSON', () => {
    expect(ioportsJson(portTreeOf(RANGES.slice(0, 1)), 'board pc')).toEqual({
      schemaVersion: 1,
      source: 'board pc',
      ports: [{ base: 0x20, end: 0x21, name: 'pic1', device: 'i8259', children: [] }],
    });
  });
});

describe('portNamesOf', () => {
  const board = { portMap: RANGES, deviceAt: (port: number) => (port === 0x20 ? 'i8259' : null) };

  it("prefers the file's name and keeps the board's device", () => {
    const names = portNamesOf(board, parseIoports('0020-0021 : interrupt controller', 'f'));
    expect([names.nameOf(0x20), names.deviceOf(0x20)]).toEqual(['interrupt controller', 'i8259']);
  });

  it("falls back to the board's label, then to nothing", () => {
    const names = portNamesOf(board, []);
    expect([names.nameOf(0x61), names.nameOf(0x1234), names.deviceOf(0x61)]).toEqual(['speaker', null, null]);
  });
});
