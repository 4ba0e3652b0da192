// What views can show: each source says its key, how to load it and which events concern it.

import * as api from './api.js';

const SAMPLE_MS = 3_000;
const WORK_MS = 5_000;

/** Uptimes age on the screen: keep the moment instead. */
const since = (thing) => ({
  ...thing,
  since: thing.uptime == null ? null : Math.floor(Date.now() / 1000) - thing.uptime,
});

const each = (list) => list.map(since);

export const status = () => ({
  key: 'status',
  load: () => api.getStatus(),
  follows: [['organizations_updated'], ['users_updated'], ['servers_updated'], ['hosts_updated']],
});

export const settings = () => ({
  key: 'settings',
  load: () => api.getSettings(),
  follows: [['settings_updated'], ['administrators_updated']],
});

export const organizations = () => ({
  key: 'organizations',
  load: () => api.listOrganizations(),
  follows: [['organizations_updated']],
});

export const users = (org, wanted) => ({
  key: `users/${org}/${JSON.stringify(wanted)}`,
  load: () => api.listUsers(org, wanted),
  follows: [['users_updated', org]],
});

export const user = (org, id) => ({
  key: `user/${org}/${id}`,
  load: () => api.getUser(org, id),
  follows: [['users_updated', org]],
});

export const servers = () => ({
  key: 'servers',
  load: () => api.listServers().then(each),
  follows: [['servers_updated']],
});

export const server = (id) => ({
  key: `server/${id}`,
  load: () => api.getServer(id).then(since),
  follows: [['servers_updated']],
});

export const serverOrganizations = (id) => ({
  key: `server/${id}/organization`,
  load: () => api.listServerOrganizations(id),
  follows: [['server_organizations_updated', id]],
});

export const serverHosts = (id) => ({
  key: `server/${id}/host`,
  load: () => api.listServerHosts(id),
  follows: [['server_hosts_updated', id], ['hosts_updated']],
});

export const routes = (id) => ({
  key: `server/${id}/route`,
  load: () => api.listRoutes(id),
  follows: [['server_routes_updated', id]],
});

export const output = (id) => ({
  key: `server/${id}/output`,
  load: () => api.getOutput(id),
  follows: [['server_output_updated', id]],
});

export const clients = (id) => ({
  key: `server/${id}/client`,
  load: () => api.listClients(id),
  follows: [['servers_updated']],
  everyMs: SAMPLE_MS,
});

export const hosts = () => ({
  key: 'hosts',
  load: () => api.listHosts().then(each),
  follows: [['hosts_updated']],
});

export const pools = () => ({ key: 'pools', load: () => api.listPools(), everyMs: WORK_MS });

export const jobs = () => ({
  key: 'jobs',
  load: () => api.listJobs(),
  follows: [['jobs_updated']],
  everyMs: WORK_MS,
});

export const job = (id) => ({
  key: `job/${id}`,
  load: () => api.getJob(id),
  follows: [['jobs_updated']],
  everyMs: SAMPLE_MS,
});

export const tasks = () => ({
  key: 'tasks',
  load: () => api.listTasks(),
  follows: [['tasks_updated']],
  everyMs: WORK_MS,
});
