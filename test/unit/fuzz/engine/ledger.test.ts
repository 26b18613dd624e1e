import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../../src/fuzz/engine/ledger.ts';

describe('Ledger', () => {
  it('hands out every case once, also what came back undone', () => {
    const ledger = new Ledger('string-io', 5);
    const [a, b] = [ledger.take(100, 40), ledger.take(100, 40)];
    expect([a, b]).toEqual([
      { first: 0, count: 40 },
      { first: 40, count: 40 },
    ]);
    if (a === null || b === null) throw new Error('nothing handed out');
    ledger.finish(b, 40);
    ledger.finish(a, 10);
    expect(ledger.total).toBe(50);
    expect(ledger.take(100, 40)).toEqual({ first: 10, count: 30 });
    expect(ledger.take(100, 40)).toEqual({ first: 80, count: 20 });
    expect(ledger.take(100, 40)).toBeNull();
  });

  it('goes on from its own text', () => {
    const ledger = Ledger.parse('# a comment\ntarget=bus\nseed=7\ndone=0+10\ndone=20+5\ndone=10+10\n');
    expect(ledger.lines().slice(1)).toEqual(['target=bus', 'seed=7', 'done=0+25']);
    expect(Ledger.parse(ledger.lines().join('\n')).take(100, 100)).toEqual({ first: 25, count: 75 });
  });

  it('sums up what its cases did, over its text too', () => {
    const ledger = Ledger.parse('target=jit\nseed=7\ncount=40 blocks\ncount=2 host cannot: so\n');
    const range = ledger.take(10, 10);
    if (range === null) throw new Error('nothing handed out');
    ledger.finish(range, 10, { blocks: 5, ticks: 100 });
    const counts = { blocks: 45, 'host cannot: so': 2, ticks: 100 };
    expect(ledger.counts).toEqual(counts);
    expect(Ledger.parse(ledger.lines().join('\n')).counts).toEqual(counts);
  });

  it.each([
    ['target=bus\nseed=1\nnonsense', /line 3: "nonsense"/],
    ['target=bus', /target= or seed= is missing/],
  ])('refuses %j', (text, message) => {
    expect(() => Ledger.parse(text)).toThrow(message);
  });
});
