import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, to } from '../../../console/logic/route.js';

test('every address that is built is found again', () => {
  const rows = [
    [to.dashboard(), 'dashboard', {}],
    [to.users(), 'users', {}],
    [to.users('o1', { page: 2, q: 'a b' }), 'users', { org: 'o1' }],
    [to.user('o1', 'u1'), 'user', { org: 'o1', user: 'u1' }],
    [to.newUser('o1'), 'user', { org: 'o1', user: 'new' }],
    [to.server('s1'), 'server', { server: 's1' }],
    [to.server('s1', 'output'), 'server', { server: 's1', tab: 'output' }],
    [to.newServer(), 'server', { server: 'new' }],
    [to.hosts(), 'hosts', {}], [to.work(), 'work', {}], [to.account(), 'account', {}],
  ];
  for (const [hash, page, params] of rows) {
    const found = parse(hash);
    assert.deepEqual([hash, found.page, found.params], [hash, page, params]);
  }
});

test('queries survive, empty ones are left out', () => {
  assert.equal(parse(to.users('o1', { q: 'é & ?' })).query.get('q'), 'é & ?');
  assert.equal(to.users('o1', { q: '', page: null }), '#/users/o1');
});

test('nonsense is a missing page, not an exception', () => {
  for (const hash of ['#/nowhere', '#/servers/a/b/c', '#/users/%E0%A4%A', '#//%']) {
    assert.ok(typeof parse(hash).page === 'string');
  }
  assert.equal(parse('#/nowhere').page, 'missing');
});
