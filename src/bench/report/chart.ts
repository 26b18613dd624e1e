/**
 * The rates of a report as bars on a logarithmic axis, an SVG document: a block for each benchmark, a bar for each engine of
 * pio86 and each peer, its length the median and the thin line through its end the smallest and the largest sample.
 */
import { shortNumber, times } from './numbers.ts';
import { type BenchReport, type BenchRow, contenderName, type PeerResult } from './report.ts';

const WIDTH = 900;
const LEFT = 170;
const RIGHT = 130;
const BAR = 14;
const BLOCK_GAP = 12;
const TOP = 76;
const FOOT = 34;
const COLORS: Readonly<Record<string, string>> = {
  pio86: '#0b6bcb',
  'pio86 --jit off': '#7fb2e5',
  v86: '#e8a33d',
  qemu: '#d1495b',
  bochs: '#5a9e6f',
  kvm: '#7d6b9e',
};
const OTHER_COLOR = '#888888';

interface Bar extends Pick<PeerResult, 'name' | 'median' | 'min' | 'max'> {
  readonly note: string;
}

/** Text as it stands in a document. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** The rows of one benchmark: one for each engine, with the same peers. */
type Block = readonly [BenchRow, ...BenchRow[]];

function blocksOf(rows: readonly BenchRow[]): Block[] {
  const blocks = new Map<string, [BenchRow, ...BenchRow[]]>();
  for (const row of rows) {
    const block = blocks.get(row.name);
    if (block === undefined) blocks.set(row.name, [row]);
    else block.push(row);
  }
  return [...blocks.values()];
}

function bars(block: Block): Bar[] {
  const ours = block.map(({ engine, median, min, max, ratio, bestPeer }): Bar => {
    const note = ratio === null ? '' : ` (${times(ratio)} ${bestPeer ?? ''})`;
    return { name: contenderName(engine), median, min, max, note };
  });
  return [...ours, ...block[0].peers.map((peer) => ({ ...peer, note: '' }))];
}

function text(x: number, y: number, content: string, extra = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${extra}>${escapeXml(content)}</text>`;
}

/** Where a value stands on the axis. */
type Scale = (value: number) => number;

function axis(blocks: readonly Block[]): { readonly scale: Scale; readonly decades: readonly number[] } {
  const values = blocks.flatMap((block) => bars(block).flatMap(({ min, max }) => [min, max]));
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const unit = (WIDTH - LEFT - RIGHT) / (high - low);
  const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  return { scale: (value) => LEFT + (Math.log10(value) - low) * unit, decades };
}

function barSvg({ name, median, min, max, note }: Bar, y: number, scale: Scale): string {
  const end = scale(median);
  const mid = y + BAR / 2;
  const color = COLORS[name] ?? OTHER_COLOR;
  return [
    `<rect x="${LEFT}" y="${y}" width="${(end - LEFT).toFixed(1)}" height="${BAR - 2}" fill="${color}"/>`,
    `<path d="M${scale(min).toFixed(1)} ${mid - 1}H${scale(max).toFixed(1)}" stroke="#222"/>`,
    text(Math.max(end, scale(max)) + 5, y + BAR - 4, `${shortNumber(median)}${note}`),
  ].join('');
}

function legend(blocks: readonly Block[], peers: BenchReport['peers']): string {
  const ours = new Set(blocks.flatMap((block) => block.map(({ engine }) => contenderName(engine))));
  const names = [...ours, ...peers.map(({ name }) => name)];
  const labels = [...ours, ...peers.map(({ version }) => version)];
  const step = (WIDTH - LEFT) / Math.max(5, names.length);
  return names
    .map((name, i) => {
      const x = LEFT + i * step;
      const color = COLORS[name] ?? OTHER_COLOR;
      return `<rect x="${x}" y="40" width="10" height="10" fill="${color}"/>${text(x + 14, 49, labels[i])}`;
    })
    .join('');
}

/** The chart; null when the report has no rates. */
export function chartSvg(report: BenchReport): string | null {
  const rows = report.rows.filter(({ better }) => better === 'more');
  if (rows.length === 0) return null;
  const blocks = blocksOf(rows);
  const { scale, decades } = axis(blocks);
  const parts: string[] = [];
  let y = TOP;
  for (const block of blocks) {
    const [{ name, unit }] = block;
    const shown = bars(block);
    const middle = y + (shown.length * BAR) / 2;
    parts.push(text(LEFT - 8, middle - 1, name, ' text-anchor="end" font-weight="bold"'));
    parts.push(text(LEFT - 8, middle + 11, unit, ' text-anchor="end" fill="#666"'));
    for (const bar of shown) {
      parts.push(barSvg(bar, y, scale));
      y += BAR;
    }
    // A lone bar leaves no room for its two lines of text.
    y += BLOCK_GAP + (shown.length === 1 ? BAR / 2 : 0);
  }
  const lines = decades.map((value) => {
    const x = scale(value).toFixed(1);
    const line = `<path d="M${x} ${TOP - 8}V${y}" stroke="#ddd"/>`;
    return line + text(scale(value), TOP - 12, shortNumber(value), ' text-anchor="middle" fill="#666"');
  });
  const head = `pio86 ${report.version} --jit ${report.jit}, ${report.date.slice(0, 10)}, ${report.machine}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + FOOT}" width="${WIDTH}" height="${y + FOOT}" ` +
      'font-family="system-ui, sans-serif" font-size="11">',
    `<title>${escapeXml(head)}</title>`,
    `<rect width="${WIDTH}" height="${y + FOOT}" fill="#fff"/>`,
    text(12, 22, head, ' font-size="14"'),
    legend(blocks, report.peers),
    ...lines,
    ...parts,
    text(
      12,
      y + FOOT - 10,
      'Units a second, logarithmic; longer is faster. Thin lines: smallest and largest sample.',
    ),
    '</svg>',
    '',
  ].join('\n');
}
