/**
 * What one case expected and what it got: every replayer writes its disagreements here, so that all formats are
 * shown alike.
 */

/** One disagreement. */
export interface Difference {
  /** What differs: a register, `flags`, `mem 0x9cb31`, `io 3`, … */
  readonly what: string;
  readonly expected: string;
  readonly got: string;
}

/** Rows kept of one case; more are only counted. */
const MAX_ROWS = 16;

/** `0x` and at least `digits` hex digits. */
export function hex(value: number, digits: number): string {
  return `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;
}

/** Collects the differences of one case; reused for all cases of a file. */
export class CaseDiff {
  /** The first differences. */
  readonly rows: Difference[] = [];
  /** All differences, also those that {@link rows} has no room for. */
  count = 0;

  /** Forgets everything: the next case begins. */
  clear(): void {
    this.rows.length = 0;
    this.count = 0;
  }

  /** Two numbers that must be equal; shown with `digits` hex digits. */
  number(what: string, expected: number, got: number, digits: number): void {
    if (expected !== got) this.text(what, hex(expected, digits), hex(got, digits));
  }

  /** Two flag words that must agree in the bits of `mask`. */
  flags(what: string, expected: number, got: number, mask: number): void {
    const wrong = (expected ^ got) & mask;
    if (wrong !== 0) {
      this.text(
        what,
        `${hex(expected, 4)} (${flagNames(expected & wrong)})`,
        `${hex(got, 4)} (${flagNames(got & wrong)})`,
      );
    }
  }

  /** A disagreement that is already known as such. */
  text(what: string, expected: string, got: string): void {
    this.count++;
    if (this.rows.length < MAX_ROWS) this.rows.push({ what, expected, got });
  }
}

const FLAG_NAMES = [
  'CF',
  '',
  'PF',
  '',
  'AF',
  '',
  'ZF',
  'SF',
  'TF',
  'IF',
  'DF',
  'OF',
  'IOPL0',
  'IOPL1',
  'NT',
  '15',
  'RF',
  'VM',
  'AC',
];

/** Names of the flags that are set, `-` for none. */
function flagNames(flags: number): string {
  const names = FLAG_NAMES.filter((name, bit) => name !== '' && ((flags >> bit) & 1) !== 0);
  return names.length === 0 ? '-' : names.join(' ');
}
