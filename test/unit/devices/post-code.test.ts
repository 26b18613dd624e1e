import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { POST_CODE_HISTORY_LEN, POST_CODE_PORT, PostCodeLatch } from '../../../src/devices/post-code.ts';

it('reads 0xff before the first code and the last code after it', () => {
  const latch = new PostCodeLatch();
  expect(latch.read(POST_CODE_PORT, 1)).toBe(0xff);
  latch.write(POST_CODE_PORT, 1, 0x12);
  latch.write(POST_CODE_PORT, 1, 0x34);
  expect(latch.read(POST_CODE_PORT, 1)).toBe(0x34);
  expect([...latch.history]).toEqual([0x12, 0x34]);
});

it('declines wide accesses without effect', () => {
  const latch = new PostCodeLatch();
  expect(latch.write(POST_CODE_PORT, 2, 0x1234)).toBe(false);
  expect(latch.read(POST_CODE_PORT, 4)).toBe(IO_NOT_HANDLED);
  expect(latch.history.length).toBe(0);
});

it('keeps the last codes of any stream, oldest first, and forgets them at reset', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(255), { maxLength: 3 * POST_CODE_HISTORY_LEN }), (codes) => {
      const latch = new PostCodeLatch();
      for (const code of codes) latch.write(POST_CODE_PORT, 1, code);
      const copy = new PostCodeLatch();
      copy.loadState(latch.saveState());
      expect([...copy.history]).toEqual(codes.slice(-POST_CODE_HISTORY_LEN));
      expect(copy.read(POST_CODE_PORT, 1)).toBe(codes.at(-1) ?? 0xff);
      latch.reset();
      expect(latch.history.length).toBe(0);
      expect(copy.state.written).toBe(codes.length);
    }),
  );
});
