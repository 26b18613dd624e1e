/** The tests of scripts/stryker/tests.json through Vitest: `npm run stryker -- --testRunner vitest --mutate FILE` (docs/mutation.md). */
import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const { folders, files, slow } = JSON.parse(
  readFileSync(new URL('scripts/stryker/tests.json', import.meta.url), 'utf8'),
) as Record<'folders' | 'files' | 'slow', readonly string[]>;

export default defineConfig({
  test: {
    include: [...folders.map((folder) => `${folder}/*.test.ts`), ...files],
    exclude: slow.filter((part) => part.endsWith('.test.ts')),
    testTimeout: 60_000,
  },
});
