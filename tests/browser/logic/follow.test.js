import assert from 'node:assert/strict';
import test from 'node:test';
import { backoffMs, begin, concerns, step, woken } from '../../../console/logic/follow.js';

const events = (...ids) => ({
  kind: 'events',
  items: ids.map((id) => ({ id, type: 't', resource_id: null })),
});

const run = (outcomes) =>
  outcomes.reduce(
    ({ state, log }, outcome) => {
      const next = step(state, outcome, 0.5);
      return { state: next.state, log: [...log, next.messages.map((m) => m.phase ?? m.kind)] };
    },
    { state: begin(), log: [] },
  );

test('the cursor is the last event and survives empty answers and failures', () => {
  const { state } = run([events('a', 'b'), events(), { kind: 'failed' }, events()]);
  assert.equal(state.cursor, 'b');
});

test('a connection that comes back reloads the data once', () => {
  const { log } = run([events('a'), { kind: 'failed' }, { kind: 'failed' }, events('c'), events()]);
  assert.deepEqual(log, [
    ['live', 'gap', 'events'], ['lost'], [], ['live', 'gap', 'events'], [],
  ]);
});

test('one that is woken says again what it finds, and that something was missed', () => {
  const { state } = run([events('a'), { kind: 'failed' }]);
  const kinds = (next) => next.messages.map((m) => m.phase ?? m.kind);
  assert.deepEqual(kinds(step(woken(state), { kind: 'failed' }, 0.5)), ['lost']);
  assert.deepEqual(kinds(step(woken(state), events(), 0.5)), ['live', 'gap']);
});

test('without a cursor every answer may hide something', () => {
  const { log } = run([events(), events(), events('a'), events()]);
  assert.deepEqual(log, [['live', 'gap'], ['gap'], ['gap', 'events'], []]);
});

test('a database away waits as long as it asks for', () => {
  const next = step(begin(), { kind: 'away', retryMs: 1234 }, 0.5);
  assert.deepEqual([next.waitMs, next.state.phase], [1234, 'away']);
});

test('signed out stops', () => {
  assert.equal(step(begin(), { kind: 'refused' }, 0).stop, true);
});

test('back-off grows, stays bounded and is never zero', () => {
  const waits = [1, 2, 3, 10, 1000].map((failures) => backoffMs(failures, 0.5));
  assert.deepEqual(waits, [...waits].sort((a, b) => a - b));
  assert.ok(waits[0] >= 300 && waits.at(-1) <= 2_000);
});

test('events concern who follows their type and resource', () => {
  const rows = [
    [[['a']], { type: 'a', resource_id: 'x' }, true],
    [[['a', 'x']], { type: 'a', resource_id: 'x' }, true],
    [[['a', 'x']], { type: 'a', resource_id: 'y' }, false],
    [[['a', 'x']], { type: 'a', resource_id: null }, true],
    [[['a'], ['b']], { type: 'b', resource_id: null }, true],
    [[['a']], { type: 'b', resource_id: null }, false],
  ];
  for (const [follows, event, want] of rows) assert.equal(concerns(follows, event), want);
});
