/** What one instruction's memory-mapped accesses gather: slots, limits, and which writes join. */
import { describe, expect, it } from 'vitest';
import { KvmMmioRequest, MMIO_READ_SLOT } from '../../../src/emulate/mmio-request.ts';

/** `gpa:bytes` of each write that has gathered. */
function writesOf(request: KvmMmioRequest): string[] {
  return Array.from({ length: request.nr }, (_, i) => {
    const bytes = request.data.subarray(request.at[i], request.at[i] + request.len[i]);
    return `${request.gpa[i].toString(16)}:${Buffer.from(bytes).toString('hex')}`;
  });
}

describe('reads', () => {
  it('have 128 slots of eight bytes, each cleared when it is taken', () => {
    const request = new KvmMmioRequest();
    request.readData.fill(0xff);
    for (let i = 0; i < 128; i++) {
      expect(request.newRead()).toBe(i * MMIO_READ_SLOT);
      expect([...request.readData.subarray(8 * i, 8 * i + 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
      expect(request.readData.subarray(8 * i + 8).every((byte) => byte === 0xff)).toBe(true);
      request.readEnd++;
    }
    expect(request.newRead()).toBe(-1);
  });

  it('that wait for userspace take the place of the writes gathered so far', () => {
    const request = new KvmMmioRequest();
    request.addWrite(0x1000, 4, 1, 0);
    request.addWrite(0x2000, 4, 2, 0);
    request.isWrite = 1;
    request.cur = 1;
    request.waitForRead(0x1_2345_6789, 16, 3);
    expect(request).toMatchObject({ needed: 1, nr: 1, cur: 0, isWrite: 0 });
    expect([request.gpa[0], request.at[0], request.len[0]]).toEqual([0x1_2345_6789, 16, 3]);
  });
});

describe('writes', () => {
  it('keep their order and their bytes, eight of them too', () => {
    const request = new KvmMmioRequest();
    expect(request.addWrite(0x1000, 1, 0x1234_5678, 0)).toBe(true);
    expect(request.addWrite(0x1001, 8, 0x0403_0201, 0x8807_0605 | 0)).toBe(true);
    expect(request.addWrite(0xf_ffff_ffff, 2, 0x55_beef, 0)).toBe(true);
    expect(writesOf(request)).toEqual(['1000:78', '1001:0102030405060788', 'fffffffff:efbe']);
    expect(request.data[11]).toBe(0);
  });

  it('are 128 at most', () => {
    const request = new KvmMmioRequest();
    for (let i = 0; i < 128; i++) expect(request.addWrite(0x1000, 1, i, 0)).toBe(true);
    expect(request.addWrite(0x1000, 1, 0, 0)).toBe(false);
    expect(request.nr).toBe(128);
  });

  it('of a block join where they touch, not across a page and not with a gap', () => {
    const request = new KvmMmioRequest();
    request.isBlock = 1;
    for (const gpa of [0xffc, 0xffe, 0x1000, 0x1002, 0x1005, 0x1003]) request.addWrite(gpa, 2, 0x1111, 0);
    expect(writesOf(request)).toEqual(['ffc:11111111', '1000:11111111', '1005:1111', '1003:1111']);
  });

  it('of other instructions do not join', () => {
    const request = new KvmMmioRequest();
    request.addWrite(0x1000, 2, 1, 0);
    request.addWrite(0x1002, 2, 2, 0);
    expect(writesOf(request)).toEqual(['1000:0100', '1002:0200']);
  });

  it('of a block have 2048 bytes, joined to the last one', () => {
    const request = new KvmMmioRequest();
    request.isBlock = 1;
    for (let i = 0; i < 512; i++) expect(request.addWrite(0x1000 + 4 * i, 4, i, 0)).toBe(true);
    expect(request.addWrite(0x1800, 1, 0, 0)).toBe(false);
    expect([request.nr, request.len[0]]).toEqual([1, 2048]);
  });

  it('join a block also when no further piece would fit', () => {
    const request = new KvmMmioRequest();
    for (let i = 0; i < 127; i++) request.addWrite(0x1000, 1, i, 0);
    request.isBlock = 1;
    expect([0x2000, 0x2001, 0x3000].map((gpa) => request.addWrite(gpa, 1, 0, 0))).toEqual([
      true,
      true,
      false,
    ]);
    expect([request.nr, request.len[127]]).toEqual([128, 2]);
  });
});

describe('a new instruction', () => {
  it('begins with nothing gathered, nothing read, and all the room there is', () => {
    const request = new KvmMmioRequest();
    for (let i = 0; i < 128; i++) request.addWrite(0x1000, 8, i, 0);
    Object.assign(request, { needed: 1, cur: 2, isBlock: 1, byCpu: 1, readPos: 3, readEnd: 4 });
    request.begin();
    expect(request).toMatchObject({ needed: 0, nr: 0, cur: 0, isBlock: 0, byCpu: 0, readPos: 0, readEnd: 0 });
    expect(request.addWrite(0x1000, 8, 0x55, 0)).toBe(true);
    expect([request.at[0], request.data[0]]).toEqual([0, 0x55]);
  });
});
