// The routes of the API, one function each, and nothing else. Object in, object out.

import { ask, call } from './http.js';

const get = (path) => call('GET', path);
const post = (path, body) => call('POST', path, body);
const put = (path, body = {}) => call('PUT', path, body);
const del = (path) => call('DELETE', path);

function query(values) {
  const wanted = Object.entries(values).filter(([, value]) => value !== '' && value != null);
  return wanted.length > 0 ? `?${new URLSearchParams(wanted)}` : '';
}

export const signIn = (credentials) => ask('POST', '/auth/session', credentials);
export const signOut = () => del('/auth/session');

export const getSettings = () => get('/settings');
export const putSettings = (settings) => put('/settings', settings);
export const putAdmin = (id, admin) => put(`/admin/${id}`, admin);

export const getStatus = () => get('/status');

export const listOrganizations = () => get('/organization');
export const createOrganization = (organization) => post('/organization', organization);
export const putOrganization = (id, organization) => put(`/organization/${id}`, organization);
export const deleteOrganization = (id) => del(`/organization/${id}`);

export const listUsers = (org, wanted) => get(`/user/${org}${query(wanted)}`);
export const getUser = (org, user) => get(`/user/${org}/${user}`);
export const createUser = (org, user) => post(`/user/${org}`, user);
export const createUsers = (org, users) => post(`/user/${org}/multi`, users);
export const putUser = (org, id, user) => put(`/user/${org}/${id}`, user);
export const deleteUser = (org, user) => del(`/user/${org}/${user}`);
export const renewOtpSecret = (org, user) => put(`/user/${org}/${user}/otp_secret`);

/** Addresses of downloads: links, not calls. */
export const archiveHref = (org, user) => `/data/${org}/${user}.tar`;
export const profileHref = (org, user, server) => `/data/${org}/${user}/${server}.key`;

export const listServers = () => get('/server');
export const getServer = (id) => get(`/server/${id}`);
export const createServer = (server) => post('/server', server);
export const putServer = (id, server) => put(`/server/${id}`, server);
export const deleteServer = (id) => del(`/server/${id}`);
export const operateServer = (id, operation) => put(`/server/${id}/operation/${operation}`);

export const listServerOrganizations = (id) => get(`/server/${id}/organization`);
export const attachOrganization = (id, org) => put(`/server/${id}/organization/${org}`);
export const detachOrganization = (id, org) => del(`/server/${id}/organization/${org}`);
export const listServerHosts = (id) => get(`/server/${id}/host`);
export const attachHost = (id, host) => put(`/server/${id}/host/${host}`);
export const detachHost = (id, host) => del(`/server/${id}/host/${host}`);

export const listRoutes = (id) => get(`/server/${id}/route`);
export const createRoute = (id, route) => post(`/server/${id}/route`, route);
export const deleteRoute = (id, route) => del(`/server/${id}/route/${route}`);

export const getOutput = (id) => get(`/server/${id}/output`);
export const clearOutput = (id) => del(`/server/${id}/output`);

export const listClients = (id) => get(`/server/${id}/client`);
export const kickClient = (id, client) => del(`/server/${id}/client/${client}`);

export const listHosts = () => get('/host');
export const listPools = () => get('/pool');
export const listJobs = () => get('/job');
export const getJob = (id) => get(`/job/${id}`);
export const retryJob = (id) => put(`/job/${id}/retry`);
export const deleteJob = (id) => del(`/job/${id}`);
export const listTasks = () => get('/task');
export const runTask = (name) => put(`/task/${name}/run`);
