/** `runConform` itself: it can fail, and what is broken is said in one line without losing the rest. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { conform } from './lines.ts';

const vectors = join(import.meta.dirname, '../vectors/kvm');
const folder = mkdtempSync(join(tmpdir(), 'conform-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function linesOf(name: string, count: number): string[] {
  return gunzipSync(readFileSync(join(vectors, name)))
    .toString('utf8')
    .split('\n')
    .slice(0, count);
}

/** One sst80286 case: `in al, dx` at 0000:0100, all ones read. */
const IN_AL_DX = {
  i: 7,
  name: 'in al,dx',
  bytes: 'ecf4',
  in: {
    regs: {
      ax: 1,
      bx: 2,
      cx: 3,
      dx: 0x3f8,
      cs: 0,
      ss: 0x20,
      ds: 0,
      es: 0,
      sp: 0x100,
      bp: 0,
      si: 0,
      di: 0,
      ip: 0x100,
      flags: 2,
    },
    ram: [
      [0x100, 0xec],
      [0x101, 0xf4],
    ],
  },
  out: { regs: { ax: 0xff, ip: 0x102 }, ram: [] as number[][] },
  io: [['in', 0x3f8, 1, 0xff]],
};

describe('a planted wrong vector fails', () => {
  it.each<[string, (test: typeof IN_AL_DX) => void, string]>([
    ['a register', (test) => Object.assign(test.out.regs, { ax: 0xfe }), 'ax  expected 0x00fe  got 0x00ff'],
    [
      'an untouched register',
      (test) => Object.assign(test.out.regs, { bx: 3 }),
      'bx  expected 0x0003  got 0x0002',
    ],
    ['IP', (test) => Object.assign(test.out.regs, { ip: 0x101 }), 'ip  expected 0x0101  got 0x0102'],
    [
      'a flag',
      (test) => Object.assign(test.out.regs, { flags: 3 }),
      'flags  expected 0x0003 (CF)  got 0x0002 (-)',
    ],
    ['a store', (test) => test.out.ram.push([0x54321, 1]), 'mem 0x54321  expected 0x01  got 0x00'],
    ['a port', (test) => (test.io[0][1] = 0x3f9), 'io 0  expected in port 0x03f9 size 1 value 0xff'],
    ['an access too many', (test) => test.io.push(['in', 1, 1, 255]), 'io 1  expected in port 0x0001'],
    ['an access too few', (test) => (test.io = []), 'io 0  expected no access'],
  ])('in %s', async (_what, plant, shown) => {
    const test = structuredClone(IN_AL_DX);
    plant(test);
    const { code, lines, text } = await conform([write('planted.jsonl', JSON.stringify(test))]);
    expect(code).toBe(1);
    expect(text).toContain('FAIL planted i=7 (line 1)  ec f4  in al,dx');
    expect(text).toContain(shown);
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
  });

  it('while the true one passes', async () => {
    const { code, lines } = await conform([write('true.jsonl', JSON.stringify(IN_AL_DX))]);
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    expect(code).toBe(0);
  });

  it('in an exit of a KVM vector, shown where the data differ', async () => {
    const [line] = linesOf('pio-real.jsonl.gz', 1);
    const { code, text } = await conform([write('pio.jsonl', line.replace('"adab"', '"adac"'))]);
    expect(code).toBe(1);
    expect(text).toContain('FAIL pio id=0 (line 1)  64 e5 22  in ax,0x22');
    expect(text).toContain('exit 0  expected in port 0x0022 size 2 count 1 data adac');
  });

  it('in the state of a device', async () => {
    const [line] = linesOf('dev-pic.jsonl.gz', 1);
    const { code, text } = await conform([write('dev.jsonl', line.replace('"imr":12', '"imr":13'))]);
    expect(code).toBe(1);
    expect(text).toMatch(/master imr +expected 0x0d +got 0x0c/);
  });
});

describe('runConform', () => {
  it('shows as many failures as asked for and counts all', async () => {
    const wrong = structuredClone(IN_AL_DX);
    wrong.out.regs.ax = 0;
    const path = write('many.jsonl', `${JSON.stringify(wrong)}\n`.repeat(9));
    const { lines, text } = await conform([path], { failures: 2 });
    expect(text.match(/^FAIL/gm)).toHaveLength(2);
    expect(lines.at(-1)).toBe('0 passed, 9 failed');
  });

  it('names file and line of what is malformed and runs the rest', async () => {
    const good = JSON.stringify(IN_AL_DX);
    const noRegs = JSON.stringify({ ...IN_AL_DX, in: { ram: [] } });
    const path = write('mixed.jsonl', [good, '{"i":', noRegs, good, '"text"', good].join('\n'));
    const { code, lines, text } = await conform([path]);
    expect(code).toBe(3);
    expect(text).toContain('mixed  passed     3  failed     0  excluded     0  malformed 3');
    expect(text).toContain(`malformed: ${path}:2: not JSON`);
    expect(text).toContain(`malformed: ${path}:3: field "regs" is not an object`);
    expect(text).toContain(`malformed: ${path}:5: not a JSON object`);
    expect(lines.slice(-2)).toEqual(['3 malformed', '3 passed, 0 failed']);
  });

  it('runs what a truncated gzip still holds', async () => {
    const packed = gzipSync(`${linesOf('dev-pic.jsonl.gz', 100).join('\n')}\n`);
    const path = write('short.jsonl.gz', packed.subarray(0, packed.length / 2));
    const { code, text } = await conform([path]);
    expect(code).toBe(3);
    expect(text).toMatch(/short +passed +[1-9]\d* {2}failed +0 {2}excluded +0 {2}malformed 1/);
    expect(text).toMatch(/short\.jsonl\.gz: broken gzip \(.*\) after line \d+/);
  });

  it.each([
    ['no format has these fields', '{"a":1,"b":2}', /:1: no vector format has these fields: a, b/],
    ['an empty file', '', /empty\.jsonl: holds no vectors/],
  ])('ends with 3 on %s', async (_what, content, message) => {
    const { code, text } = await conform([write('empty.jsonl', content)]);
    expect(code).toBe(3);
    expect(text).toMatch(message);
  });

  it('ends with 3 when there is nothing at a path, and still runs the others', async () => {
    mkdirSync(join(folder, 'nothing'), { recursive: true });
    const good = write('good.jsonl', JSON.stringify(IN_AL_DX));
    const { code, lines, text } = await conform([join(folder, 'absent'), join(folder, 'nothing'), good]);
    expect(code).toBe(3);
    expect(text).toMatch(/absent: ENOENT/);
    expect(text).toMatch(/nothing: no \.jsonl or \.jsonl\.gz file in it/);
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
  });

  it('counts a failure before what is malformed', async () => {
    const wrong = { ...IN_AL_DX, io: [] };
    const { code } = await conform([write('both.jsonl', `${JSON.stringify(wrong)}\n{`)]);
    expect(code).toBe(1);
  });

  it('excludes tagged cases by tag; a case with two tags counts once', async () => {
    const tagged = (d386: string[]): string => JSON.stringify({ ...IN_AL_DX, d386 });
    const lines = [tagged(['lock']), tagged(['lock', 'ss']), JSON.stringify(IN_AL_DX)];
    const { text, code } = await conform([write('tags.jsonl', lines.join('\n'))]);
    expect(text).toContain('passed     1  failed     0  excluded     2 (lock 2, ss 1)');
    expect(text).toContain('2 excluded (lock 2, ss 1)');
    expect(code).toBe(0);
  });

  it('runs only the cases that the filter names', async () => {
    const { lines } = await conform([join(vectors, 'dev-pit.jsonl.gz')], { filter: 'id=299' });
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    const none = await conform([join(vectors, 'dev-pit.jsonl.gz')], { filter: 'id=none' });
    expect(none.lines[1]).toBe('no vectors to replay');
    expect(none.code).toBe(3);
  });

  it('prints one JSON document when asked', async () => {
    const wrong = structuredClone(IN_AL_DX);
    wrong.out.regs.ax = 0;
    const { code, lines } = await conform([write('json.jsonl', `${JSON.stringify(wrong)}\n{`)], {
      json: true,
    });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0])).toMatchObject({
      schemaVersion: 1,
      passed: 0,
      failed: 1,
      excluded: 0,
      malformed: 1,
      problems: [expect.stringContaining('json.jsonl:2: not JSON')],
      files: [{ name: 'json', format: 'sst80286', failed: 1, reasons: {} }],
      failures: [{ id: 'json i=7', differences: [{ what: 'ax', expected: '0x0000', got: '0x00ff' }] }],
    });
    expect(code).toBe(1);
  });
});
