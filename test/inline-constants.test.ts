import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../scripts/kvm-tags.ts';

const FILES = {
  'package.json': '{"type":"module"}',
  'uapi/ports.js': 'export const PORT = 0x20;\nexport const LOW = -1;\nexport const NAME = "x";\n',
  'decoder/op.js': 'export const Op = { Add8: 7, Jz: 9 };\n',
  'cpu/hot.js': `import { PORT as AT, LOW, NAME } from '../uapi/ports.js';
import { Op } from '../decoder/op.js';
/** {@link AT} stays. */
const SHIFT = 1_0;
const MASK = (1 << SHIFT) - 1;
const WIDE = 2 ** 60;
export const OWN = 0xc0000000 | 0;
export const key = { AT: 1, LOW };
export function hot(op, insn) {
  switch (op) {
    case Op.Add8:
      return \`AT \${AT} of MASK \` + 'LOW' + LOW + NAME + WIDE;
    default:
      return insn.AT - LOW & MASK | OWN | Op[insn.name];
  }
}
`,
};

it('replaces constants where they are read, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pio86-inline-'));
  try {
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    execFileSync(process.execPath, [join(ROOT, 'scripts/inline-constants.mjs'), folder], { stdio: 'pipe' });
    const expected = FILES['cpu/hot.js']
      .replace('(1 << SHIFT)', '(1 << 10)')
      .replace('case Op.Add8', 'case 7')
      .replace('{AT} of', '{32} of')
      .replace('+ LOW', '+ (-1)')
      .replace('- LOW & MASK | OWN', '- (-1) & 1023 | (-1073741824)');
    expect(readFileSync(join(folder, 'cpu/hot.js'), 'utf8')).toBe(expected);
    expect(readFileSync(join(folder, 'uapi/ports.js'), 'utf8')).toBe(FILES['uapi/ports.js']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
