/**
 * The page tables of a case as text:
 *
 *     paging=32bit flags 0x7 pse wp
 *     directory=0x1 frame 0x0 flags 0x87
 *     page=0x45 frame 0x12 flags 0x3
 */
import { EmulatorError } from '../errors.ts';
import type { CasePaging } from './case-paging.ts';

/** What was found in a reproducer. */
export interface PagingText {
  /** Null without paging. */
  line: string | null;
  readonly directory: string[];
  readonly pages: string[];
}

/** The lines of a case with paging. */
export function pagingLines({ format, pse, wp, flags, directory, pages }: CasePaging): string[] {
  const switches = `${pse ? ' pse' : ''}${wp ? ' wp' : ''}`;
  return [
    `paging=${format} flags ${hex(flags)}${switches}`,
    ...directory.map(
      (entry) => `directory=${hex(entry.index)} frame ${hex(entry.frame)} flags ${hex(entry.flags)}`,
    ),
    ...pages.map((entry) => `page=${hex(entry.page)} frame ${hex(entry.frame)} flags ${hex(entry.flags)}`),
  ];
}

/** @throws EmulatorError `E_ARGUMENT` for lines that say nothing. */
export function pagingFromText({ line, directory, pages }: PagingText): CasePaging | null {
  if (line === null) {
    if (directory.length + pages.length > 0)
      throw new EmulatorError('E_ARGUMENT', 'pages without a paging line');
    return null;
  }
  const match = /^(32bit|pae) flags (\w+)( pse)?( wp)?$/.exec(line);
  if (match === null) throw bad('paging', '"32bit|pae flags FLAGS [pse] [wp]"');
  return {
    format: match[1] === 'pae' ? 'pae' : '32bit',
    flags: numberOf('paging', match[2]),
    pse: match[3] !== undefined,
    wp: match[4] !== undefined,
    directory: directory.map((text) => {
      const [index, frame, flags] = entry('directory', 'INDEX', text);
      return { index, frame, flags };
    }),
    pages: pages.map((text) => {
      const [page, frame, flags] = entry('page', 'PAGE', text);
      return { page, frame, flags };
    }),
  };
}

function entry(name: string, key: string, text: string): [number, number, number] {
  const match = /^(\w+) frame (\w+) flags (\w+)$/.exec(text);
  if (match === null) throw bad(name, `"${key} frame FRAME flags FLAGS"`);
  return [numberOf(name, match[1]), numberOf(name, match[2]), numberOf(name, match[3])];
}

function numberOf(name: string, text: string): number {
  if (/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text)) return Number(text);
  throw bad(name, 'numbers');
}

function bad(name: string, what: string): EmulatorError {
  return new EmulatorError('E_ARGUMENT', `${name} needs ${what}`);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
