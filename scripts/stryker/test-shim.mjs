/**
 * Stands for the module `vitest` in the bundle of tests that Stryker runs (test-runner.mjs): `describe`, `it` and hooks only write
 * down what there is to run; `expect` is Vitest's own.
 */
import { format } from 'node:util';
import fc from 'fast-check';

export { expect } from 'vitest';

// The same cases for every mutant, and no shrinking: one failure is enough.
fc.configureGlobal({ seed: 20_260_101, endOnFailure: true });

const root = { name: '', parent: null, beforeEach: [], afterEach: [], beforeAll: [], afterAll: [] };
let suite = root;
let file = '';

/** The tests, in order: `id` as Stryker knows it, and how to run it. */
export const tests = [];

/** Called at the start of every test file: test-runner.mjs puts it there. */
globalThis.beginTestFile = (name) => {
  file = name;
  suite = { ...root, beforeEach: [], afterEach: [], beforeAll: [], afterAll: [] };
};

function path(of) {
  return of === null ? [] : [...path(of.parent), of];
}

function addTest(name, body) {
  const suites = path(suite);
  const fullName = [...suites.map((each) => each.name), name].join(' ').trim();
  tests.push({ id: `${file}#${fullName}`, name: fullName, file, run: () => runTest(suites, body) });
}

/** Nothing waits that need not: test-runner.mjs can only stop what runs before the first wait. */
async function runTest(suites, body) {
  for (const each of suites) {
    const hooks = [...each.beforeAll.splice(0), ...each.beforeEach];
    for (const hook of hooks) hook();
  }
  try {
    await body();
  } finally {
    for (const each of suites.toReversed()) for (const hook of each.afterEach) hook();
  }
}

function addSuite(name, body) {
  const outer = suite;
  suite = { name, parent: outer, beforeEach: [], afterEach: [], beforeAll: [], afterAll: [] };
  body();
  suite = outer;
}

function member(row, name) {
  return name.split('.').reduce((value, key) => value?.[key], row);
}

/** `$name` and printf-like places of a title. */
function title(text, row, args) {
  const named = text.replace(/\$([a-zA-Z_][\w.]*)/g, (all, name) => {
    const value = typeof row === 'object' && row !== null ? member(row, name) : undefined;
    return value === undefined ? all : String(value);
  });
  const places = named.match(/%[sdifjoO]/g)?.length ?? 0;
  return places === 0 ? named : format(named, ...args.slice(0, places));
}

function withEach(add) {
  const call = (name, ...rest) =>
    add(
      name,
      rest.find((part) => typeof part === 'function'),
    );
  call.each =
    (rows) =>
    (name, ...rest) => {
      const body = rest.find((part) => typeof part === 'function');
      rows.forEach((row, index) => {
        const args = Array.isArray(row) ? row : [row];
        add(`${title(name, row, args)} (row ${index})`, () => body(...args));
      });
    };
  call.skipIf = (isSkipped) => (isSkipped ? () => {} : call);
  call.runIf = (isRun) => (isRun ? call : () => {});
  call.skip = () => {};
  return call;
}

export const it = withEach(addTest);
export const describe = withEach(addSuite);
export const beforeEach = (hook) => suite.beforeEach.push(hook);
export const afterEach = (hook) => suite.afterEach.push(hook);
export const beforeAll = (hook) => suite.beforeAll.push(hook);
/** What a file leaves behind is the process's end to clean up. */
export const afterAll = () => {};
