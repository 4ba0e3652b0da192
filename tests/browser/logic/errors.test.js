import assert from 'node:assert/strict';
import test from 'node:test';
import { explain } from '../../../console/logic/errors.js';

test('the sentence of the server comes first, the cure is added', () => {
  const found = explain({ status: 400, id: 'network_in_use', message: 'Overlaps 10.1.0.0/16.' });
  assert.equal(found.text, 'Overlaps 10.1.0.0/16.');
  assert.equal(found.field, 'network');
  assert.match(found.cure, /free one/);
});

test('what the sentence of the server says is not said again', () => {
  const message = 'A password has at least 8 characters.';
  assert.deepEqual(explain({ status: 400, id: 'password_too_short', message }),
    { text: message, cure: '', field: 'password' });
});

test('without a sentence the status speaks, and it is never empty', () => {
  for (const status of [0, 400, 404, 413, 418, 429, 500, 503]) {
    assert.ok(explain({ status, id: null, message: '' }).text.length > 0);
  }
});

test('an unknown error with a sentence has no guessed cure', () => {
  assert.deepEqual(explain({ status: 500, id: 'new_one', message: 'It broke.' }),
    { text: 'It broke.', cure: '', field: null });
});
