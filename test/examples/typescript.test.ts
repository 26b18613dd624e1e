import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/kvm-tags.ts';

/** Runs an example against the built package, as its reader would. */
function run(name: string): string[] {
  const file = join(ROOT, 'examples', `${name}.ts`);
  return execFileSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8', cwd: ROOT })
    .trim()
    .split('\n');
}

describe('the TypeScript examples', () => {
  it('embed-machine runs a guest to its end and shows what it printed', () => {
    const lines = run('embed-machine');
    expect(lines).toContain('Test OK');
    expect(lines.at(-1)).toMatch(/^ended: exit, \d+ I\/O exits, \d+ ns of virtual time$/);
  });

  it('write-device puts a device on the kernel bus that the guest reads', () => {
    expect(run('write-device')).toEqual(['dice: 3 3 6 (halted)']);
  });

  it('take-kvm-exit-io answers every exit itself, a batch of REP INSB in one', () => {
    expect(run('take-kvm-exit-io')).toEqual([
      'in  0x60: size 1 count 1 answered 41',
      'out 0x80: size 1 count 1 data 42',
      'in  0x1f0: size 1 count 3 answered 414243',
      'memory at 0x2000: ABC',
    ]);
  });
});
