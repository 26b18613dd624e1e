/**
 * State of an object, field by field: what a snapshot keeps of `Cpu`, `Vcpu` and `Vm`.
 *
 * A field is state unless it is named as wiring: numbers, booleans, strings and null are kept as they are, typed arrays are
 * copied, and what has `saveState` and `loadState` is asked. So a field added later is in every snapshot without more ado;
 * one that is none of these must be named (a test holds it).
 */
import { EmulatorError } from '../errors.ts';

/** Something that can hand out its state and take it back: the contract of every device. */
export interface Stateful {
  /** Plain data that shares nothing with the object. */
  saveState(): unknown;
  /** Takes what {@link saveState} returned, of this object or of one of the same kind. It keeps nothing of the argument. */
  loadState(state: unknown): void;
}

/** What the fields of a class are that do not tell it themselves. */
export interface FieldSpec {
  /** Not state: connections, caches, what the embedder has set. */
  readonly wiring: readonly string[];
  /** Values that never change, kept by reference. */
  readonly references: readonly string[];
  /** Objects whose fields are state, in turn, without a spec of their own. */
  readonly records: readonly string[];
}

const PLAIN: FieldSpec = { wiring: [], references: ['insn'], records: [] };

type Fields = Record<string, unknown>;
type TypedArray = Int32Array | Uint8Array;

/** State of one object: parallel lists of keys and values, so that a restore is a few short loops. */
export interface FieldsState {
  readonly scalarKeys: readonly string[];
  readonly scalars: readonly unknown[];
  readonly arrayKeys: readonly string[];
  readonly arrays: readonly TypedArray[];
  readonly partKeys: readonly string[];
  readonly parts: readonly unknown[];
  readonly recordKeys: readonly string[];
  readonly records: readonly FieldsState[];
}

/** How a field is kept. `unknown` is nothing that a class may have. */
export type FieldKind = 'wiring' | 'scalar' | 'array' | 'part' | 'record' | 'unknown';

function isStateful(value: unknown): value is Stateful {
  return typeof value === 'object' && value !== null && 'saveState' in value && 'loadState' in value;
}

/** What field `key` with this value is. */
export function fieldKind(key: string, value: unknown, spec: FieldSpec): FieldKind {
  if (spec.wiring.includes(key)) return 'wiring';
  if (spec.references.includes(key)) return 'scalar';
  if (spec.records.includes(key)) return 'record';
  if (ArrayBuffer.isView(value)) return 'array';
  if (isStateful(value)) return 'part';
  if (value === null || value === undefined) return 'scalar';
  return typeof value === 'object' || typeof value === 'function' ? 'unknown' : 'scalar';
}

/** Copies the state of `object`. */
export function saveFields(object: object, spec: FieldSpec = PLAIN): FieldsState {
  const from = object as Fields;
  const state = {
    scalarKeys: [] as string[],
    scalars: [] as unknown[],
    arrayKeys: [] as string[],
    arrays: [] as TypedArray[],
    partKeys: [] as string[],
    parts: [] as unknown[],
    recordKeys: [] as string[],
    records: [] as FieldsState[],
  };
  const seen = new Set<ArrayBufferLike>();
  for (const key of Object.keys(from)) {
    const value = from[key];
    switch (fieldKind(key, value, spec)) {
      case 'scalar':
        state.scalarKeys.push(key);
        state.scalars.push(value);
        break;
      case 'array': {
        // Views of one buffer (EAX, AX, AL) are one array.
        const array = value as TypedArray;
        if (seen.has(array.buffer)) break;
        seen.add(array.buffer);
        state.arrayKeys.push(key);
        state.arrays.push(array.slice());
        break;
      }
      case 'part':
        state.partKeys.push(key);
        state.parts.push((value as Stateful).saveState());
        break;
      case 'record':
        state.recordKeys.push(key);
        state.records.push(saveFields(value as object));
        break;
      default:
        break;
    }
  }
  return state;
}

/** Puts a state back. A field that has its value already is not written: V8 may know it as a constant. */
export function loadFields(object: object, state: FieldsState): void {
  const to = object as Fields;
  const { scalarKeys, scalars, arrayKeys, arrays, partKeys, parts, recordKeys, records } = state;
  for (let i = 0; i < scalarKeys.length; i++) {
    if (to[scalarKeys[i]] !== scalars[i]) to[scalarKeys[i]] = scalars[i];
  }
  for (let i = 0; i < arrayKeys.length; i++) (to[arrayKeys[i]] as TypedArray).set(arrays[i]);
  for (let i = 0; i < partKeys.length; i++) (to[partKeys[i]] as Stateful).loadState(parts[i]);
  for (let i = 0; i < recordKeys.length; i++) loadFields(to[recordKeys[i]] as object, records[i]);
}

/**
 * Checks that `object` has the parts that the state is of, and no others.
 *
 * @throws EmulatorError `E_ARGUMENT` that names the field.
 */
export function checkParts(what: string, object: object, state: FieldsState): void {
  const own = object as Fields;
  for (const key of state.partKeys) {
    if (isStateful(own[key])) continue;
    throw new EmulatorError('E_ARGUMENT', `snapshot: ${what} has no ${key}, which the snapshot has`);
  }
  for (const key of state.scalarKeys) {
    if (!isStateful(own[key])) continue;
    throw new EmulatorError('E_ARGUMENT', `snapshot: ${what} has a ${key}, which the snapshot has not`);
  }
}
