/**
 * Makes the flat tables of the opcode maps (opcode-layout.ts), when this module is loaded. That takes a twentieth of the time a small
 * guest needs, so the build puts the finished tables in the place of this module (scripts/bundle.mjs).
 */

import {
  ENCODING_ESCAPE,
  ENCODING_LOCK,
  ENCODING_MODRM,
  ENCODING_VEX,
  NODES_0F,
  NODES_0F3A,
  NODES_0F38,
  NODES_END,
  NODES_ONE_BYTE,
  NODES_VEX,
  type OpcodeTables,
  SELECT_BITS,
  SELECT_PREFIX,
  SELECT_REG,
  SELECT_RM,
  TABLE_SIZE,
} from './opcode-layout.ts';
import { ONE_BYTE_MAP } from './opcode-map.ts';
import { MAP_0F3A, MAP_0F38, TWO_BYTE_MAP, VEX_0F_MAP, VEX_0F38_MAP } from './opcode-map-0f.ts';
import { ESCAPE_NAME, X87_MAP } from './opcode-map-x87.ts';
import type { OpcodeRow } from './opcode-row.ts';
import { mayBeMemory, operandList, usesModrm } from './operand-codes.ts';

/** Intel SDM vol. 2A, “LOCK—Assert LOCK# Signal Prefix”: with a memory destination. */
const LOCKABLE = new Set(
  'Add Or Adc Sbb And Sub Xor Inc Dec Not Neg Xchg Bts Btr Btc Xadd Cmpxchg Cmpxchg8b'.split(' '),
);
const VEX_OPCODES = ['62', 'C4', 'C5'];
const OPERAND_BITS = ['16', '32'];
const PREFIXES = ['NP', '66', 'F3', 'F2'];

const names: string[] = ['undefined'];
const numbers = new Map<string, number>();

function numberOfName(name: string): number {
  let number = numbers.get(name);
  if (number === undefined) {
    number = names.length;
    names.push(name);
    numbers.set(name, number);
  }
  return number;
}

/** A name of a row for one operand size and address size: 0 is 16, 1 is 32. (Start-up time without a build: no regular expressions.) */
function expand(name: string, operand: 0 | 1, address: 0 | 1): string {
  let made = '';
  let choice = 0;
  let wanted = 0;
  for (const c of name) {
    if (c === '{' || c === '[') wanted = c === '{' ? operand : address;
    else if (c === '|') choice = 1;
    else if (c === '}' || c === ']') {
      choice = 0;
      wanted = 0;
    } else if (choice === wanted) made += c === '%' ? OPERAND_BITS[operand] : c;
  }
  return made;
}

/** Numbers of the four names of a row, as {@link CODES} has them. */
function namesOf(name: string): [number, number, number, number] {
  if (!name.includes('%') && !name.includes('|')) {
    const code = name === '' ? 0 : numberOfName(name);
    return [code, code, code, code];
  }
  const word = numberOfName(expand(name, 0, 0));
  const dword = numberOfName(expand(name, 1, 0));
  if (!name.includes('[')) return [word, dword, word, dword];
  return [word, dword, numberOfName(expand(name, 0, 1)), numberOfName(expand(name, 1, 1))];
}

const operands: number[] = [];
const flags: number[] = [];
const codes: number[] = [];

/** @returns the number of a new encoding. */
function encodingOf(map: number, [opcode, operandText, name]: OpcodeRow): number {
  const encoding = flags.length;
  const list = operandList(operandText);
  operands.push(...list);
  const isLockable = mayBeMemory(list[0]) && LOCKABLE.has(name.slice(0, name.indexOf('_')));
  flags.push(
    (list.some(usesModrm) ? ENCODING_MODRM : 0) |
      (isLockable ? ENCODING_LOCK : 0) |
      (name.startsWith(ESCAPE_NAME) ? ENCODING_ESCAPE : 0) |
      (map === NODES_ONE_BYTE && VEX_OPCODES.includes(opcode) ? ENCODING_VEX : 0),
  );
  codes.push(...namesOf(name));
  return encoding;
}

/** Encoding 0: undefined, and nothing belongs to it. */
const UNDEFINED = encodingOf(NODES_ONE_BYTE, ['', '', '']);
const nodes: number[] = new Array(NODES_END).fill(UNDEFINED);

/** The place of the table behind `slot`; made, and filled with what was there, when there is none. */
function tableAt(slot: number, select: number): number {
  const found = nodes[slot];
  if (found < 0) return ~found >> SELECT_BITS;
  const table = nodes.length;
  for (let i = 0; i < TABLE_SIZE[select]; i++) nodes.push(found);
  nodes[slot] = ~((table << SELECT_BITS) | select);
  return table;
}

/** Enters an encoding at `slot`, or deeper for `/n`, `/n mem`, `/n reg`, `/n rm=n`. */
function enter(slot: number, encoding: number, reg: string | undefined, form: string | undefined): void {
  if (reg === undefined) {
    nodes[slot] = encoding;
    return;
  }
  const memory = tableAt(slot, SELECT_REG) + Number(reg.slice(1));
  const register = memory + TABLE_SIZE[SELECT_REG] / 2;
  if (form?.startsWith('rm=')) nodes[tableAt(register, SELECT_RM) + Number(form.slice(3))] = encoding;
  if (form === undefined || form === 'mem') nodes[memory] = encoding;
  if (form === undefined || form === 'reg') nodes[register] = encoding;
}

function addRow(map: number, row: OpcodeRow): void {
  const words = row[0].split(' ');
  const prefix = words.length > 1 && !words[1].startsWith('/') ? PREFIXES.indexOf(words.shift() ?? '') : -1;
  const [range, reg, form] = words;
  const first = Number.parseInt(range, 16);
  const last = range.length > 2 ? Number.parseInt(range.slice(3), 16) : first;
  const encoding = encodingOf(map, row);
  if (words.length === 1 && prefix < 0) {
    nodes.fill(encoding, map + first, map + last + 1);
    return;
  }
  for (let opcode = first; opcode <= last; opcode++) {
    const slot = prefix < 0 ? map + opcode : tableAt(map + opcode, SELECT_PREFIX) + prefix;
    enter(slot, encoding, reg, form);
  }
}

const MAPS: readonly (readonly [number, readonly OpcodeRow[]])[] = [
  [NODES_ONE_BYTE, ONE_BYTE_MAP],
  [NODES_ONE_BYTE, X87_MAP],
  [NODES_0F, TWO_BYTE_MAP],
  [NODES_0F38, MAP_0F38],
  [NODES_0F3A, MAP_0F3A],
  [NODES_VEX, VEX_0F_MAP],
  [NODES_VEX + 0x100, VEX_0F38_MAP],
  [NODES_VEX + 0x200, MAP_0F3A],
];
for (const [map, rows] of MAPS) for (const row of rows) addRow(map, row);

/** What {@link OpcodeTables} says of the opcode maps. */
export const OPCODE_TABLES: OpcodeTables = { nodes, operands, flags, codes, names: names.join(' ') };
