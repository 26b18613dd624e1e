/**
 * An explanation as text for people: tables and a call chain, in less than 80 columns.
 */
import Table from 'cli-table3';
import type { BitField } from '../explain/bit-field.ts';
import type { Explanation } from '../explain/explain.ts';
import type { Colors } from './colors.ts';

const WIDTH = 78;

function wrap(text: string, indent: string, firstIndent: string): string {
  let line = firstIndent;
  let lines = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH && line.trim() !== '') {
      lines += `${line}\n`;
      line = indent + word;
    } else line += line === firstIndent || line === indent ? word : ` ${word}`;
  }
  return `${lines}${line}\n`;
}

function fieldTable(fields: readonly BitField[], colors: Colors): string {
  const table = new Table({
    head: ['bits', 'field', 'value', 'meaning'],
    style: { head: [], border: [], compact: true },
    colWidths: [7, 35, 10, 22],
    wordWrap: true,
  });
  for (const { bits, field, value, meaning, problem } of fields) {
    const shown = value > 9 ? `0x${value.toString(16)}` : String(value);
    const text = problem === undefined ? meaning : `${meaning} (!)`;
    table.push([bits, field, shown, problem === undefined ? text : colors.red(text)]);
  }
  return `${table.toString()}\n`;
}

function chain(functions: readonly string[]): string {
  return functions.map((name, depth) => `  ${'  '.repeat(depth)}${name}\n`).join('');
}

/** The whole report. */
export function explainReport(explanation: Explanation, colors: Colors): string {
  const { instruction, exitQualification, instructionInformation: info, path, notes, problems } = explanation;
  const qualHex = exitQualification.value.toString(16).padStart(8, '0');
  let text = '';
  if (instruction !== null) {
    const { bytes, text: insn, mode, length, rest } = instruction;
    text += `${colors.bold(insn)}    ${bytes}, ${length} byte${length === 1 ? '' : 's'}, ${mode}\n`;
    if (rest !== '') text += `(not looked at: ${rest})\n`;
    text += '\n';
  }
  text += `Exit reason ${explanation.exitReason} (IO_INSTRUCTION), exit qualification ${colors.bold(`0x${qualHex}`)}\n`;
  text += fieldTable(exitQualification.fields, colors);
  for (const problem of problems) text += colors.red(`! ${problem}\n`);
  if (info !== null) {
    text += `\nVM-exit instruction information 0x${info.value.toString(16).padStart(8, '0')} (KVM does not use it)\n`;
    text += fieldTable(info.fields, colors);
  }
  if (explanation.ioExit !== null) {
    const { exits, bits } = explanation.ioExit;
    text += `\nUnder these I/O bitmaps: ${colors.bold(exits ? 'exits' : 'does not exit')}\n`;
    for (const bit of bits) text += `  ${bit}\n`;
  }
  text += `\nPath through KVM\n${chain(path.functions)}`;
  text += wrap(`taken by a device in the kernel: ${path.taken}`, '    ', '  ');
  text += wrap(`taken by none: ${path.refused}`, '    ', '  ');
  text += '\nWhat KVM does\n';
  for (const note of notes) text += wrap(note, '    ', '  - ');
  return text;
}
