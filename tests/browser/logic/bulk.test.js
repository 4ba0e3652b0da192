import assert from 'node:assert/strict';
import test from 'node:test';
import {
  USERS_MAX,
  bodies,
  compared,
  heading,
  parse,
  preview,
  refusal,
} from '../../../console/logic/bulk.js';

const names = (rows) => rows.map((row) => [row.name, row.email]);

test('names alone, with an address, from spreadsheets and address books', () => {
  const text = 'alice\n bob , bob@example.org\r\n"carol";carol@example.org\n\n' +
    'dave\tdave@example.org\nErin <erin@example.org>\n';
  const rows = parse(text);
  assert.deepEqual(names(rows), [
    ['alice', ''], ['bob', 'bob@example.org'], ['carol', 'carol@example.org'],
    ['dave', 'dave@example.org'], ['Erin', 'erin@example.org'],
  ]);
  assert.deepEqual(rows.map((row) => row.line), [1, 2, 3, 5, 6]);
  assert.equal(refusal(rows), null);
});

test('what is wrong is said at its line', () => {
  const rows = parse('alice\n, a@b\n()\nbob, none\nalice\na,b@c,d\n');
  assert.deepEqual(rows.map((row) => row.problem), [
    null, 'The name is missing.', 'Use letters or digits.', 'This is no e-mail address.',
    'The same name as in line 1.', 'A name and an e-mail address at most, please.',
  ]);
  assert.equal(refusal(rows), '5 lines need mending.');
  assert.deepEqual(preview(rows, 3).map((row) => row.line), [2, 3, 4]);
  assert.equal(preview(rows, 100).length, rows.length);
});

test('a name is shown as it will be, and twins are found by that', () => {
  const rows = parse('Anna Maria\nAnnaMaria');
  assert.equal(rows[0].saved, 'AnnaMaria');
  assert.match(rows[1].problem, /line 1/);
});

test('a name that would be cut is a problem', () => {
  const rows = parse(`${'x'.repeat(128)}\n${'y'.repeat(129)}\n${'🐇 '.repeat(64)}b`);
  assert.deepEqual(rows.map((row) => Boolean(row.problem)), [false, true, false]);
  assert.match(rows[1].problem, /128/);
});

test('changed names are shown before those that stay', () => {
  const rows = parse('alice\nac me\n()\nbob\nb ob2');
  assert.deepEqual(preview(rows, 4).map((row) => row.line), [3, 2, 5, 1]);
});

test('who is there already is marked, and shown early', () => {
  const rows = compared(parse('alice\nb ob\n()'), [{ name: 'bob' }, { name: 'carol' }]);
  assert.deepEqual(rows.map((row) => row.twin), [false, true, false]);
  const again = compared(parse('alice\nbob'), [{ name: 'bob' }]);
  assert.deepEqual(preview(again, 2).map((row) => row.name), ['bob', 'alice']);
  assert.equal(refusal(again), null, 'it is no mistake');
});

test('the heading of a spreadsheet is nobody', () => {
  const text = '\nName,E-mail\nalice,alice@example.org';
  assert.equal(heading(text), 'Name,E-mail');
  assert.deepEqual(parse(text).map((row) => [row.line, row.name]), [[3, 'alice']]);
  assert.equal(heading('"User name";"Email address"\nx'), '"User name";"Email address"');
  for (const user of ['name', 'name,name@example.org', 'alice,a@b', '']) {
    assert.equal(heading(user), null, user);
  }
  assert.equal(parse('alice\nname,email')[1].problem, 'This is no e-mail address.');
});

test('nothing and too much are refused', () => {
  assert.match(refusal(parse(' \n ')), /at least one/);
  const many = (count) => parse(Array.from({ length: count }, (_, n) => `u${n}`).join('\n'));
  assert.equal(refusal(many(USERS_MAX)), null);
  assert.match(refusal(many(USERS_MAX + 1)), /At most/);
});

test('bodies carry only what is set', () => {
  const rows = parse('alice\nbob,bob@example.org');
  assert.deepEqual(bodies(rows), [{ name: 'alice' }, { name: 'bob', email: 'bob@example.org' }]);
  assert.deepEqual(bodies(rows, { groups: ['x'] })[0], { name: 'alice', groups: ['x'] });
});
