/** Page tables of string-io cases: their bytes, what is refused, and what the model makes of them. */
import { describe, expect, it } from 'vitest';
import { PAGING_BASE } from '../../../src/fuzz/case-layout.ts';
import { type CasePaging, pagingBytes, pagingProblem } from '../../../src/fuzz/case-paging.ts';
import { caseFromText, caseToText } from '../../../src/fuzz/case-text.ts';
import { CaseSource } from '../../../src/fuzz/generate-case.ts';
import { StringIoTarget } from '../../../src/fuzz/targets/string-io.ts';

const PLAIN: CasePaging = { format: '32bit', pse: true, wp: true, flags: 7, directory: [], pages: [] };
const DIRECTORY = PAGING_BASE;
const TABLE = PAGING_BASE + 0x1000;

function words(paging: CasePaging): Map<number, number> {
  const found = new Map<number, number>();
  const bytes = pagingBytes(paging);
  for (let i = 0; i < bytes.length; i += 2) {
    const at = bytes[i] & ~3;
    found.set(at, ((found.get(at) ?? 0) | (bytes[i + 1] << (8 * (bytes[i] & 3)))) >>> 0);
  }
  return found;
}

/** INSB to 0x5000, which the page tables say something about. */
function insb(paging: readonly string[], cpl = 0): string {
  const registers = ['eax', 'ebx', 'ecx', 'esi', 'ebp'].map((name) => `${name}=0`);
  const segments = ['cs=0x100', 'ds=0x400', 'es=0x400', 'fs=0', 'gs=0', 'ss=0x1000'];
  return [
    ...[
      'target=string-io',
      'mode=prot32',
      `cpl=${cpl}`,
      'path=fast',
      'userspace=exit',
      'port-seed=1',
      'code=6c',
    ],
    ...registers,
    ...['edi=0x1000', 'edx=0x80', 'esp=0x8000', 'eip=0x100', 'eflags=0x3002'],
    ...segments.map((segment) => `${segment} limit 0xffff`),
    ...paging,
  ].join('\n');
}

describe('the bytes of page tables', () => {
  it('map the RAM one to one, and the processor’s own tables for the supervisor', () => {
    const found = words(PLAIN);
    expect(found.get(DIRECTORY)).toBe(TABLE | 7);
    expect(found.get(TABLE + 4 * 5)).toBe(0x5007);
    expect(found.get(TABLE + 4 * (PAGING_BASE / 0x1000 - 1))).toBe((PAGING_BASE - 0x1000) | 0x63);
    expect(found.get(TABLE + (4 * PAGING_BASE) / 0x1000)).toBeUndefined();
  });

  it('hold what the case lists: the last of several', () => {
    const pages = [
      { page: 5, frame: 9, flags: 5 },
      { page: 5, frame: 8, flags: 6 },
    ];
    const directory = [{ index: 3, frame: 0, flags: 0x87 }];
    const found = words({ ...PLAIN, format: 'pae', directory, pages });
    expect(found.get(TABLE + 8 * 5)).toBe(0x8006);
    expect(found.get(DIRECTORY + 8 * 3)).toBe(0x87);
    expect(found.get(PAGING_BASE + 0x2000)).toBe(DIRECTORY | 1);
  });
});

describe('page tables that no case may have', () => {
  it.each<[string, Partial<CasePaging>]>([
    ['flags of twelve bits and more', { flags: 0x1007 }],
    ['an entry behind the directory', { directory: [{ index: 1024, frame: 0, flags: 7 }] }],
    [
      'an entry behind the directory of PAE',
      { format: 'pae', directory: [{ index: 512, frame: 0, flags: 7 }] },
    ],
    ['the page of the IDT', { pages: [{ page: 0x112, frame: 0, flags: 7 }] }],
    ['a frame that the case does not have', { pages: [{ page: 5, frame: 0x111, flags: 7 }] }],
    ['PAT', { pages: [{ page: 5, frame: 5, flags: 0x87 }] }],
  ])('%s', (_what, change) => {
    expect(pagingProblem(PLAIN)).toBeNull();
    expect(pagingProblem({ ...PLAIN, ...change })).not.toBeNull();
  });

  it.each([
    ['paging=64bit flags 0x7', /paging needs/],
    ['page=0x5 frame 0x5 flags 0x7', /pages without a paging line/],
    ['paging=pae flags 0x7\npage=0x5', /page needs "PAGE frame FRAME flags FLAGS"/],
    ['paging=pae flags 0x7\ndirectory=0x5 frame x flags 1', /directory needs numbers/],
  ])('as text: %s', (line, message) => {
    expect(() => caseFromText(insb([line]))).toThrow(message);
  });

  it('real mode has none', () => {
    const text = insb(['paging=32bit flags 0x7']).replace('prot32', 'real');
    expect(() => caseFromText(text)).toThrow(/real mode has no paging/);
  });
});

describe('a case with paging', () => {
  const target = new StringIoTarget();
  it.each([
    ['32bit flags 0x7 wp', [], 0, 0],
    ['pae flags 0x7 wp', [], 3, 0],
    ['32bit flags 0x7 wp', ['page=0x5 frame 0x5 flags 0x6'], 0, 1],
    ['32bit flags 0x7 wp', ['page=0x5 frame 0x5 flags 0x5'], 0, 1],
    ['32bit flags 0x7', ['page=0x5 frame 0x5 flags 0x5'], 0, 0],
    ['32bit flags 0x7', ['page=0x5 frame 0x5 flags 0x5'], 3, 1],
    ['32bit flags 0x7 wp', ['page=0x5 frame 0x5 flags 0x3'], 0, 0],
    ['32bit flags 0x7 wp', ['page=0x5 frame 0x5 flags 0x3'], 3, 1],
    ['32bit flags 0x7 pse', ['directory=0x0 frame 0x0 flags 0x87', 'page=0x5 frame 0x5 flags 0x6'], 3, 0],
    ['32bit flags 0x7', ['directory=0x0 frame 0x0 flags 0x87', 'page=0x5 frame 0x5 flags 0x6'], 3, 1],
    ['pae flags 0x7', ['directory=0x0 frame 0x0 flags 0x87', 'page=0x5 frame 0x5 flags 0x6'], 3, 0],
  ])('paging=%s %j at level %d: %d page faults before the HLT', (paging, pages, cpl, faults) => {
    const verdict = target.replay(insb([`paging=${paging}`, ...pages], cpl));
    // At level 3 the HLT behind the code is a fault of its own.
    const own = faults === 0 && cpl === 3 ? 1 : faults;
    expect(verdict).toMatchObject({ isJudged: true, differences: [], faults: own });
  });

  it('is a fifth of all cases, and nearly all are judged', () => {
    const cases = new CaseSource(7);
    const counts = { paged: 0, judged: 0 };
    for (let run = 0; run < 128 * 1600; run += 128) {
      const test = cases.at(run);
      if (test.paging === null) continue;
      counts.paged++;
      if (target.replay(caseToText(test).join('\n')).isJudged) counts.judged++;
    }
    expect(counts.paged).toBeGreaterThan(1600 * 0.15);
    expect(counts.paged).toBeLessThan(1600 * 0.25);
    expect(counts.judged / counts.paged).toBeGreaterThan(0.9);
  });
});
