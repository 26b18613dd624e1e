/**
 * A string-io case in other forms: a vitest test of this project, a C program for /dev/kvm, a qtest script for QEMU.
 */
import { KERNEL_READ, USER_READ } from '../access-log.ts';
import { caseBytes } from '../case-memory.ts';
import type { ExportFormat } from '../engine/fuzz-target.ts';
import { expectedAccesses } from '../judge-case.ts';
import { QTEST_QEMU } from '../qtest/script.ts';
import type { StringIoCase } from '../string-io-case.ts';
import { kvmProgram } from './kvm-program.ts';

/** Seen from test/regressions/. */
const TARGET_MODULE = '../../src/fuzz/targets/string-io.ts';

/** @param text the reproducer that the case was read from. */
export function exportCase(test: StringIoCase, text: string, format: ExportFormat): readonly string[] {
  if (format === 'c') return kvmProgram(test, caseBytes({ ...test, paging: null }));
  return format === 'vitest' ? vitestTest(test, text) : qtestScript(test);
}

function vitestTest(test: StringIoCase, text: string): string[] {
  const code = test.code.map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' '));
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return [
    "import { expect, it } from 'vitest';",
    `import { StringIoTarget } from '${TARGET_MODULE}';`,
    '',
    `it('runs ${code.join(', ')} (${test.mode}, ${test.path}) as the reference model does', () => {`,
    '  const verdict = new StringIoTarget().replay(`',
    ...lines,
    '`);',
    '  expect(verdict.isJudged).toBe(true);',
    '  expect(verdict.differences).toEqual([]);',
    '});',
  ];
}

/** The accesses that the case makes, as QEMU's qtest protocol has them. What the devices answer is QEMU's. */
function qtestScript(test: StringIoCase): string[] {
  const log = expectedAccesses(test);
  const lines = [`# feed to: ${QTEST_QEMU}`];
  for (const { kind, port, size, values } of log.entries()) {
    const letter = size === 1 ? 'b' : size === 2 ? 'w' : 'l';
    const isRead = kind === KERNEL_READ || kind === USER_READ;
    for (const value of values) {
      const where = `${letter} 0x${port.toString(16)}`;
      lines.push(isRead ? `in${where}` : `out${where} 0x${value.toString(16)}`);
    }
  }
  return lines;
}
