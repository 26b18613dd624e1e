import { beforeEach, describe, expect, it } from 'vitest';
import { CoverageMap, FeatureSet } from '../../../../src/fuzz/engine/coverage-map.ts';
import {
  $comparisons,
  $counters,
  $equal,
  $left,
  $order,
  EDGE_COUNTERS,
} from '../../../../src/fuzz/engine/edge-counters.ts';

const edges = $counters(6);
const site = $comparisons(2);
let map: CoverageMap;
beforeEach(() => {
  map = new CoverageMap(EDGE_COUNTERS);
  map.clear();
});

function isNewWith(count: number): boolean {
  map.clear();
  edges[5] = count;
  return map.isNew();
}

describe('CoverageMap', () => {
  it('takes an edge for news, the same again not', () => {
    expect(isNewWith(1)).toBe(true);
    expect(isNewWith(1)).toBe(false);
    expect(isNewWith(0)).toBe(false);
  });

  it('tells AFL’s eight classes of counts apart and nothing between', () => {
    const news = Array.from({ length: 255 }, (_, i) => i + 1).filter((count) => isNewWith(count));
    expect(news).toEqual([1, 2, 3, 4, 8, 16, 32, 128]);
  });

  it('gives every edge with its class a number of its own', () => {
    edges[0] = 1;
    edges[1] = 1;
    map.isNew();
    const [first, second] = map.features();
    map.clear();
    edges[0] = 200;
    map.isNew();
    expect(map.features()).toHaveLength(1);
    const known = new FeatureSet();
    expect(known.add([first, second, ...map.features()])).toBe(3);
    expect(known.edges).toBe(2);
    expect(known.add([second])).toBe(0);
  });

  it('counts a loop of 256 turns as one that turned often', () => {
    for (let i = 0; i < 256; i++) edges[2]++;
    expect(map.isNew()).toBe(true);
    expect(map.features()).toHaveLength(1);
  });

  it('takes it for news that a comparison came nearer', () => {
    const isNewFor = (left: number): boolean => {
      map.clear();
      expect($left(site, left) === $equal(site, 0xff00)).toBe(left === 0xff00);
      return map.isNew();
    };
    expect(isNewFor(0)).toBe(true);
    expect(isNewFor(0x00ff_0000 ^ 0xff00)).toBe(false);
    expect(isNewFor(0x8000)).toBe(true);
    expect(isNewFor(0xfe00)).toBe(true);
    expect(isNewFor(0xff00)).toBe(true);
    expect(isNewFor(0x7f00)).toBe(false);
  });

  it('measures order by the difference, and lets other values than numbers through', () => {
    const isNewFor = (left: number | null): boolean => {
      map.clear();
      $left(site + 1, left);
      expect($order(site + 1, 1000)).toBe(1000);
      return map.isNew();
    };
    expect(isNewFor(0)).toBe(true);
    expect(isNewFor(1)).toBe(false);
    expect(isNewFor(999)).toBe(true);
    expect(isNewFor(null)).toBe(false);
  });
});
