import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, sources } from '../scripts/kvm-tags.ts';

/** Folder of src/ → folders it may import. `uapi` and `errors` are allowed everywhere. */
const TOOLS = [
  'loaders',
  'trace',
  'conform',
  'explain',
  'bench',
  'fuzz',
  'ioports',
  'introspect',
  'diff',
  'verify',
];
const CORE = ['decoder', 'cpu', 'vmx', 'emulate', 'bus', 'devices', 'jit', 'kvm', 'boards'];
const ALLOWED: Record<string, readonly string[]> = {
  uapi: [],
  bus: [],
  devices: ['bus'],
  decoder: [],
  cpu: ['decoder'],
  emulate: ['cpu', 'decoder', 'bus'],
  vmx: ['emulate', 'cpu'],
  jit: ['cpu', 'decoder'],
  kvm: ['decoder', 'cpu', 'vmx', 'emulate', 'bus', 'devices', 'jit'],
  boards: ['kvm', 'devices', 'bus', 'emulate'],
  ...Object.fromEntries(TOOLS.map((t) => [t, [...CORE, 'trace']])),
  'host-kvm': ['kvm'],
  cli: ['boards', ...TOOLS, 'kvm', 'bus', 'host-kvm'],
};

/** Imports of one file that stay inside src/, as [folder of the importer, folder imported]. */
function imports(path: string): [string, string, string][] {
  const src = join(ROOT, 'src');
  const text = readFileSync(path, 'utf8');
  const own = relative(src, path).includes('/') ? relative(src, path).split('/')[0] : '';
  const found: [string, string, string][] = [];
  for (const m of text.matchAll(/(?:from|import\()\s*'(\.[^']*)'/g)) {
    const target = relative(src, resolve(dirname(path), m[1] ?? ''));
    if (target.startsWith('..')) continue;
    const folder = target.includes('/') ? target.split('/')[0] : target.replace(/\.ts$/, '');
    found.push([own ?? '', folder ?? '', target]);
  }
  return found;
}

function violations(): string[] {
  const bad: string[] = [];
  for (const path of sources(join(ROOT, 'src'))) {
    for (const [from, to, target] of imports(path)) {
      if (from === '' || from === to || to === 'uapi' || to === 'errors') continue;
      if (!(ALLOWED[from] ?? []).includes(to)) bad.push(`${relative(ROOT, path)} imports ${target}`);
    }
  }
  return bad;
}

describe('the layer rule', () => {
  it('holds for every import: decoder → cpu → vmx → emulate → bus → devices, and only kvm/ knows them all', () => {
    expect(violations()).toEqual([]);
  });

  it('knows every folder of src/', () => {
    const folders = new Set(
      sources(join(ROOT, 'src'))
        .map((p) => relative(join(ROOT, 'src'), p))
        .filter((p) => p.includes('/'))
        .map((p) => p.split('/')[0] ?? ''),
    );
    expect([...folders].filter((f) => !(f in ALLOWED))).toEqual([]);
  });

  it('lets only decoder/iced.ts import iced-x86, and only when somebody asks for text', () => {
    const users = sources(join(ROOT, 'src')).filter((p) => /'iced-x86'/.test(readFileSync(p, 'utf8')));
    expect(users.map((p) => relative(ROOT, p))).toEqual(['src/decoder/iced.ts']);
    expect(readFileSync(users[0] ?? '', 'utf8')).not.toMatch(/^import (?!type ).*iced-x86/m);
  });

  it('lets host-kvm see KVM’s API interfaces and nothing else of kvm/', () => {
    const seen = sources(join(ROOT, 'src', 'host-kvm')).flatMap((path) => imports(path));
    expect([...new Set(seen.filter(([, to]) => to === 'kvm').map(([, , target]) => target))]).toEqual([
      'kvm/api.ts',
    ]);
  });

  it('lets only host-kvm/libc.ts import koffi, and only when it is asked for', () => {
    const users = sources(join(ROOT, 'src')).filter((p) => /['"]koffi['"]\)?/.test(readFileSync(p, 'utf8')));
    expect(users.map((p) => relative(ROOT, p))).toEqual(['src/host-kvm/libc.ts']);
    expect(readFileSync(users[0] ?? '', 'utf8')).not.toMatch(/^import .*koffi/m);
  });

  it('keeps the host clock inside cli/ and bench/', () => {
    const users = sources(join(ROOT, 'src'))
      .filter((p) =>
        /Date\.now\(|performance\.now\(|process\.hrtime/.test(
          readFileSync(p, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
        ),
      )
      .map((p) => relative(join(ROOT, 'src'), p).split('/')[0]);
    expect(users.filter((f) => f !== 'cli' && f !== 'bench')).toEqual([]);
  });
});
