/** Runs `runConform` and keeps what it prints. */
import { type ConformOptions, runConform } from '../../src/conform/run-conform.ts';

export async function conform(
  paths: readonly string[],
  options: Partial<ConformOptions> = {},
): Promise<{ code: number; lines: string[]; text: string }> {
  const lines: string[] = [];
  const code = await runConform(
    paths,
    { failures: 5, json: false, ...options },
    { line: (text) => lines.push(text) },
  );
  return { code, lines, text: lines.join('\n') };
}
