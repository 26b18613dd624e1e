import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputStream } from '../../../src/cli/output-stream.ts';
import { TextLines } from '../../../src/cli/run/guest-output.ts';

/** Lines into a stream that remembers. */
function gather(): { lines: TextLines; written: () => Buffer } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { lines: new TextLines(new OutputStream(stream, 'a file')), written: () => Buffer.concat(chunks) };
}

describe('TextLines', () => {
  it('hands on every line in order as UTF-8, however many wait', () => {
    const text = fc.array(fc.string({ unit: 'grapheme', maxLength: 9000 }), { maxLength: 12 });
    fc.assert(
      fc.property(text, fc.nat(12), (all, at) => {
        const { lines, written } = gather();
        for (const [i, line] of all.entries()) {
          lines.write(line);
          if (i === at) lines.handOn();
        }
        lines.handOn();
        expect(lines.pending).toBe(0);
        expect(written().equals(Buffer.from(all.join('')))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('counts what waits, in blocks and behind them', () => {
    const { lines } = gather();
    for (let i = 0; i < 1000; i++) lines.write('0123456789012345678901234567890\n');
    expect(lines.pending).toBe(32_000);
  });
});
