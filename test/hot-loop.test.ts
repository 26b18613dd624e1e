import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../scripts/kvm-tags.ts';
import { COLD_OPS } from '../src/cpu/cold.ts';
import { supportedCodes } from '../src/decoder/lower.ts';
import { HOT_OPS, Op } from '../src/decoder/op.ts';

/** V8 gives up optimising a function above 61,440 bytes of bytecode; this leaves room. */
const LIMIT = 48 * 1024;

/** V8 inlines up to 920 bytes of bytecode into one function (`--max-inlined-bytecode-size-cumulative`). */
const INLINED_LIMIT = 920;

const DIST = join(ROOT, 'dist', 'cpu', 'interpreter.js');
const DIST_PLAIN = join(ROOT, 'dist', 'cpu', 'plain-loop.js');

/** What V8 prints of the functions `name` while `program` runs. */
function printed(name: string, program: string): string {
  return execFileSync(
    process.execPath,
    ['--print-bytecode', `--print-bytecode-filter=${name}`, '--input-type=module', '-e', program],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
}

/** Bytecode of a function of the built interpreter, as V8 itself prints it. */
function bytecodeOf(name: string): string {
  return printed(
    name,
    `
    import { Cpu } from ${JSON.stringify(join(ROOT, 'dist/cpu/cpu.js'))};
    import { GuestMemory } from ${JSON.stringify(join(ROOT, 'dist/cpu/memory.js'))};
    import { runGuest } from ${JSON.stringify(DIST)};
    const mem = new GuestMemory();
    mem.addSlot(0, 0, new Uint8Array(65536).fill(0x90), false);
    const cpu = new Cpu(mem);
    cpu.setSegment(1, 0, 0, 0xffff, cpu.segAttr[1]);
    cpu.eip = 0;
    runGuest(cpu, 10);`,
  );
}

/** The same of what an OUT to the 8259A's mask runs through. */
function bytecodeOfOut(name: string): string {
  return printed(
    name,
    `
    import { createKvmBoard } from ${JSON.stringify(join(ROOT, 'dist/boards/kvm.js'))};
    const rom = new Uint8Array(65536);
    rom.set([0xb0, 0xff, 0xe6, 0x21, 0xeb, 0xfc], 0xfff0);
    const board = createKvmBoard({ jit: false });
    board.addRom(rom, 0xf0000);
    board.addRom(rom, 0xffff0000);
    board.reset();
    board.run(20);`,
  );
}

/** Where several functions have the name (each device has a `write`), the shortest; Infinity when none has run. */
function shortest(text: string): number {
  return Math.min(...[...text.matchAll(/Bytecode length: (\d+)/g)].map((m) => Number(m[1])));
}

function bytecodeLength(text: string): number {
  return Math.max(...[...text.matchAll(/Bytecode length: (\d+)/g)].map((m) => Number(m[1])));
}

describe('the hot loop', () => {
  it('is built: npm test builds dist/ first', () => {
    expect(existsSync(DIST)).toBe(true);
  });

  it('stays below the bytecode size that V8 compiles well', () => {
    for (const name of ['runSegment', 'runPlain']) {
      const length = bytecodeLength(bytecodeOf(name));
      expect(length).toBeGreaterThan(3_000);
      expect(length).toBeLessThan(LIMIT);
    }
  });

  it('takes an OUT to the 8259A to its end within what V8 inlines into one function', () => {
    const way = ['portIoExit', 'portAccessIsFree', 'bitmapDecides', 'outputOf', 'output', 'site', 'write'];
    const device = ['picdevMasterWrite', 'picdevWrite', 'picIoportWrite', 'writeMask', 'picUpdateIrq'];
    const lengths = [...way, ...device].map((name) => [name, shortest(bytecodeOfOut(name))] as const);
    expect(lengths.filter(([, length]) => !Number.isFinite(length))).toEqual([]);
    expect(lengths.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(INLINED_LIMIT);
  });

  it('calls nothing in its inner part but one function that V8 sees through, so that locals stay in registers', () => {
    const source = readFileSync(join(ROOT, 'src', 'cpu', 'plain-loop.ts'), 'utf8');
    const [, text] = /run: while([\s\S]*)state\[LEFT\] = left/.exec(source) ?? [];
    const loop = text.replaceAll(/\/\/.*/g, '');
    const names = new Set([...loop.matchAll(/(?<!\.)\b(\w+)\(/g)].map((m) => m[1]));
    expect([...names]).toEqual(['getPf']);
    const methods = new Set([...loop.matchAll(/\.(\w+)\(/g)].map((m) => m[1]));
    expect([...methods].sort()).toEqual(['getInt32', 'getUint16', 'setInt32', 'setUint16']);
    expect(loop).not.toMatch(/\b(for|while|new|throw|try)\b/);
  });

  it('has one straight line before it, so that a rare way cannot cost the function its code', () => {
    const source = readFileSync(join(ROOT, 'src', 'cpu', 'interpreter.ts'), 'utf8');
    const [, line] = /function runSegment\(\): number \{([\s\S]*?)run: while/.exec(source) ?? [];
    const code = line.replaceAll(/\/\/.*/g, '');
    expect(code).toMatch(/const stop/);
    expect(code).not.toMatch(/\bif \(|return|throw|while/);
    expect([...code.matchAll(/(\w+)\(/g)].map((m) => m[1])).toEqual([]);
  });

  it('switches on integer literals in the build', () => {
    const texts = [readFileSync(DIST, 'utf8'), readFileSync(DIST_PLAIN, 'utf8')];
    for (const text of texts) expect(text).not.toMatch(/case Op\./);
    expect(texts[1]).toMatch(/case 0:/);
  });
});

describe('every operation of the table', () => {
  const casesOf = (file: string) =>
    [...readFileSync(join(ROOT, 'src', 'cpu', file), 'utf8').matchAll(/case Op\.(\w+):/g)].map((m) => m[1]);
  const cases = new Set([...casesOf('plain-loop.ts'), ...casesOf('interpreter.ts')]);

  it('is a case of the hot switch or has a cold function, never both and never neither', () => {
    for (const [name, op] of Object.entries(Op)) {
      expect([name, cases.has(name), COLD_OPS.has(op)]).toEqual([name, op < HOT_OPS, op >= HOT_OPS]);
    }
  });

  it('has encodings', () => {
    expect(supportedCodes().length).toBeGreaterThan(500);
  });
});
