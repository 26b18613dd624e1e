import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { OutputStream } from '../../../src/cli/output-stream.ts';

/** A stream whose reader takes data only when told to, or fails. */
class SlowStream extends Writable {
  readonly taken: string[] = [];
  #waiting: ((error?: Error) => void) | null = null;

  constructor() {
    super({ highWaterMark: 4 });
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.taken.push(chunk.toString());
    this.#waiting = done;
  }

  take(error?: Error): void {
    const done = this.#waiting;
    this.#waiting = null;
    done?.(error);
  }
}

const withCode = (code: string): Error => Object.assign(new Error(code), { code });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('OutputStream', () => {
  it('waits until the stream takes more', async () => {
    const slow = new SlowStream();
    const out = new OutputStream(slow, 'slow');
    out.write('abcdef');
    expect(out.isFull).toBe(true);
    let isDrained = false;
    const drained = out.drained().then(() => {
      isDrained = true;
    });
    await turn();
    expect(isDrained).toBe(false);
    slow.take();
    await drained;
    expect([out.isFull, slow.taken]).toEqual([false, ['abcdef']]);
  });

  it('calls onResume when the stream takes more', async () => {
    const slow = new SlowStream();
    const out = new OutputStream(slow, 'slow');
    let resumed = 0;
    out.onResume = () => resumed++;
    out.write('abcdef');
    slow.take();
    await turn();
    expect(resumed).toBe(1);
  });

  it('goes quiet when the reader goes away', async () => {
    const slow = new SlowStream();
    const out = new OutputStream(slow, 'slow');
    out.write('abcdef');
    slow.take(withCode('EPIPE'));
    await out.drained();
    await turn();
    out.write('more');
    out.throwIfFailed();
    expect([out.closed, slow.taken]).toEqual([true, ['abcdef']]);
  });

  it('passes every other failure on', async () => {
    const slow = new SlowStream();
    const out = new OutputStream(slow, 'slow');
    out.write('abcdef');
    slow.take(withCode('ENOSPC'));
    await turn();
    const failure = { name: 'CliError', exitCode: 3, message: 'slow: no space left on device' };
    await expect(out.drained()).rejects.toMatchObject(failure);
    expect(() => out.throwIfFailed()).toThrow(failure.message);
    await expect(out.end()).rejects.toMatchObject(failure);
  });

  it('takes a stream that throws at once for one that failed', async () => {
    const broken = new SlowStream();
    broken.write = () => {
      throw withCode('ENOSPC');
    };
    const out = new OutputStream(broken, 'broken');
    out.write('abcdef');
    expect(out.closed).toBe(true);
    await expect(out.drained()).rejects.toThrow('broken: no space left on device');
  });

  it('ends a stream when its data is out', async () => {
    const slow = new SlowStream();
    const out = new OutputStream(slow, 'slow');
    out.write('a');
    let isEnded = false;
    const ended = out.end().then(() => {
      isEnded = true;
    });
    await turn();
    expect(isEnded).toBe(false);
    slow.take();
    await ended;
    expect(slow.writableFinished).toBe(true);
  });
});
