/**
 * What it costs that probes could be attached: the built dist/ against a copy of it without the tables of functions
 * through which probes are attached (every `x.fn.someFunction(…)` made a plain call). Interleaved pairs of processes, and
 * the median of their ratios; above 1 the tables are slower.
 *
 *     npm run bench:probes -- [PAIRS] [WORKLOAD …]
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = ['bus', 'devices', 'emulate', 'kvm', 'vmx'];
const CALL = /\b(?:[A-Za-z_]+\.)*fn\.([A-Za-z0-9_]+)\(/g;
const EXPORT = /^export function ([A-Za-z0-9_]+)\(/gm;

/** Where each exported function lives. */
function exportedFunctions(dist) {
  const home = new Map();
  for (const file of scripts(dist)) {
    for (const [, name] of readFileSync(file, 'utf8').matchAll(EXPORT)) home.set(name, file);
  }
  return home;
}

function scripts(dist) {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(dist, folder))
      .filter((name) => name.endsWith('.js'))
      .map((name) => join(dist, folder, name)),
  );
}

/** Rewrites one file. @returns how many calls no longer go through a table. */
function makeDirect(file, home) {
  const text = readFileSync(file, 'utf8');
  const imported = new Map();
  let calls = 0;
  const body = text.replace(CALL, (whole, name) => {
    const from = home.get(name);
    if (from === undefined) return whole;
    calls++;
    if (from === file) return `${name}(`;
    imported.set(name, from);
    return `direct_${name}(`;
  });
  const lines = [...imported].map(([name, from]) => {
    const path = relative(dirname(file), from);
    return `import { ${name} as direct_${name} } from '${path.startsWith('.') ? path : `./${path}`}';`;
  });
  if (calls > 0) writeFileSync(file, `${lines.join('\n')}\n${body}`);
  return calls;
}

/** One process, one workload. @returns units a second. */
function rateOf(root, workload) {
  const args = [join(root, 'dist/cli/main.js'), 'bench', workload, '--samples', '3', '--json'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`bench ${workload}: exit ${status}: ${stderr}`);
  return JSON.parse(stdout).rows[0].median;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}

const pairs = Number(process.argv[2] ?? 15);
if (!Number.isInteger(pairs) || pairs < 1) throw new Error(`probe-cost: PAIRS is a whole number above 0`);
const chosen = process.argv.slice(3);
const workloads = chosen.length > 0 ? chosen : ['out_pic', 'outsb', 'crc'];
const direct = mkdtempSync(join(tmpdir(), 'pio86-direct-'));
try {
  for (const name of ['dist', 'bench/roms', 'package.json'])
    cpSync(join(ROOT, name), join(direct, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(direct, 'node_modules'));
  const dist = join(direct, 'dist');
  const home = exportedFunctions(dist);
  const calls = scripts(dist).reduce((sum, file) => sum + makeDirect(file, home), 0);
  console.log(`${calls} calls through tables made direct; ${pairs} interleaved pairs of processes each`);
  for (const workload of workloads) {
    const ratios = [];
    for (let i = 0; i < pairs; i++) {
      // Who goes first alternates, so that a drift of the machine favours neither.
      const first = i % 2 === 0 ? ROOT : direct;
      const a = rateOf(first, workload);
      const b = rateOf(first === ROOT ? direct : ROOT, workload);
      ratios.push(first === ROOT ? b / a : a / b);
    }
    const spread = `${Math.min(...ratios).toFixed(3)} … ${Math.max(...ratios).toFixed(3)}`;
    console.log(`${workload}: time with tables / without = ${median(ratios).toFixed(3)} (${spread})`);
  }
} finally {
  rmSync(direct, { recursive: true, force: true });
}
