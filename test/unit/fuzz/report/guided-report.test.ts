import { expect, it } from 'vitest';
import type { GuidedState } from '../../../../src/fuzz/engine/guided-campaign.ts';
import {
  PLOT_HEAD,
  plotRow,
  progressLine,
  reportGuided,
  screenLines,
} from '../../../../src/fuzz/report/guided-report.ts';

const STATE: GuidedState = {
  runs: 5000,
  elapsedMs: 3_723_000,
  counts: {},
  finding: null,
  edges: 300,
  allEdges: 1200,
  features: 900,
  corpus: 40,
  added: 30,
  favoured: 20,
  cycles: 2,
  stability: 0.975,
  lastEdgeMs: 3_720_000,
};

it('shows on a screen what fuzzers show, within 79 columns', () => {
  const lines = screenLines('pio86 fuzz bus', STATE);
  expect(lines.join('\n')).toMatch(/run time +1:02:03 .*exec\/s +1\n/);
  expect(lines.join('\n')).toMatch(/edges +300 of 1200 \(25\.0 %\) +features +900\n/);
  expect(lines.join('\n')).toMatch(/last new edge +0:00:03 ago +stability +97\.5 %\n/);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(80);
  expect(screenLines('', { ...STATE, lastEdgeMs: null }).join()).toContain('none yet');
});

it('gives the plot file a value for every column', () => {
  expect(plotRow(STATE)).toBe('3723.0,5000,1,300,1200,900,40,20,2,0.975,0');
  expect(plotRow(STATE).split(',')).toHaveLength(PLOT_HEAD.split(',').length);
  expect(progressLine(STATE)).toBe(
    '#5000  edges 300/1200  features 900  corpus 40  exec/s 1  stability 97.5 %  cycles 2',
  );
});

it('prints a finding so that the whole output can be replayed', () => {
  const lines: string[] = [];
  const finding = { lines: ['target=bus', 'step=x'], differences: ['a is b'] };
  const out = { line: (text: string) => lines.push(text) };
  reportGuided({ target: 'bus', seed: 1, json: false }, { ...STATE, finding }, out);
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual(finding.lines);
  expect(lines).toContain('# a is b');
});
