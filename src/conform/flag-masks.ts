/**
 * Which FLAGS bits a form of instruction defines: `flags.json` beside the sst80286 files, table `mask386` (Intel SDM,
 * 386 and later).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmulatorError } from '../errors.ts';
import { numberField, objectField, parseVector } from './json-fields.ts';

/** Bits 12–15 are not the 286's to tell. */
const ALL_286_FLAGS = 0x0fff;

/** 16-bit masks by form (`6D`, `D0.4`); 1 = compare. */
export interface FlagMasks {
  readonly byForm: ReadonlyMap<string, number>;
  readonly otherForms: number;
}

/**
 * Reads the masks of a folder; without a `flags.json` all flags that a 286 has are compared.
 * @throws EmulatorError `E_VECTOR` when the file is there but is no mask table.
 */
export function flagMasks(folder: string): FlagMasks {
  let text: string;
  try {
    text = readFileSync(join(folder, 'flags.json'), 'utf8');
  } catch {
    return { byForm: new Map(), otherForms: ALL_286_FLAGS };
  }
  try {
    const table = objectField(parseVector(text), 'mask386');
    const masks = objectField(table, 'mask');
    const byForm = new Map(Object.keys(masks).map((form) => [form, numberField(masks, form, 0xffff)]));
    return { byForm, otherForms: numberField(table, 'default', 0xffff) };
  } catch (error) {
    throw new EmulatorError(
      'E_VECTOR',
      `flags.json: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** The mask for an instruction: its opcode's, or that of the opcode with ModRM bits 5:3. */
export function maskOf(masks: FlagMasks, bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length && isPrefix(bytes[at])) at++;
  if (at === bytes.length) return masks.otherForms;
  const opcode = bytes[at].toString(16).toUpperCase().padStart(2, '0');
  return (
    masks.byForm.get(opcode) ?? masks.byForm.get(`${opcode}.${(bytes[at + 1] >> 3) & 7}`) ?? masks.otherForms
  );
}

/** Segment overrides, LOCK, REPNE, REP: all that a 286 has. */
function isPrefix(byte: number): boolean {
  return (byte & 0xe7) === 0x26 || byte === 0xf0 || byte === 0xf2 || byte === 0xf3;
}
