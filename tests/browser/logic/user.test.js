import assert from 'node:assert/strict';
import test from 'node:test';
import { fresh, otpAddress, problems, record, spaced } from '../../../console/logic/user.js';

test('a PIN is kept, set or removed, never by accident', () => {
  const rows = [[true, true], ['123456', '123456'], ['', null], [false, null], [null, null]];
  for (const [pin, sent] of rows) assert.equal(record({ ...fresh(), pin }).pin, sent);
  assert.deepEqual(problems({ name: 'a', pin: '' }), {});
  assert.deepEqual(Object.keys(problems({ name: 'a', pin: '' }, true)), ['pin']);
});

test('PINs are checked while typing', () => {
  assert.deepEqual(problems({ name: 'a', pin: '123456' }), {});
  assert.match(problems({ name: 'a', pin: '12a456' }).pin, /digits/);
  assert.match(problems({ name: 'a', pin: '12345' }).pin, /6/);
  assert.ok(problems({ name: 'a', pin: true, bypass_secondary: true }).pin);
});

test('the record keeps what the form does not show', () => {
  const sent = record({ id: 'x', name: 'a', mac_addresses: ['02:00'], dns_suffix: null });
  assert.deepEqual(sent.mac_addresses, ['02:00']);
  assert.equal(sent.dns_suffix, '');
  assert.equal('id' in sent, false);
});

test('the address of the second factor escapes names', () => {
  const user = { name: 'a b', organization_name: 'c&d', otp_secret: 'ABCDEFGH' };
  assert.equal(otpAddress(user), 'otpauth://totp/a%20b%40c%26d?secret=ABCDEFGH');
  assert.equal(spaced('ABCDEFGHI'), 'ABCD EFGH I');
});
