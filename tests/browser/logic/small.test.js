// The small ones: drafts, search, passwords, settings, advice.

import assert from 'node:assert/strict';
import test from 'node:test';
import { firstRun, warnings } from '../../../console/logic/advice.js';
import { edit, isDirty, merge } from '../../../console/logic/draft.js';
import { passwordProblems } from '../../../console/logic/password.js';
import { find, matchingLines } from '../../../console/logic/search.js';
import { adminRecord, settingsRecord } from '../../../console/logic/settings.js';

test('a draft keeps only what was touched, and forgets what was undone', () => {
  const base = { name: 'a', port: 1 };
  const changes = edit({}, base, 'name', 'b');
  assert.deepEqual(merge({ ...base, port: 2 }, changes), { name: 'b', port: 2 });
  assert.equal(isDirty(edit(changes, base, 'name', 'a')), false);
});

test('search ignores case, accents and order of words; prefixes come first', () => {
  const entries = ['my office', 'Office', 'Café Zürich'].map((title) => ({ title }));
  assert.deepEqual(find(entries, 'office').map((one) => one.title), ['Office', 'my office']);
  assert.equal(find(entries, 'zurich cafe').length, 1);
  assert.equal(find(entries, 'x').length, 0);
  assert.equal(find(entries, '').length, 3);
});

test('lines are found by all their words', () => {
  const lines = ['TLS: Error', 'error on udp', 'fine'];
  assert.deepEqual(matchingLines(lines, 'error').map((one) => one.number), [0, 1]);
  assert.deepEqual(matchingLines(lines, 'udp', [7, 8]).map((one) => one.at), [8]);
  assert.deepEqual(matchingLines(lines, 'udp ERROR').map((one) => one.number), [1]);
});

test('passwords', () => {
  const good = { username: 'a', password: 'long enough', again: 'long enough' };
  assert.deepEqual(passwordProblems(good), {});
  assert.deepEqual(Object.keys(passwordProblems({ ...good, again: 'x' })), ['again']);
  assert.deepEqual(Object.keys(passwordProblems({ ...good, password: 'a', again: 'a' })),
    ['password']);
  const four = '🐇🐇🐇🐇';
  assert.deepEqual(Object.keys(passwordProblems({ ...good, password: four, again: four })),
    ['password'], 'characters are counted as the server counts them');
  assert.deepEqual(Object.keys(passwordProblems({ ...good, username: ' ' })), ['username']);
});

test('records of administrators and settings never send an old password', () => {
  const me = { id: '1', username: 'a', super_user: true, token: 't', secret: 's', password: 'p' };
  const sent = adminRecord(me, { auth_api: true });
  assert.deepEqual([sent.password, sent.token, sent.secret, sent.super_user, sent.auth_api],
    ['', '', '', true, true]);
  const settings = settingsRecord({ ...me, pin_mode: 'optional' }, { pin_mode: 'required' });
  assert.deepEqual([settings.username, settings.password, settings.pin_mode],
    ['', '', 'required']);
});

test('the first run goes step by step', () => {
  const steps = (facts) => firstRun(facts).map((step) => step.done);
  const status = { user_count: 0, users_online: 0 };
  const nothing = { status, organizations: [], servers: [] };
  assert.deepEqual(steps(nothing), [false, false, false, false, false]);
  const half = { status: { ...status, user_count: 1 }, organizations: [{ id: 'o' }],
    servers: [{ id: 's', status: 'offline' }] };
  assert.deepEqual(steps(half), [true, true, true, false, false]);
  assert.equal(firstRun(half)[3].href, '#/servers/s');
  // At night nobody may be online, and what was started may be stopped.
  assert.deepEqual(firstRun({ ...half, status: { user_count: 50, users_online: 0 } }), []);
});

test('the gravest warning comes first, a healthy cluster has none', () => {
  const calm = { status: {}, servers: [], pools: [], jobs: [], tasks: [],
    hosts: [{ name: 'a', status: 'online' }] };
  assert.deepEqual(warnings(calm), []);
  const bad = { ...calm, hosts: [...calm.hosts, { name: 'b', status: 'offline' }],
    pools: [{ kind: 'k', depth: 0, target: 1, making: 0 }] };
  assert.deepEqual(warnings(bad).map((one) => one.level), ['bad', 'warn']);
  const making = { ...calm, pools: [{ ...bad.pools[0], making: 1 }] };
  assert.deepEqual(warnings(making).map((one) => one.level), ['info']);
  const stuck = { ...bad, servers: [
    { id: 's', name: 'office', status: 'pending', failure: 'The port is taken.' },
    { id: 't', name: 'lab', status: 'offline' },
  ] };
  assert.deepEqual(warnings(stuck)[0], { level: 'bad', text: 'Server office does not run.',
    cure: 'The port is taken.', href: '#/servers/s' });
  assert.equal(warnings(stuck).length, 3);
});
