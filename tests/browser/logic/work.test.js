import assert from 'node:assert/strict';
import test from 'node:test';
import {
  arranged, bulkOrg, isCancelled, jobActions, jobProgress, jobState, jobTitle, milliseconds,
  poolLevel, poolState, poolTitle, poolUse, poolWanted, pooled, sampled, summary, taskResult,
  taskState, taskWhy,
} from '../../../console/logic/work.js';

const pool = (depth, target, making = 0, taken = 0) =>
  ({ depth, target, making, taken_10min: taken });
const job = (state, error = null, created = 0) => ({ state, error, created });

test('pools have names, also those of a newer server', () => {
  assert.equal(poolTitle('rsa4096'), 'RSA keys, 4096 bit');
  assert.equal(poolTitle('dh2048'), 'DH parameters, 2048 bit');
  assert.equal(poolTitle('horses'), 'horses');
});

test('a pool that nothing is kept in is named only', () => {
  const idle = { ...pool(0, 0), kind: 'dh1024' };
  const { shown, idle: named } = pooled([pool(1, 1), idle, pool(0, 0, 1), pool(1, 0)]);
  assert.equal(shown.length, 3);
  assert.deepEqual(named, ['DH parameters, 1024 bit']);
});

test('how a pool stands', () => {
  const rows = [
    [pool(8, 8), 'Full'], [pool(9, 8), 'Full'], [pool(0, 8), 'Empty'], [pool(3, 8, 5), 'Filling'],
    [pool(3, 0), 'Not kept'],
  ];
  for (const [one, word] of rows) assert.equal(poolState(one).word, word);
  assert.match(poolState(pool(3, 8, 5)).why, /5 in the making/);
});

test('more than wanted is no fraction', () => {
  assert.equal(poolWanted(pool(64, 64)), 'of 64 in store');
  assert.equal(poolWanted(pool(65, 64)), 'in store, 64 wanted');
  assert.equal(poolWanted(pool(3, 0)), 'of 0 in store');
});

test('a level never leaves its bar', () => {
  assert.deepEqual(poolLevel(pool(2, 8, 4)), { there: 0.25, coming: 0.5 });
  assert.deepEqual(poolLevel(pool(9, 8, 4)), { there: 1, coming: 0 });
  assert.deepEqual(poolLevel(pool(6, 8, 9)), { there: 0.75, coming: 0.25 });
  assert.deepEqual(poolLevel(pool(0, 0, 0)), { there: 0, coming: 0 });
});

test('the use of a pool, and how long it lasts', () => {
  assert.match(poolUse(pool(64, 64)), /^None taken/);
  assert.match(poolUse(pool(60, 64, 0, 10)), /^10 taken in 10 min, lasts 1 h$/);
  assert.doesNotMatch(poolUse(pool(0, 64, 0, 10)), /lasts/);
});

test('a pool is drawn as it was seen, each look once, the newest only', () => {
  let history = sampled([], pool(5, 8), 10);
  history = sampled(history, pool(5, 8), 10);
  history = sampled(history, pool(6, 8), 15);
  assert.deepEqual(history,
    [{ at: 10, depth: 5, target: 8 }, { at: 15, depth: 6, target: 8 }]);
  for (let at = 20; at < 2_000; at += 5) history = sampled(history, pool(7, 8), at);
  assert.deepEqual([history.length, history[0].at], [120, 1_400]);
});

test('what may be done about a job', () => {
  assert.deepEqual(jobActions(job('failed', 'no')), ['retry', 'remove']);
  assert.deepEqual(jobActions(job('ready')), ['cancel']);
  assert.deepEqual(jobActions(job('ready', 'once')), ['retry', 'cancel']);
  assert.deepEqual(jobActions(job('running')), ['cancel']);
  assert.deepEqual(jobActions(job('done')), ['remove']);
});

test('who cancels a job is not told that it failed', () => {
  const cancelled = job('failed', 'cancelled by an administrator');
  assert.ok(isCancelled(cancelled));
  assert.equal(jobState(cancelled).word, 'Cancelled');
  assert.deepEqual(jobState(job('failed', 'no entropy')), { of: 'failed' });
  assert.equal(jobState(job('ready', 'no entropy')).word, 'Trying again');
  assert.equal(jobTitle('private-key rsa2048'), 'RSA key, 2048 bit');
  assert.equal(jobTitle('private-key ed25519'), 'private-key ed25519');
  assert.equal(jobTitle('dh-params 2048'), 'DH parameters, 2048 bit');
  assert.equal(jobTitle('dance'), 'dance');
  assert.equal(jobTitle('bulk-users 5f0c'), 'New users');
  assert.equal(bulkOrg({ kind: 'bulk-users 5f0c' }), '5f0c');
  assert.equal(bulkOrg({ kind: 'private-key rsa2048' }), null);
});

test('how far a job got', () => {
  assert.deepEqual(jobProgress({ progress: 0.25, position: 1000, total: 4000 }),
    { of: 0.25, words: '1,000 of 4,000' });
  assert.deepEqual(jobProgress({ progress: 0.257, position: 0, total: 0 }),
    { of: 0.257, words: '25 %' });
  assert.equal(jobProgress({ progress: null, position: 0, total: 0 }), null);
});

test('what needs care comes first, and a crowd that waits is cut', () => {
  const crowd = Array.from({ length: 60 }, (_, n) => job('ready', null, n));
  const jobs = [...crowd, job('ready', 'once', 99), job('running'), job('failed', 'no')];
  const { rows, more } = arranged(jobs);
  assert.deepEqual(rows.map((one) => one.state),
    ['failed', 'running', 'ready', 'ready', 'ready', 'ready', 'ready', 'ready']);
  assert.equal(rows[2].error, 'once');
  const ordered = { ...job('ready', null, 999), total: 2000 };
  assert.equal(arranged([...crowd, ordered]).rows[0], ordered, 'an order is not hidden in a crowd');
  assert.equal(more, 55);
  assert.equal(arranged(jobs, true).rows.length, jobs.length);
  assert.equal(arranged(crowd.slice(0, 6)).more, 0, 'a button instead of one row is no gain');
  assert.equal(summary(jobs), '1 failed, 1 running, 61 waiting');
  assert.equal(summary([job('failed', 'cancelled by an administrator')]), '1 cancelled');
  assert.equal(summary([]), '');
});

test('tasks', () => {
  assert.match(taskWhy('pools'), /Refills/);
  assert.equal(taskWhy('dance'), '');
  assert.equal(taskState({ holder: 'h1', error: 'x' }).of, 'running');
  assert.equal(taskState({ error: 'x', done_at: 5 }).of, 'failed');
  assert.equal(taskState({ done_at: null }).word, 'Not yet run');
  assert.equal(taskState({ done_at: 5 }).of, 'done');
  assert.equal(taskResult({ done_at: null, found: 0, mended: 0 }), null);
  assert.equal(taskResult({ done_at: 5, found: 0, mended: 0 }), 'nothing to do');
  assert.equal(taskResult({ done_at: 5, found: 3, mended: 3 }), '3 mended');
  assert.equal(taskResult({ done_at: 5, found: 5, mended: 3 }), '3 of 5 finds mended');
  assert.equal(milliseconds(0), '< 1 ms');
  assert.equal(milliseconds(12), '12 ms');
  assert.equal(milliseconds(61_000), '1 min 1 s');
  assert.equal(milliseconds(null), null);
});
