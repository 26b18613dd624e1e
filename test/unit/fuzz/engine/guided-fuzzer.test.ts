import { describe, expect, it } from 'vitest';
import { $counters, EDGE_COUNTERS } from '../../../../src/fuzz/engine/edge-counters.ts';
import { GuidedFuzzer } from '../../../../src/fuzz/engine/guided-fuzzer.ts';
import { ListTarget } from '../../../../src/fuzz/engine/list-target.ts';
import { Prng } from '../../../../src/fuzz/prng.ts';

/** A byte of each level opens the next one: by chance all of them together come once in 2^32 cases of five bytes. */
const SECRET = [0x42, 0x17, 0xc8, 0x9d];
const edges = $counters(SECRET.length + 1);

const target = (): ListTarget<number> =>
  new ListTarget<number>({
    name: 'vault',
    generate: (random) => Array.from({ length: 5 }, () => random.below(256)),
    judge: (bytes) => {
      edges[0]++;
      const closed = SECRET.findIndex((secret, i) => {
        if (bytes[i] !== secret) return true;
        edges[i + 1]++;
        return false;
      });
      return closed < 0 ? ['open'] : [];
    },
    toText: String,
    fromText: Number,
  });

const RUNS = 200_000;
const guided = (seed: number) => new GuidedFuzzer(target().cases, EDGE_COUNTERS, new Prng(seed, 0));

describe('GuidedFuzzer', () => {
  it.each([1, 2, 3])('comes through nested comparisons that chance does not pass (seed %i)', (seed) => {
    const { finding, runs } = guided(seed).run(RUNS);
    expect(finding?.slice(0, SECRET.length)).toEqual(SECRET);
    expect(runs).toBeLessThan(RUNS);
    const plain = target();
    for (let run = 0; run < RUNS; run++) expect(plain.run(seed, run).length).toBe(0);
  });

  it('does the same work for the same seed, whatever it is cut into', () => {
    const texts = (cuts: readonly number[]): string[] => {
      const fuzzer = guided(7);
      return cuts.flatMap((count) => fuzzer.run(count).added.map(({ text }) => text));
    };
    const whole = texts([2000]);
    expect(whole.length).toBeGreaterThan(1);
    expect(texts([1, 999, 500, 500])).toEqual(whole);
    const other = new GuidedFuzzer(target().cases, EDGE_COUNTERS, new Prng(8, 0));
    expect(other.run(2000).added.map(({ text }) => text)).not.toEqual(whole);
  });

  it('begins where a corpus ends', () => {
    const fuzzer = guided(4);
    expect(fuzzer.take('target=vault\nstep=66\nstep=23\nstep=200\n')).not.toBeNull();
    expect(fuzzer.covered.edges).toBe(4);
    expect(fuzzer.take('target=vault\nstep=66\nstep=23\nstep=1\n')).toBeNull();
    expect(fuzzer.run(20_000).finding?.slice(0, SECRET.length)).toEqual(SECRET);
  });

  it('says of a case from outside that it differs', () => {
    const fuzzer = guided(5);
    expect(fuzzer.take(`target=vault\n${SECRET.map((byte) => `step=${byte}`).join('\n')}`)).toBeNull();
    expect(fuzzer.takeFinding()).toEqual(SECRET);
    expect(fuzzer.takeFinding()).toBeNull();
    expect(() => fuzzer.take('step=1')).toThrow(/target=vault is missing/);
  });
});
