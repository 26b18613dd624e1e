/**
 * From a script's text to its tree; what is wrong with a script names its line and column.
 */
import peggy from 'peggy';
import { EmulatorError } from '../../errors.ts';
import type { Position, ProbeNode } from './ast.ts';
import { GRAMMAR } from './grammar.ts';

/** Made at the first script: it takes longer than most scripts. */
let parser: peggy.Parser | null = null;

/** An error at a place of a script; the command line ends with exit code 3. */
export function scriptError(name: string, at: Position, what: string): EmulatorError {
  return new EmulatorError('E_INPUT', `${name}:${at.line}:${at.column}: ${what}`);
}

/**
 * Parses a script.
 *
 * @param name of the script, for messages.
 * @throws EmulatorError `E_INPUT` naming line and column.
 */
export function parseScript(text: string, name: string): readonly ProbeNode[] {
  parser ??= peggy.generate(GRAMMAR);
  try {
    const probes = parser.parse(text) as readonly ProbeNode[];
    if (probes.length > 0) return probes;
  } catch (error) {
    if (error instanceof parser.SyntaxError) {
      throw scriptError(name, error.location.start, `syntax error: ${error.message}`);
    }
    throw error;
  }
  throw scriptError(name, { line: 1, column: 1 }, 'the script has no probes');
}
