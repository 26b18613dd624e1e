/** Mutation testing of the port I/O path (docs/mutation.md): `npm run stryker`. */
export default {
  testRunner: 'in-process',
  plugins: ['@stryker-mutator/vitest-runner', './scripts/stryker/test-runner.mjs'],
  vitest: { configFile: 'vitest.stryker.config.ts' },
  mutate: ['src/emulate/**/*.ts', 'src/bus/**/*.ts', 'src/vmx/**/*.ts'],
  // Messages are for people; tests of their wording would be tests of nothing else.
  mutator: { excludedMutations: ['StringLiteral'] },
  coverageAnalysis: 'perTest',
  ignorePatterns: ['bench', 'deploy', 'dist', 'examples/browser', 'docs'],
  // What runs once at load: tables and constants.
  ignoreStatic: true,
  concurrency: 1,
  // The runner ends endless loops itself, test by test.
  dryRunTimeoutMinutes: 60,
  timeoutMS: 3_600_000,
  timeoutFactor: 2,
  warnings: { slow: false },
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: 'reports/mutation.json' },
  incremental: true,
  incrementalFile: 'reports/stryker-incremental.json',
  tempDirName: '.stryker-tmp',
  allowConsoleColors: false,
};
