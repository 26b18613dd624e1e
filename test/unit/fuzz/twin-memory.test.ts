import { describe, expect, it } from 'vitest';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { TwinMemory } from '../../../src/fuzz/twin-memory.ts';

function twins(): { guest: GuestMemory; memory: TwinMemory } {
  const guest = new GuestMemory();
  guest.addSlot(0, 0, new Uint8Array(0x3000).fill(9), false);
  const memory = new TwinMemory(guest);
  memory.setUp([0x10, 1, 0x11, 2]);
  return { guest, memory };
}

describe('TwinMemory', () => {
  it('agrees when both sides stored the same', () => {
    const { guest, memory } = twins();
    guest.writeByte(0x1234, 7);
    memory.model.write(0x1234, 7);
    expect(memory.compare()).toBeNull();
  });

  it.each<[string, (guest: GuestMemory, memory: TwinMemory) => void, number, number]>([
    ['only the guest stored', (guest) => guest.writeByte(0x2fff, 7), 9, 7],
    ['only the model stored', (_guest, memory) => memory.model.write(0x2fff, 7), 7, 9],
  ])('tells where they differ when %s', (_what, store, expected, got) => {
    const { guest, memory } = twins();
    store(guest, memory);
    expect(memory.compare()).toEqual({ addr: 0x2fff, expected, got });
  });

  it('takes everything back, setup included', () => {
    const { guest, memory } = twins();
    guest.writeByte(0x1000, 1);
    memory.model.write(0x2000, 1);
    memory.model.write(0x2000, 2);
    memory.restore(false);
    memory.setUp([]);
    expect(guest.ram.every((byte) => byte === 9)).toBe(true);
    expect(memory.model.bytes.every((byte) => byte === 9)).toBe(true);
  });

  it('takes back what both sides stored alike, byte by byte', () => {
    const { guest, memory } = twins();
    for (const addr of [0xfff, 0x1000]) {
      guest.writeByte(addr, 1);
      memory.model.write(addr, 1);
    }
    expect(memory.compare()).toBeNull();
    memory.restore(true);
    expect([...guest.ram.subarray(0xffe, 0x1002)]).toEqual([9, 9, 9, 9]);
    guest.writeByte(0x1000, 1);
    expect(memory.compare()).toMatchObject({ addr: 0x1000, got: 1 });
  });
});
