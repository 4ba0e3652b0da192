import assert from 'node:assert/strict';
import test from 'node:test';
import { load, others, summary } from '../../../console/logic/hosts.js';

const host = (id, status = 'online', address = `10.0.0.${id}`) =>
  ({ id, name: `h${id}`, status, public_addr: address });

test('how many hosts live', () => {
  assert.equal(summary([host(1), host(2)]), '2 online');
  assert.equal(summary([host(1), host(2, 'offline')]), '1 online, 1 offline');
});

test('what a host carries', () => {
  const servers = [{ id: 's', instances: [{ host: 1 }] }, { id: 't', instances: [] }, { id: 'u' }];
  const jobs = [{ state: 'running', holder: 'h1' }, { state: 'running', holder: 'h2' },
    { state: 'ready', holder: null }];
  const carried = load(host(1), servers, jobs);
  assert.deepEqual([carried.servers.map((server) => server.id), carried.jobs], [['s'], 1]);
});

test('where else the console is', () => {
  const hosts = [host(1), host(2), host(3, 'offline'), host(4, 'online', null)];
  assert.deepEqual(others(hosts, 1).map((one) => one.name), ['h2']);
});
