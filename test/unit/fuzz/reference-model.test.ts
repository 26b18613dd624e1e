/**
 * The model that judges the emulator is judged itself: every real-mode case that a real KVM recorded, without any
 * help from the emulator.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { readVectorLines } from '../../../src/conform/vector-files.ts';
import { Xorshift64 } from '../../../src/conform/xorshift64.ts';
import { ReferenceModel } from '../../../src/fuzz/reference-model.ts';
import type { ReferencePorts } from '../../../src/fuzz/reference-read-ahead.ts';
import type { ReferenceState } from '../../../src/fuzz/reference-state.ts';
import { UndoRam } from '../../../src/fuzz/undo-ram.ts';

type SegmentRow = [number, number, number, number];
type Registers = Record<
  'eax' | 'ebx' | 'ecx' | 'edx' | 'esi' | 'edi' | 'ebp' | 'esp' | 'eip' | 'eflags',
  number
>;
interface PioCase {
  id: number;
  fill: string;
  code: string;
  in: Registers & Record<'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs', SegmentRow>;
  exits: [string, number, number, number, string][];
  out: Partial<Registers> & { cs: number; vector?: number };
  mem: [number, string][];
}

const RAM_BYTES = 0x20_0000;
const file = join(import.meta.dirname, '../../vectors/kvm/pio-real.jsonl.gz');

function ramOf(test: PioCase): Uint8Array {
  const ram = new Uint8Array(RAM_BYTES);
  for (let vector = 0; vector < 256; vector++) {
    ram[vector * 4] = (vector & 31) * 4;
    ram[vector * 4 + 1] = 6;
  }
  for (let i = 0; i < 32; i++) ram[0x600 + i * 4] = 0xf4;
  ram.set(Buffer.from(`${test.code}f4`, 'hex'), 0x7c00);
  new Xorshift64(BigInt(`0x${test.fill}`)).fill(new Int32Array(ram.buffer, 0x1_0000));
  return ram;
}

class RecordedUserspace implements ReferencePorts {
  readonly exits: [string, number, number, number, string][] = [];
  readonly #answers: Xorshift64;

  constructor(fill: string) {
    this.#answers = new Xorshift64(BigInt(`0x${fill}`) ^ 0xd1b5_4a32_d192_ed03n);
  }

  kernelRead(): number {
    return IO_NOT_HANDLED;
  }

  kernelWrite(): boolean {
    return false;
  }

  userRead(port: number, size: number, count: number, data: Uint8Array): void {
    for (let i = 0; i < size * count; i++) data[i] = this.#answers.byte();
    this.exits.push(['in', port, size, count, hexOf(data, size * count)]);
  }

  userWrite(port: number, size: number, count: number, data: Uint8Array): void {
    this.exits.push(['out', port, size, count, hexOf(data, size * count)]);
  }
}

function hexOf(data: Uint8Array, bytes: number): string {
  return Buffer.from(data.subarray(0, bytes)).toString('hex');
}

function stateOf(test: PioCase): Omit<ReferenceState, 'mode' | 'cpl' | 'cr2'> {
  const segment = (row: SegmentRow) => ({
    selector: row[0],
    base: row[1],
    limit: row[2],
    access: 'rw' as const,
  });
  const { es, cs, ss, ds, fs, gs, ...registers } = test.in;
  return {
    ...registers,
    es: segment(es),
    cs: segment(cs),
    ss: segment(ss),
    ds: segment(ds),
    fs: segment(fs),
    gs: segment(gs),
  };
}

describe('ReferenceModel', () => {
  const { lines } = readVectorLines(file);

  it('does in all 1,469 real-mode cases what the real KVM did', () => {
    expect(lines).toHaveLength(1469);
    for (const line of lines) {
      const test = JSON.parse(line) as PioCase;
      const ram = ramOf(test);
      const before = ram.slice();
      const ports = new RecordedUserspace(test.fill);
      const model = new ReferenceModel(new UndoRam(ram), ports);
      Object.assign(model.state, stateOf(test));
      model.begin({ mode: 'real', cpl: 0, tssLimit: 0x67, isForced: true, moveTo: -1, paging: null });
      expect(model.run(100_000), `case ${test.id}`).toBe('hlt');
      expect(ports.exits, `exits of case ${test.id}`).toEqual(test.exits);
      const { cs, vector, ...registers } = test.out;
      expect(model.state, `registers of case ${test.id}`).toMatchObject(registers);
      expect(model.state.cs.selector, `case ${test.id}`).toBe(cs);
      expect(model.vectors, `case ${test.id}`).toEqual(vector === undefined ? [] : [vector]);
      for (const [addr, bytes] of test.mem) before.set(Buffer.from(bytes, 'hex'), addr);
      expect(Buffer.compare(ram, before), `memory of case ${test.id}`).toBe(0);
    }
  });
});
