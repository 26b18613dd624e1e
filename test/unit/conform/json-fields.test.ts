import { describe, expect, it } from 'vitest';
import {
  arrayField,
  asBytes,
  asNumber,
  asRow,
  numberField,
  objectField,
  parseVector,
  stringField,
} from '../../../src/conform/json-fields.ts';

describe('fields of a vector', () => {
  const vector = parseVector('{"n": 5, "s": "0aFf", "a": [1, 2], "o": {"x": 1}}');

  it('are returned when they are what they should be', () => {
    expect(numberField(vector, 'n', 5)).toBe(5);
    expect(stringField(vector, 's')).toBe('0aFf');
    expect(asBytes(vector.s, 's')).toEqual(Uint8Array.of(10, 255));
    expect(arrayField(vector, 'a')).toEqual([1, 2]);
    expect(asRow(vector.a, 'a', 2)).toEqual([1, 2]);
    expect(objectField(vector, 'o')).toEqual({ x: 1 });
  });

  it.each([
    [
      'a number out of range',
      () => numberField(vector, 'n', 4),
      /field "n" is not a whole number from 0 to 0x4/,
    ],
    ['a number that is text', () => asNumber('5', 'n', 9), /field "n"/],
    ['a fraction', () => asNumber(1.5, 'n', 9), /field "n"/],
    ['a missing object', () => objectField(vector, 'q'), /field "q" is not an object/],
    ['an array for an object', () => objectField(vector, 'a'), /field "a" is not an object/],
    ['an object for an array', () => arrayField(vector, 'o'), /field "o" is not an array/],
    ['a short row', () => asRow(vector.a, 'a', 3), /field "a" is not an array of 3 elements/],
    ['half a byte', () => asBytes('abc', 'code'), /field "code" is not a string of hex bytes/],
    ['no hex', () => asBytes('zz', 'code'), /field "code"/],
    ['broken JSON', () => parseVector('{"n":'), /^not JSON/],
    ['JSON that is no object', () => parseVector('[1]'), /^not a JSON object/],
  ])('refuse %s and name the field', (_what, read, message) => {
    expect(read).toThrow(
      expect.objectContaining({ code: 'E_VECTOR', message: expect.stringMatching(message) }),
    );
  });
});
