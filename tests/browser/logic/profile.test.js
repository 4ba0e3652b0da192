import assert from 'node:assert/strict';
import test from 'node:test';
import { afterPolicy, afterServer, afterUser } from '../../../console/logic/profile.js';

test('a new profile is needed when the client must ask for something else', () => {
  const user = { pin: false, bypass_secondary: false, servers: [{}] };
  const rows = [
    [user, { pin: null }, null], [user, { pin: '123456' }, /not ask for the PIN/],
    [{ ...user, pin: true }, { pin: true }, null],
    [{ ...user, pin: true }, { pin: '654321' }, null],
    [{ ...user, pin: true }, { pin: null }, /still asks/],
    [{ ...user, bypass_secondary: true }, { pin: null, bypass_secondary: false }, /code/],
    [{ ...user, servers: [] }, { pin: '123456' }, null],
  ];
  for (const [before, sent, words] of rows) {
    if (words === null) assert.equal(afterUser(before, sent), null);
    else assert.match(afterUser(before, sent), words);
  }
});

test('profiles of a server are old when both ends must agree anew', () => {
  const server = { otp_auth: false, port: 1194, protocol: 'udp', cipher: 'aes256', hash: 'sha256' };
  const change = (changed) => afterServer(server, { ...server, ...changed });
  assert.equal(change({ name: 'other' }), null);
  assert.match(change({ otp_auth: true }), /may not ask/);
  assert.match(change({ port: 1195, protocol: 'tcp' }), /old port and protocol/);
  assert.match(afterServer({ ...server, otp_auth: true }, server), /still ask/);
});

test('PINs switched on or off make the profiles of those who have one old', () => {
  const change = (from, to) => afterPolicy({ pin_mode: from }, { pin_mode: to });
  assert.equal(change('optional', 'optional'), null);
  assert.equal(change('required', 'optional'), null);
  assert.match(change('optional', 'required'), /without a PIN are refused/);
  assert.match(change('disabled', 'optional'), /new profiles/);
  assert.match(change('optional', 'disabled'), /new profiles/);
});
