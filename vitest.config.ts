import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // One a core, also on a machine of two, where vitest would leave one core to itself.
    maxWorkers: availableParallelism(),
  },
});
