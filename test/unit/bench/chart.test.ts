import { describe, expect, it } from 'vitest';
import { chartSvg } from '../../../src/bench/report/chart.ts';
import { reportHtml } from '../../../src/bench/report/html.ts';
import { benchRow } from '../../../src/bench/report/report.ts';
import { OUT, RACE, RACERS, reportOf, START } from './report-fixture.ts';

/** Widths of the bars, in the order of the document: the background and the legend are left out. */
function widths(svg: string): number[] {
  return [...svg.matchAll(/<rect x="170" y="\d+" width="([\d.]+)" height="12"/g)].map(([, width]) =>
    Number(width),
  );
}

describe('chartSvg', () => {
  it('draws a bar for pio86 and each peer, longer where the rate is higher', () => {
    const svg = chartSvg(reportOf([RACE], RACERS)) ?? '';
    const [ours, v86, qemu] = widths(svg);
    expect(widths(svg)).toHaveLength(3);
    expect(ours).toBeGreaterThan(v86 ?? 0);
    expect(v86).toBeGreaterThan(qemu ?? 0);
  });

  it('draws both engines in one block, with the peers once', () => {
    const slow = benchRow({ ...OUT, engine: 'interpreter' }, [8e6], []);
    const report = { ...reportOf([RACE, { ...slow, peers: RACE.peers }], RACERS), jit: 'both' } as const;
    const svg = chartSvg(report) ?? '';
    const [generated = 0, interpreted = 0, v86 = 0] = widths(svg);
    expect(widths(svg)).toHaveLength(4);
    expect(generated).toBeGreaterThan(interpreted);
    expect(interpreted).toBeLessThan(v86);
    expect(svg.match(/>out_pic</g)).toHaveLength(1);
    expect(svg).toContain('pio86 1.2.3 --jit both');
    expect(svg.match(/>pio86( --jit off)?</g)).toEqual(['>pio86<', '>pio86 --jit off<']);
  });

  it('has a logarithmic axis: ten times as fast is the same step everywhere', () => {
    const rows = [1e6, 1e7, 1e8].map((rate) => benchRow({ ...OUT, name: `${rate}` }, [rate], []));
    const [a = 0, b = 0, c = 0] = widths(chartSvg(reportOf(rows)) ?? '');
    expect(c - b).toBeCloseTo(b - a, 0);
  });

  it('escapes what it is told', () => {
    const svg = chartSvg(reportOf([RACE])) ?? '';
    expect(svg).toContain('a machine &amp; its cores');
    expect(svg).not.toMatch(/&(?!amp;|lt;|gt;|quot;)/);
  });

  it('is nothing without rates', () => {
    expect(chartSvg(reportOf([benchRow(START, [250], [])]))).toBeNull();
  });

  it('copes with one sample of one rate', () => {
    expect(chartSvg(reportOf([benchRow(OUT, [1e6], [])]))).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe('reportHtml', () => {
  it('is a page with the chart, every figure and what was left out', () => {
    const html = reportHtml(reportOf([RACE, benchRow(START, [250], [])], RACERS));
    expect(html).toContain('<svg');
    expect(html).toContain('<td>out_pic</td><td>generated</td>');
    expect(html).toContain('<td>2.00×</td>');
    expect(html).toContain('<td>a &lt;small&gt; guest</td>');
    expect(html).toContain('<li>bochs: bochs is not installed</li>');
  });

  it('does without a chart when there are no rates', () => {
    expect(reportHtml(reportOf([benchRow(START, [250], [])]))).not.toContain('<svg');
  });
});
