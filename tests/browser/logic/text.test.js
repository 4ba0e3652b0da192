import assert from 'node:assert/strict';
import test from 'node:test';
import { filtered, nameProblem, removal } from '../../../console/logic/text.js';

test('what the server removes from a name is said before', () => {
  assert.equal(removal('acme'), null);
  assert.equal(removal('a-b_c@d.e:f/g!h#i$j&k*l+m?n^o|p~q=r'), null);
  assert.equal(removal('ac me'), 'Saved as “acme”. Removed: spaces');
  assert.equal(removal('a "b" c,'), 'Saved as “abc”. Removed: spaces " ,');
  assert.equal(removal('%'), 'Removed: %');
  assert.match(removal('a\u0007b'), /invisible/);
  assert.match(removal('a%"\'(){}'), / …$/);
});

test('letters and digits of any script stay', () => {
  assert.equal(filtered('Zürich مرحبا 東京 ٣ ² 🐇'), 'Zürichمرحبا東京٣²');
});

test('a name of removed signs alone is none', () => {
  assert.match(nameProblem(''), /required/);
  assert.match(nameProblem('  '), /required/);
  assert.match(nameProblem('%%'), /letters/);
  assert.equal(nameProblem('a b'), null);
});
