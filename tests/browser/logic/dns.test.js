import assert from 'node:assert/strict';
import test from 'node:test';
import {
  CHOICES, choiceOf, chosen, dnsProblem, isOpen, typedList,
} from '../../../console/logic/dns.js';
import { fresh, problems } from '../../../console/logic/server.js';

test('every choice stands for a list that is read as the same choice', () => {
  for (const { key } of CHOICES) assert.equal(choiceOf(chosen(key, [])).key, key);
});

test('nothing is sent to anybody unless chosen', () => {
  assert.deepEqual(fresh().dns_servers, []);
  assert.equal(choiceOf(fresh().dns_servers).key, 'keep');
  assert.equal(choiceOf(null).key, 'keep');
});

test('an own list may begin like one that is known', () => {
  assert.equal(choiceOf(['9.9.9.9']).key, 'own');
  assert.deepEqual(chosen('own', ['10.0.0.1']), ['10.0.0.1']);
  assert.ok(isOpen(chosen('own', ['9.9.9.9', '149.112.112.112'])));
});

test('an own list must not stay empty, and never turns into none by itself', () => {
  assert.ok(isOpen(typedList(' ')));
  assert.deepEqual(typedList('10.0.0.1, 10.0.0.2'), ['10.0.0.1', '10.0.0.2']);
  assert.match(dnsProblem(typedList('')), /at least one/);
  assert.equal(dnsProblem([]), null);
  const found = problems({ ...fresh(), name: 'x', dns_servers: typedList('') });
  assert.deepEqual(Object.keys(found), ['dns_servers']);
});
