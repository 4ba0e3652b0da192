import assert from 'node:assert/strict';
import test from 'node:test';
import { ENOUGH, searchUsers } from '../../../console/logic/people.js';

const organizations = (many) => Array.from({ length: many }, (_, i) => ({ id: String(i) }));
const later = () => new Promise((resolve) => setTimeout(resolve, 1));

async function run(many, answer, wanted = () => true) {
  const seen = { asked: [], at_once: 0, most: 0, told: [] };
  seen.complete = await searchUsers({
    organizations: organizations(many),
    wanted,
    onFound: (hits) => seen.told.push(hits.map((hit) => hit.user.name)),
    ask: async (organization) => {
      seen.asked.push(organization.id);
      seen.at_once += 1;
      seen.most = Math.max(seen.most, seen.at_once);
      await later();
      seen.at_once -= 1;
      return answer(organization);
    },
  });
  return seen;
}

test('all organizations are asked, a few at a time, and hits keep their order', async () => {
  const seen = await run(10, ({ id }) => (Number(id) % 4 === 1 ? [{ name: `u${id}` }] : []));
  assert.equal(seen.asked.length, 10);
  assert.ok(seen.most <= 3, String(seen.most));
  assert.deepEqual(seen.told.at(-1), ['u1', 'u5', 'u9']);
  assert.equal(seen.complete, true);
});

test('enough is enough', async () => {
  const seen = await run(1_000, () => [{ name: 'a' }, { name: 'b' }]);
  assert.ok(seen.asked.length <= ENOUGH, String(seen.asked.length));
  assert.equal(seen.told.at(-1).length, ENOUGH);
});

test('an answer that nobody waits for any more is dropped, and no more is asked', async () => {
  let left = 2;
  const seen = await run(10, () => [{ name: 'a' }], () => {
    left -= 1;
    return left >= 0;
  });
  assert.deepEqual(seen.told, []);
  assert.ok(seen.asked.length <= 3);
});

test('one that fails does not hide the others, but is known', async () => {
  const seen = await run(3, ({ id }) => {
    if (id === '0') throw new Error('away');
    return [{ name: id }];
  });
  assert.deepEqual(seen.told.at(-1), ['1', '2']);
  assert.equal(seen.complete, false);
});
