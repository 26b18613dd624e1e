import { describe, expect, it } from 'vitest';
import { EmulatorError } from '../../../src/errors.ts';
import { formatIoports } from '../../../src/ioports/format.ts';
import { parseIoports } from '../../../src/ioports/parse.ts';
import { findPort } from '../../../src/ioports/port-tree.ts';

const NESTED = `0000-03bb : PCI Bus 0000:00
  0020-0021 : pic1
  0040-0043 : timer0
03e0-0cf7 : PCI Bus 0000:00
  03f8-03ff : serial
  0430-0433 : iTCO_wdt.0.auto
    0430-0433 : iTCO_wdt
`;

/** What a parse refuses, as `code line`. */
function refusal(text: string): string {
  try {
    parseIoports(text, 'map');
  } catch (error) {
    if (error instanceof EmulatorError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('parseIoports', () => {
  it('prints a nested map back as it was', () => {
    expect(formatIoports(parseIoports(NESTED, 'map'))).toBe(NESTED);
  });

  it('finds the innermost range of a port', () => {
    const map = parseIoports(NESTED, 'map');
    expect(findPort(map, 0x431)?.name).toBe('iTCO_wdt');
    expect(findPort(map, 0x30)?.name).toBe('PCI Bus 0000:00');
    expect(findPort(map, 0xffff)).toBeNull();
  });

  it('skips prose before the first and after the last range, and blank lines', () => {
    const text = `# Ports\n\n\`\`\`\n# cat /proc/ioports \n0020-0021 : pic1\n\n0040-0043 : timer0\n\`\`\`\nas 40---timer\n`;
    expect(formatIoports(parseIoports(text, 'map'))).toBe('0020-0021 : pic1\n0040-0043 : timer0\n');
  });

  it('keeps names with colons, dots and spaces', () => {
    expect(parseIoports('3060-3067 : 0000:00:1f.2 x', 'map')[0]?.name).toBe('0000:00:1f.2 x');
  });

  it.each([
    ['hello world\n', 'E_INPUT map:1: no port map'],
    ['0020-0021 : pic1\nrubbish\n0040-0043 : timer0\n', "E_INPUT map:2: 'rubbish' is not of the form"],
    ['0020-0021 pic1\n', "E_INPUT map:1: '0020-0021 pic1' is not of the form"],
    ['0021-0020 : pic1\n', 'E_INPUT map:1: the range 0021-0020 ends before it begins'],
    ['0020-0021 : pic1\n0000fff0-00010000 : big\n', 'E_INPUT map:2: port 00010000 is above ffff'],
    ['0020-0021 : pic1\n  0022-0023 : x\n', "E_INPUT map:2: 0022-0023 is not inside 'pic1'"],
    ['0020-0021 : pic1\n002g-0030 : x\n', "E_INPUT map:2: '002g-0030 : x' is not of the form"],
  ])('refuses %j with file and line', (text, message) => {
    expect(refusal(text)).toContain(message);
  });
});
