import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EmulatorError } from '../../../src/errors.ts';
import { Eventfd, eventfdCtxFdget } from '../../../src/kvm/eventfd.ts';
import { EAGAIN, EBADF, EINVAL } from '../../../src/uapi/errno.ts';

const MAX = 2n ** 64n - 1n;

describe('an eventfd', () => {
  it('counts signals and writes until it is read', () => {
    const eventfd = new Eventfd({ initval: 3 });
    eventfd.signal();
    expect(eventfd.write(2n ** 40n)).toBe(0);
    expect(eventfd.count).toBe(2n ** 40n + 4n);
    expect(eventfd.read()).toBe(2n ** 40n + 4n);
    expect(eventfd.isReadable).toBe(false);
    expect(eventfd.read()).toBe(-EAGAIN);
  });

  it('carries a signal into the upper half', () => {
    const eventfd = new Eventfd({ initval: 0xffff_ffff });
    eventfd.signal();
    expect(eventfd.read()).toBe(2n ** 32n);
  });

  it('refuses a write that would overflow; a signal then still counts, up to 2^64 − 1', () => {
    const eventfd = new Eventfd();
    expect(eventfd.write(MAX - 1n)).toBe(0);
    expect(eventfd.write(1)).toBe(-EAGAIN);
    eventfd.signal();
    expect(eventfd.count).toBe(MAX);
    eventfd.signal();
    expect(eventfd.read()).toBe(MAX);
  });

  it.each([[MAX], [-1], [0.5], [2 ** 60], [1n << 64n]])('refuses to add %s', (value) => {
    expect(new Eventfd().write(value)).toBe(-EINVAL);
  });

  it('gives one at a time as a semaphore, across the halves too', () => {
    const eventfd = new Eventfd({ initval: 1, semaphore: true });
    expect([eventfd.read(), eventfd.read()]).toEqual([1n, -EAGAIN]);
    eventfd.write(2n ** 32n);
    expect(eventfd.read()).toBe(1n);
    expect(eventfd.count).toBe(2n ** 32n - 1n);
  });

  it('calls its listener for what others add, not for what the listener adds', () => {
    const counts: bigint[] = [];
    const eventfd = new Eventfd({
      listener: (e) => {
        counts.push(e.count);
        e.signal();
      },
    });
    eventfd.signal();
    eventfd.write(5);
    expect(counts).toEqual([1n, 7n]);
    expect(eventfd.read()).toBe(8n);
  });

  it('is EBADF once it is closed', () => {
    const eventfd = new Eventfd({ initval: 1 });
    expect(eventfd.close()).toBe(0);
    expect([eventfd.read(), eventfd.write(1), eventfd.close()]).toEqual([-EBADF, -EBADF, -EBADF]);
    expect(eventfdCtxFdget(eventfd)).toBe(-EBADF);
  });

  it('is told from what is no file and from another kind of file', () => {
    const eventfd = new Eventfd();
    expect(eventfdCtxFdget(eventfd)).toBe(eventfd);
    expect([undefined, null, 7, {}].map(eventfdCtxFdget)).toEqual([-EBADF, -EBADF, -EBADF, -EINVAL]);
  });

  it.each([-1, 2 ** 32, 1.5])('cannot start with %d', (initval) => {
    expect(() => new Eventfd({ initval })).toThrow(EmulatorError);
  });

  it('holds what a 64-bit counter holds, whatever is done to it', () => {
    const step = fc.oneof(
      fc.constant<'signal' | 'read'>('signal'),
      fc.constant<'signal' | 'read'>('read'),
      fc.bigInt({ min: 0n, max: MAX }),
      fc.bigInt({ min: MAX - 3n, max: MAX }),
      fc.bigInt({ min: 0n, max: 2n ** 33n }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, semaphore) => {
        const eventfd = new Eventfd({ semaphore });
        let model = 0n;
        for (const s of steps) {
          if (s === 'signal') {
            eventfd.signal();
            if (model < MAX) model++;
          } else if (s === 'read') {
            const taken = semaphore && model > 0n ? 1n : model;
            expect(eventfd.read()).toBe(taken === 0n ? -EAGAIN : taken);
            model -= taken;
          } else {
            const fits = s !== MAX && model + s < MAX;
            expect(eventfd.write(s)).toBe(s === MAX ? -EINVAL : fits ? 0 : -EAGAIN);
            if (fits) model += s;
          }
          expect(eventfd.count).toBe(model);
        }
      }),
      { numRuns: 200 },
    );
  });
});
