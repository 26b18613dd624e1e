/**
 * External programs that some tests need: nasm, qemu and the like.
 */
import { spawnSync } from 'node:child_process';

const found = new Map<string, boolean>();

/**
 * Whether the program `name` is installed, for `it.skipIf(!requireTool('nasm'))('… (needs nasm)', …)`: name the
 * program in the test's title, so that a skipped test says why.
 *
 * With PIO86_REQUIRE_TOOLS=1 in the environment a missing program is a failure instead.
 */
export function requireTool(name: string): boolean {
  let there = found.get(name);
  if (there === undefined) {
    there = spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
    found.set(name, there);
  }
  if (!there && process.env.PIO86_REQUIRE_TOOLS === '1') {
    throw new Error(`${name} is not installed, and PIO86_REQUIRE_TOOLS=1 asks for it`);
  }
  return there;
}
