import assert from 'node:assert/strict';
import test from 'node:test';
import { begin, columns, sample, span } from '../../../console/logic/throughput.js';

const client = (id, bytes_received, bytes_sent) => ({ id, bytes_received, bytes_sent });

test('rates come from the difference of two samples', () => {
  let history = sample(begin(), [client('a', 100, 1_000)], 10);
  history = sample(history, [client('a', 300, 5_000)], 12);
  assert.deepEqual(history.points, [{ at: 12, received: 100, sent: 2_000 }]);
  assert.deepEqual(history.perClient.get('a'), { down: 2_000, up: 100 });
  assert.deepEqual(columns(history), [[12], [2_000], [100]]);
});

test('clients that come, go or start anew never make a spike', () => {
  let history = sample(begin(), [client('a', 1e9, 1e9), client('b', 5, 5)], 0);
  history = sample(history, [client('c', 7e9, 7e9), client('a', 0, 0)], 1);
  assert.deepEqual(history.points, [{ at: 1, received: 0, sent: 0 }]);
});

test('two samples at the same moment are one, and the past is bounded', () => {
  let history = sample(begin(), [], 0);
  assert.equal(sample(history, [], 0.1), history);
  for (let at = 1; at < 1_000; at += 1) history = sample(history, [], at);
  assert.equal(history.points.length, 240);
});

test('the axis ends now until there are two points, then with the last one', () => {
  assert.deepEqual(span([], 5_000, 180), [4_820, 5_000]);
  assert.deepEqual(span([4_990], 5_000, 180), [4_820, 5_000]);
  assert.deepEqual(span([4_990, 4_999], 5_000, 180), [4_819, 4_999]);
  assert.deepEqual(span([4_000, 4_999], 5_000, 180), [4_000, 4_999]);
});
