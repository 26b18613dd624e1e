import { describe, expect, it } from 'vitest';
import { parseQueueUrl } from '../../../../src/cli/campaigns/redis-url.ts';

describe('parseQueueUrl', () => {
  it.each([
    ['redis://h', { host: 'h', port: 6379, db: 0, shown: 'redis://h:6379' }],
    ['redis://h:7000/3', { host: 'h', port: 7000, db: 3, shown: 'redis://h:7000/3' }],
    ['redis://[::1]/', { host: '::1', port: 6379, db: 0, shown: 'redis://[::1]:6379' }],
    ['rediss://h', { host: 'h', port: 6379, db: 0, tls: {}, shown: 'rediss://h:6379' }],
    [
      'redis://u:p%40ss@h',
      { host: 'h', port: 6379, db: 0, username: 'u', password: 'p@ss', shown: 'redis://h:6379' },
    ],
  ])('reads %s', (text, url) => {
    expect(parseQueueUrl(text)).toEqual(url);
  });

  it.each([
    '',
    'h:6379',
    'http://h',
    'redis://',
    'redis://h/x',
    'redis://h/-1',
    'redis://h:0',
    'redis://h?x',
    'redis://h#x',
  ])('refuses %j', (text) => {
    expect(() => parseQueueUrl(text)).toThrow(/--queue: .* is not redis:\/\//);
  });

  it.each(['http://u:secret@h', 'redis://u:secret%zz@h', 'redis://u:secret@h/x'])(
    'keeps the password of %s',
    (text) => {
      expect(() => parseQueueUrl(text)).toThrow(/^(?!.*secret)/);
    },
  );
});
