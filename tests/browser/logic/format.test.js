import assert from 'node:assert/strict';
import test from 'node:test';
import { ago, bytes, duration, plural, rate } from '../../../console/logic/format.js';

test('bytes and rates have three digits and a unit', () => {
  const rows = [
    [bytes(0), '0 B'], [bytes(999), '999 B'], [bytes(1000), '1.0 kB'],
    [bytes(123_456), '123 kB'], [bytes(7.25e9), '7.3 GB'], [bytes(null), '0 B'],
    [rate(125), '1.0 kbit/s'], [rate(12_500_000), '100 Mbit/s'], [rate(-5), '0 bit/s'],
  ];
  for (const [got, want] of rows) assert.equal(got, want);
});

test('durations show the two largest units', () => {
  const rows = [
    [0, '0 s'], [59, '59 s'], [60, '1 min'], [61, '1 min 1 s'], [3_600, '1 h'],
    [3_661, '1 h 1 min'], [90_000, '1 d 1 h'], [86_400, '1 d'],
  ];
  for (const [seconds, want] of rows) assert.equal(duration(seconds), want);
  assert.equal(duration(null), null);
});

test('ago has one unit, and a clock that is a little off says just now', () => {
  assert.equal(ago(1_000, 1_003), 'just now');
  assert.equal(ago(1_010, 1_000), 'just now');
  assert.equal(ago(0, 7_300), '2 h ago');
});

test('plural counts', () => {
  assert.deepEqual([plural(1, 'user'), plural(2, 'user'), plural(0, 'user')],
    ['1 user', '2 users', '0 users']);
});
