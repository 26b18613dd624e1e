/** The report as one page that needs nothing else: the chart and every figure. */
import { chartSvg, escapeXml } from './chart.ts';
import { figure, times } from './numbers.ts';
import type { BenchReport, BenchRow } from './report.ts';
import { engineName, reportHead } from './table.ts';

const STYLE = `body{font-family:system-ui,sans-serif;margin:2em auto;max-width:60em;color:#222;background:#fff}
svg{max-width:100%;height:auto}table{border-collapse:collapse;font-size:.85em}
td,th{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child,td:last-child,th:last-child{text-align:left}`;

function tableRow(row: BenchRow, peers: readonly string[]): string {
  const cells = [
    row.name,
    engineName(row),
    figure(row.median, row.unit),
    `${figure(row.min, row.unit)} … ${figure(row.max, row.unit)}`,
    row.unit,
    ...peers.map((name) => {
      const found = row.peers.find((peer) => peer.name === name);
      return found === undefined ? '' : figure(found.median, row.unit);
    }),
    row.ratio === null ? '' : times(row.ratio),
    row.baseline === undefined ? '' : times(row.baseline.ratio),
    row.about,
  ];
  return `<tr>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`;
}

/** The page. */
export function reportHtml(report: BenchReport): string {
  const peers = report.peers.map(({ name }) => name);
  const heads = [
    'workload',
    'engine',
    'pio86',
    'min … max',
    'unit',
    ...peers,
    '× best peer',
    '× baseline',
    'what',
  ];
  const notes = report.skipped.map(({ name, why }) => `<li>${escapeXml(`${name}: ${why}`)}</li>`);
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><title>pio86 bench</title>',
    `<style>${STYLE}</style></head><body>`,
    '<h1>pio86 bench</h1>',
    `<p>${escapeXml(reportHead(report)).replaceAll('\n', '<br>')}</p>`,
    chartSvg(report) ?? '',
    `<table><tr>${heads.map((head) => `<th>${escapeXml(head)}</th>`).join('')}</tr>`,
    ...report.rows.map((row) => tableRow(row, peers)),
    '</table>',
    ...(notes.length === 0 ? [] : ['<p>Left out:</p><ul>', ...notes, '</ul>']),
    '</body></html>',
    '',
  ].join('\n');
}
