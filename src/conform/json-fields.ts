/**
 * Checked access to the fields of one vector: a vector that is not what its FORMAT.md says becomes an
 * `E_VECTOR` error that names the field, never a wrong verdict.
 */
import { EmulatorError } from '../errors.ts';

/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
/** One vector, or an object in it. */
export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** The error of a field that is missing or of the wrong kind. */
export function fieldError(name: string, want: string): EmulatorError {
  return new EmulatorError('E_VECTOR', `field "${name}" is not ${want}`);
}

/** Whether `value` is an object (not an array, not null). */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses one line. @throws EmulatorError `E_VECTOR` when it is not a JSON object. */
export function parseVector(line: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch (error) {
    throw new EmulatorError(
      'E_VECTOR',
      `not JSON (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  if (!isObject(value)) throw new EmulatorError('E_VECTOR', 'not a JSON object');
  return value;
}

/** An object field. */
export function objectField(from: JsonObject, name: string): JsonObject {
  const value = from[name];
  if (!isObject(value)) throw fieldError(name, 'an object');
  return value;
}

/** An array field. */
export function arrayField(from: JsonObject, name: string): readonly Json[] {
  const value = from[name];
  if (!Array.isArray(value)) throw fieldError(name, 'an array');
  return value;
}

/** A text field. */
export function stringField(from: JsonObject, name: string): string {
  const value = from[name];
  if (typeof value !== 'string') throw fieldError(name, 'a string');
  return value;
}

/** A whole number from 0 to `max`. */
export function numberField(from: JsonObject, name: string, max: number): number {
  return asNumber(from[name], name, max);
}

/** `value` as a whole number from 0 to `max`; `name` is for the error. */
export function asNumber(value: Json | undefined, name: string, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw fieldError(name, `a whole number from 0 to 0x${max.toString(16)}`);
  }
  return value;
}

/** Bytes written as hex digits. */
export function asBytes(value: Json | undefined, name: string): Uint8Array {
  if (typeof value !== 'string' || value.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(value)) {
    throw fieldError(name, 'a string of hex bytes');
  }
  const bytes = new Uint8Array(value.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(value.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** `value` as an array of at least `len` elements. */
export function asRow(value: Json | readonly Json[] | undefined, name: string, len: number): readonly Json[] {
  if (!Array.isArray(value) || value.length < len) throw fieldError(name, `an array of ${len} elements`);
  return value as readonly Json[];
}
