import assert from 'node:assert/strict';
import test from 'node:test';
import {
  FIELDS, fresh, obstacle, places, problems, record, standing,
} from '../../../console/logic/server.js';

test('where a server runs, and how its hosts stand to it', () => {
  const instances = [{ host: '1', host_name: 'h1', started: 5 },
    { host: '2', host_name: 'h2', started: null }];
  assert.equal(places({ instances }), 'h1, h2');
  assert.equal(places({}), '');
  const word = (id, status = 'online') => standing({ instances }, { id, status }).word;
  assert.deepEqual([word('1'), word('2'), word('3')], ['Runs here', 'Starting', 'Stands by']);
  assert.equal(standing({ instances }, { id: '1', status: 'offline' }).of, 'gone');
  assert.equal(standing({ instances }, undefined).of, 'gone');
});

test('the record always carries every field, nulls as the zero value', () => {
  const sent = record({ name: 'a', network: '10.0.0.0/24', mss_fix: null, groups: null, port: 1 });
  assert.deepEqual(Object.keys(sent).sort(), Object.keys(record(fresh())).sort());
  assert.equal(sent.mss_fix, 0);
  assert.deepEqual(sent.groups, []);
  assert.equal(sent.vxlan, false);
  assert.ok(Object.values(sent).every((value) => value !== null && value !== undefined));
});

test('a record drops what the API does not take and keeps what the form does not show', () => {
  const given = { status: 'online', uptime: 5, ipv6: true, network_wg: '10.9.0.0/24' };
  const sent = record({ ...fresh(), ...given });
  assert.equal('status' in sent, false);
  assert.equal(sent.ipv6, true);
  assert.equal(sent.network_wg, '10.9.0.0/24');
});

test('every field of the form is part of the record', () => {
  const sent = record(fresh());
  for (const field of FIELDS) assert.ok(field.name in sent, field.name);
});

test('a new server needs a name only, and cipher and hash are always sent', () => {
  assert.deepEqual(problems(fresh()), { name: 'This is required.' });
  assert.deepEqual(problems({ ...fresh(), name: 'x' }), {});
  assert.equal(record(fresh()).cipher, 'aes256');
  assert.equal(record(fresh()).hash, 'sha256');
});

test('problems name their field', () => {
  const rows = [
    ['network', { network: '10.20.1.0/16' }], ['network', { network: 'lan' }],
    ['port', { port: 70_000 }], ['port', { port: Number.NaN }],
    ['dns_servers', { dns_servers: ['dns.example'] }],
    ['dns_servers', { search_domain: 'corp', dns_servers: [] }],
    ['ping_interval', { ping_interval: 10, ping_timeout: 12 }],
  ];
  for (const [field, change] of rows) {
    const found = problems({ ...fresh(), name: 'x', ...change });
    assert.deepEqual(Object.keys(found), [field], JSON.stringify(change));
  }
});

test('what stands in the way of a start', () => {
  const up = [{ status: 'online' }];
  assert.equal(obstacle([{}], up), null);
  assert.match(obstacle([], up), /organization/);
  assert.match(obstacle([{}], []), /host/);
  assert.match(obstacle([{}], [{ status: 'offline' }]), /online/);
  assert.equal(obstacle(undefined, undefined), null);
});
