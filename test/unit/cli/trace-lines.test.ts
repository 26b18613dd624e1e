import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputStream } from '../../../src/cli/output-stream.ts';
import { TraceLines } from '../../../src/cli/run/guest-output.ts';

/** Lines into a stream that looks at what it is given only when it says that it is written. */
function gather(): { lines: TraceLines; take: () => void; written: () => string } {
  const waiting: (() => void)[] = [];
  let text = '';
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, done) {
      waiting.push(() => {
        text += chunk.toString('utf8');
        done();
      });
    },
  });
  return {
    lines: new TraceLines(new OutputStream(stream, 'a file')),
    take: () => waiting.shift()?.(),
    written: () => text,
  };
}

async function takeAll(take: () => void, pieces: number): Promise<void> {
  for (let i = 0; i < pieces; i++) {
    take();
    await nextTurn();
  }
}

describe('TraceLines', () => {
  it('hands on every line in order, however many wait and however slow the stream is', async () => {
    const line = fc.tuple(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(300_000));
    const steps = fc.array(fc.tuple(line, fc.constantFrom('gather', 'hand on', 'take')), { maxLength: 24 });
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { lines, take, written } = gather();
        let expected = '';
        for (const [[head, length], what] of all) {
          const text = `${String.fromCharCode(97 + (length % 26)).repeat(length)}\n`;
          lines.writeLine(Buffer.from(head), Buffer.from(text));
          expected += head + text;
          if (what !== 'gather') lines.handOn();
          if (what === 'take') await takeAll(take, 1);
        }
        lines.handOn();
        expect(lines.pending).toBe(0);
        await takeAll(take, 2 * all.length + 1);
        expect(written() === expected).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('copies what it is given', async () => {
    const { lines, take, written } = gather();
    const head = Buffer.from('1 ');
    const text = Buffer.from('one\n');
    lines.writeLine(head, text);
    head.fill(0);
    text.fill(0);
    lines.handOn();
    await takeAll(take, 1);
    expect(written()).toBe('1 one\n');
  });

  it('uses the memory of what is written again, and of nothing else', async () => {
    const buffers: ArrayBufferLike[] = [];
    const done: (() => void)[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, next) {
        buffers.push(chunk.buffer);
        done.push(next);
      },
    });
    const lines = new TraceLines(new OutputStream(stream, 'a file'));
    const write = (): void => {
      lines.writeLine(Buffer.from('a'), Buffer.alloc(20_000, 'b'));
      lines.handOn();
    };
    write();
    done[0]?.();
    await nextTurn();
    write();
    write();
    done[1]?.();
    await nextTurn();
    expect(buffers).toHaveLength(3);
    expect(buffers[1]).toBe(buffers[0]);
    expect(buffers[2]).not.toBe(buffers[0]);
  });

  it('takes no block for a few lines at a time', async () => {
    const chunks: Buffer[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, next) {
        chunks.push(chunk);
        next();
      },
    });
    const lines = new TraceLines(new OutputStream(stream, 'a file'));
    for (let i = 0; i < 200; i++) {
      lines.writeLine(Buffer.from(`${i} `), Buffer.from('line\n'));
      lines.handOn();
    }
    lines.handOn();
    await nextTurn();
    expect(Buffer.concat(chunks).toString()).toBe(
      Array.from({ length: 200 }, (_, i) => `${i} line\n`).join(''),
    );
    expect(chunks.every((chunk) => chunk.buffer.byteLength < 0x10000)).toBe(true);
  });

  it('counts what waits, in blocks and behind them', () => {
    const { lines } = gather();
    const head = Buffer.from('0123456789012345');
    for (let i = 0; i < 100_000; i++) lines.writeLine(head, Buffer.from('789012345678901\n'));
    expect(lines.pending).toBe(3_200_000);
  });
});
