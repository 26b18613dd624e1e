/**
 * Stryker's test runner for this project: the tests of `tests.json` bundled once and called in Stryker's own process, the quickest
 * first, until one fails. Starting Vitest anew for each mutant takes a second of processor time; this takes what the tests take.
 *
 * A mutant may leave something behind in the process, so the test that has killed it is run once more without it: fails it
 * again, everything is loaded anew and the mutant gets another try.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';
import { build } from 'esbuild';

const SHIM = join(import.meta.dirname, 'test-shim.mjs');
const SANDBOX = /[\\/]\.stryker-tmp[\\/]sandbox-[^\\/]+/;

/** What a test sees as its folder: that of the project, not of Stryker's copy, so that it finds the files beside it. */
function sourceOf(path) {
  const folder = JSON.stringify(dirname(path).replace(SANDBOX, ''));
  return readFileSync(path, 'utf8').replaceAll('import.meta.dirname', folder);
}

const bundlePlugin = {
  name: 'tests',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^vitest$/ }, ({ importer }) =>
      importer === SHIM ? { external: true } : { path: SHIM },
    );
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const begin = path.endsWith('.test.ts') ? `beginTestFile(${JSON.stringify(relative('.', path))});` : '';
      return { contents: begin + sourceOf(path), loader: 'ts' };
    });
  },
};

const { folders, files, slow } = JSON.parse(readFileSync(join(import.meta.dirname, 'tests.json'), 'utf8'));

function isQuick(name) {
  return !slow.some((part) => name.includes(part));
}

function testFiles() {
  const found = folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
  return [...found.filter((name) => name.endsWith('.test.ts')).sort(), ...files].filter(isQuick);
}

/** Calls what stands in `testToRun`: the one way to stop an endless loop without stopping the process. */
const CALL = new Script('testToRun()', { filename: 'call' });
/** A test may take this much longer with a mutant than without. */
const TIME_FACTOR = 20;
const ENDLESS = 'an endless loop';
const MIN_TIME_MS = 5_000;
/** For a test whose time is not known. */
const MAX_TIME_MS = 120_000;
/** How long each test takes without a mutant, for a process that starts because a mutant has ended the one before. */
const TIMES = '.stryker-times.json';

class InProcessTestRunner {
  /** What the mutants in the code look at. */
  #namespace = {};
  #bundle = `.stryker-tests-${process.pid}.mjs`;
  #loads = 0;
  #tests = [];
  #times = new Map();

  constructor() {
    globalThis.__stryker__ = this.#namespace;
  }

  capabilities() {
    return { reloadEnvironment: false };
  }

  async init() {
    const entry = [
      ...testFiles().map((file) => `import './${file}';`),
      `export { tests } from ${JSON.stringify(SHIM)};`,
    ];
    await build({
      stdin: { contents: entry.join('\n'), resolveDir: process.cwd(), loader: 'ts' },
      outfile: this.#bundle,
      absWorkingDir: process.cwd(),
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      ignoreAnnotations: true,
      plugins: [bundlePlugin],
      logLevel: 'error',
    });
  }

  async #load() {
    const url = `${pathToFileURL(this.#bundle)}?load=${this.#loads++}`;
    this.#tests = (await import(url)).tests.filter(({ id }) => isQuick(id));
    if (this.#times.size === 0 && existsSync(TIMES)) {
      this.#times = new Map(JSON.parse(readFileSync(TIMES, 'utf8')));
    }
  }

  /** @returns what went wrong; null for nothing. */
  async #run(test) {
    const time = this.#times.get(test.id);
    const timeout = time === undefined ? MAX_TIME_MS : Math.ceil(MIN_TIME_MS + TIME_FACTOR * time);
    this.#namespace.currentTestId = test.id;
    globalThis.testToRun = test.run;
    try {
      await CALL.runInThisContext({ timeout });
      return null;
    } catch (error) {
      return error?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT' ? ENDLESS : String(error?.message ?? error);
    } finally {
      this.#namespace.currentTestId = undefined;
    }
  }

  async dryRun() {
    this.#namespace.activeMutant = undefined;
    rmSync(TIMES, { force: true });
    await this.#load();
    const results = [];
    for (const test of this.#tests) {
      const start = performance.now();
      const failureMessage = await this.#run(test);
      const timeSpentMs = performance.now() - start;
      this.#times.set(test.id, timeSpentMs);
      const result = { id: test.id, name: test.name, fileName: resolve(test.file), timeSpentMs };
      results.push(
        failureMessage === null ? { ...result, status: 0 } : { ...result, status: 1, failureMessage },
      );
    }
    writeFileSync(TIMES, JSON.stringify([...this.#times]));
    return { status: 'complete', tests: results, mutantCoverage: this.#namespace.mutantCoverage };
  }

  async mutantRun(options) {
    if (this.#tests.length === 0) await this.#load();
    const first = await this.#tryMutant(options);
    if (first !== null) return first;
    await this.#load();
    return (
      (await this.#tryMutant(options)) ?? { status: 'error', errorMessage: 'a test fails without mutant' }
    );
  }

  /** @returns null when the test that has failed also fails without the mutant. */
  async #tryMutant({ activeMutant, testFilter, hitLimit }) {
    const ns = this.#namespace;
    const chosen = testFilter === undefined ? null : new Set(testFilter);
    const tests = this.#tests.filter(({ id }) => chosen === null || chosen.has(id));
    tests.sort((a, b) => (this.#times.get(a.id) ?? 0) - (this.#times.get(b.id) ?? 0));
    ns.hitCount = hitLimit === undefined ? undefined : 0;
    ns.hitLimit = hitLimit;
    let nrOfTests = 0;
    for (const test of tests) {
      nrOfTests++;
      ns.activeMutant = activeMutant.id;
      let failureMessage = await this.#run(test);
      // Once more: the whole process may have stood still.
      if (failureMessage === ENDLESS) failureMessage = await this.#run(test);
      const isEndless = ns.hitCount > hitLimit || failureMessage === ENDLESS;
      ns.activeMutant = undefined;
      if (failureMessage === null && !isEndless) continue;
      if ((await this.#run(test)) !== null) return null;
      if (isEndless) return { status: 'timeout', reason: ENDLESS };
      return { status: 'killed', killedBy: [test.id], failureMessage, nrOfTests };
    }
    return { status: 'survived', nrOfTests };
  }

  async dispose() {
    rmSync(this.#bundle, { force: true });
  }
}

export const strykerPlugins = [
  { kind: 'TestRunner', name: 'in-process', factory: () => new InProcessTestRunner() },
];
