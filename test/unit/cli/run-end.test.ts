import { describe, expect, it } from 'vitest';
import { endExitCode, endText, type RunEnd } from '../../../src/cli/run/run-end.ts';

const ENDS: readonly (readonly [RunEnd, number])[] = [
  [{ kind: 'exit', code: 5 }, 0],
  [{ kind: 'halted' }, 0],
  [{ kind: 'idle' }, 0],
  [{ kind: 'reset', source: 'port 0x92' }, 0],
  [{ kind: 'output-closed' }, 0],
  [{ kind: 'shutdown' }, 4],
  [{ kind: 'internal-error', message: 'why' }, 4],
  [{ kind: 'unclaimed', message: 'where' }, 4],
  [{ kind: 'max-insns' }, 5],
  [{ kind: 'timeout' }, 5],
  [{ kind: 'interrupted' }, 130],
  [{ kind: 'terminated' }, 143],
];

describe('the end of a run', () => {
  it.each(ENDS)('%j is exit code %i', (end, exitCode) => {
    expect(endExitCode(end, false)).toBe(exitCode);
    expect(endText(end)).toMatch(/^\S.*\S$/);
  });

  it.each([
    [0, 1],
    [5, 11],
    [0x7f, 255],
    [0x80, 1],
    [0xffffffff, 255],
  ])('is QEMU’s code for %i under --guest-exit', (code, exitCode) => {
    expect(endExitCode({ kind: 'exit', code }, true)).toBe(exitCode);
  });

  it('keeps its own code under --guest-exit when the guest did not write one', () => {
    for (const [end, exitCode] of ENDS.slice(1)) expect(endExitCode(end, true)).toBe(exitCode);
  });
});
