import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stepFromText } from '../../../../src/fuzz/devices/device-case.ts';
import { isPcPort } from '../../../../src/fuzz/devices/pc-steps.ts';
import { OwnPc } from '../../../../src/fuzz/qtest/own-pc.ts';
import { planCase } from '../../../../src/fuzz/qtest/plan.ts';
import { boardWrites, CHIP_WRITES, touchedBy } from '../../../../src/fuzz/qtest/power-on.ts';
import { QTEST_RULES, type QtestRule } from '../../../../src/fuzz/qtest/rules.ts';

const own = new OwnPc(CHIP_WRITES);

function plan(lines: readonly string[]) {
  const steps = lines.map((line) => stepFromText(line, isPcPort));
  const touched = touchedBy(steps);
  own.reset();
  for (const [port, value] of boardWrites(touched)) own.write(port, 1, value);
  const { checks, rules } = planCase(own, ['m', 's'], steps, touched);
  const isProbe = (what: string): boolean => what.startsWith('at the end');
  return {
    commands: checks.filter(({ what }) => !isProbe(what)).map(({ command }) => command),
    checks: checks.filter(({ what }) => !isProbe(what)),
    isProbed: checks.some(({ what }) => isProbe(what)),
    rules: [...rules.keys()].filter((rule) => rule !== 'refresh'),
  };
}

/** The shortest case for each rule, what QEMU gets of it, and whether the state is looked at afterwards. */
const CASES: readonly (readonly [QtestRule, readonly string[], readonly string[], boolean])[] = [
  ['time', ['wait 5'], [], true],
  ['wide', ['out 0x20 size 2 value 0x11'], [], true],
  ['control word', ['in 0x43 size 1'], [], true],
  ['mode bits', ['out 0x43 size 1 value 0x3e'], ['outb 0x43 0x36'], true],
  ['cascade pin', ['irq 2 level 1'], [], true],
  ['single mode', ['out 0x20 size 1 value 0x13'], ['outb 0x20 0x11'], true],
  ['special mask', ['out 0x20 size 1 value 0x6a'], ['outb 0x20 0xa'], true],
  [
    'state kept',
    ['irq 3 level 1', 'inta', 'out 0x20 size 1 value 0x11'],
    ['set_irq_in m unnamed-gpio-in 3 1', 'outb 0x20 0xc', 'inb 0x20'],
    true,
  ],
  [
    'level request',
    ['out 0x4d0 size 1 value 0x20', 'irq 5 level 1', 'out 0x20 size 1 value 0x11'],
    ['outb 0x4d0 0x20', 'set_irq_in m unnamed-gpio-in 5 1'],
    true,
  ],
  [
    'late output',
    ['irq 3 level 1', 'out 0x20 size 1 value 0x11'],
    ['set_irq_in m unnamed-gpio-in 3 1', 'outb 0x20 0x11'],
    true,
  ],
  ['poll', ['out 0x20 size 1 value 0xc', 'in 0x20 size 1'], ['outb 0x20 0xc', 'inb 0x20'], false],
  [
    'cascade',
    ['irq 9 level 1', 'out 0x20 size 1 value 0x11', 'irq 3 level 1'],
    ['set_irq_in s unnamed-gpio-in 1 1', 'outb 0x20 0x11'],
    false,
  ],
  ['weekday', ['out 0x70 size 1 value 0x6', 'in 0x71 size 1'], ['outb 0x70 0x6', 'inb 0x71'], true],
  ['year', ['out 0x70 size 1 value 0x32', 'out 0x71 size 1 value 0x18'], ['outb 0x70 0x32'], false],
  ['no such time', ['out 0x70 size 1 value 0x0', 'out 0x71 size 1 value 0x60'], ['outb 0x70 0x0'], false],
  [
    'format change',
    ['out 0x70 size 1 value 0xb', 'out 0x71 size 1 value 0x82', 'out 0x71 size 1 value 0x6'],
    ['outb 0x70 0xb', 'outb 0x71 0x82'],
    true,
  ],
  ['test divider', ['out 0x70 size 1 value 0xa', 'out 0x71 size 1 value 0x36'], ['outb 0x70 0xa'], true],
  ['century alias', ['out 0x70 size 1 value 0x37', 'in 0x71 size 1'], ['outb 0x70 0x37'], true],
  ['reset line', ['out 0x92 size 1 value 0x3'], ['outb 0x92 0x2'], true],
];

describe('the rules where QEMU differs', () => {
  it.each(CASES)('“%s” is met by %j', (rule, lines, commands, isProbed) => {
    const found = plan(lines);
    expect(found.rules).toContain(rule);
    expect(found.commands).toEqual(commands);
    expect(found.isProbed).toBe(isProbed);
  });

  it('are all tried here', () => {
    const tried = new Set<string>([...CASES.map(([rule]) => rule), 'refresh']);
    expect(Object.keys(QTEST_RULES).filter((rule) => !tried.has(rule))).toEqual([]);
  });

  it('are in the table of docs/fuzzing.md, and no others', () => {
    const docs = readFileSync(new URL('../../../../docs/fuzzing.md', import.meta.url), 'utf8');
    const rows = [...docs.matchAll(/^\| `rule: ([^`]+)` \|/gm)].map(([, name]) => name);
    expect(rows.sort()).toEqual(Object.keys(QTEST_RULES).sort());
  });

  it('are none for an ordinary life of the chips', () => {
    const lines = ['irq 1 level 1', 'inta', 'in 0x21 size 1', 'out 0x20 size 1 value 0x20', 'irq 1 level 0'];
    expect(plan(lines).rules).toEqual([]);
  });
});

describe('what is expected of QEMU', () => {
  it('polls both chips for an INTA that the slave answers', () => {
    const { checks } = plan(['irq 12 level 1', 'inta']);
    expect(checks.map(({ command, value, intr }) => [command, value, intr])).toEqual([
      ['set_irq_in s unnamed-gpio-in 4 1', null, 1],
      ['outb 0x20 0xc', null, null],
      ['inb 0x20', 0x82, null],
      ['outb 0xa0 0xc', null, null],
      ['inb 0xa0', 0x84, 0],
    ]);
  });

  it('takes a poll without a request as 0', () => {
    const { checks } = plan(['out 0x20 size 1 value 0xc', 'in 0x20 size 1']);
    expect(checks.at(-1)).toMatchObject({ command: 'inb 0x20', value: 0, intr: null });
  });

  it('leaves out the refresh bit of port 0x61 alone', () => {
    expect(plan(['in 0x61 size 1']).checks).toMatchObject([{ command: 'inb 0x61', mask: ~0x10 }]);
  });

  it('counts from the load on: time stands still', () => {
    const { checks } = plan([
      'out 0x43 size 1 value 0x34',
      'out 0x40 size 1 value 0x34',
      'out 0x40 size 1 value 0x12',
      'in 0x40 size 1',
      'in 0x40 size 1',
    ]);
    expect(checks.slice(3).map(({ value }) => value)).toEqual([0x34, 0x12]);
  });
});
