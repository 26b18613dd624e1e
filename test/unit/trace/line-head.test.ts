import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/bus/clock.ts';
import { Cpu } from '../../../src/cpu/cpu.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { SEG_CS } from '../../../src/decoder/insn.ts';
import { LineHead } from '../../../src/trace/line-head.ts';

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

function expected(now: number, cs: number, eip: number): string {
  const nanoseconds = String(now % 1e9).padStart(9, '0');
  const ip = eip >>> 0 > 0xffff ? hex(eip, 8) : hex(eip, 4);
  return `[${Math.floor(now / 1e9)}.${nanoseconds}] ${hex(cs, 4)}:${ip}  `;
}

describe('LineHead', () => {
  it('is the time in seconds and CS:IP, whatever the line before was', () => {
    // Steps in ticks of 10 ns: within a microsecond, across some, and to where seconds have more digits.
    const step = fc.oneof(fc.nat(3), fc.nat(250), fc.nat(2_000_000_000));
    const place = fc.tuple(fc.constantFrom(0, 0x10, 0xf000, 0xffff), fc.integer());
    const moves = fc.tuple(step, fc.option(place));
    fc.assert(
      fc.property(fc.array(moves, { maxLength: 40 }), (all) => {
        const cpu = new Cpu(new GuestMemory());
        const clock = new VirtualClock();
        const head = new LineHead(clock, cpu);
        for (const [ticks, place] of all) {
          clock.advance(ticks);
          if (place !== null) [cpu.segSelector[SEG_CS], cpu.eip] = place;
          const text = Buffer.from(head.current()).toString('latin1');
          expect(text).toBe(expected(clock.nowNs, cpu.segSelector[SEG_CS], cpu.eip));
        }
      }),
    );
  });
});
