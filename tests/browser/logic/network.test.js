import assert from 'node:assert/strict';
import test from 'node:test';
import { addressesProblem, isAddress, networkProblem, portProblem }
  from '../../../console/logic/network.js';

test('strict networks pass', () => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '192.168.1.7/32', '::/0', 'fd00::/8']) {
    assert.equal(networkProblem(text), null, text);
  }
});

test('host bits are named with the network that was meant', () => {
  assert.match(networkProblem('10.20.1.0/16'), /10\.20\.0\.0\/16/);
  assert.match(networkProblem('192.168.1.7/24'), /192\.168\.1\.0\/24/);
});

test('what is no network is refused', () => {
  for (const text of ['10.0.0.0', '10.0.0/8', '10.0.0.256/8', '10.0.0.0/33', 'x/8', '', '1/2/3']) {
    assert.notEqual(networkProblem(text), null, text);
  }
});

test('addresses and ports', () => {
  assert.ok(isAddress('9.9.9.9') && isAddress('2001:db8::1') && !isAddress('dns.example'));
  assert.equal(addressesProblem(['1.1.1.1', '::1']), null);
  assert.match(addressesProblem(['1.1.1.1', 'one']), /one/);
  assert.deepEqual([0, 1, 65_535, 65_536, 1.5].map((port) => portProblem(port) === null),
    [false, true, true, false, false]);
});
