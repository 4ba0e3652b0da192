// What the dashboard tells the administrator: the steps of the first run and what needs care.

import { plural } from './format.js';
import { to } from './route.js';
import { isCancelled, jobTitle, poolTitle } from './work.js';

/** With so many users nobody is new here, though at night none may be online. */
const USERS_OF_A_BEGINNER = 5;

/** Steps from nothing to a profile in somebody's hand, in order; the first open one is next. None
 *  for who went them long ago. */
export function firstRun({ status, organizations, servers }) {
  if (servers.length > 0 && status.user_count > USERS_OF_A_BEGINNER) return [];
  const org = organizations[0];
  const server = servers[0];
  const online = servers.some((one) => one.status === 'online');
  return [
    { title: 'Create an organization', done: organizations.length > 0, href: to.organizations(),
      why: 'It has its own certificate authority and holds users.' },
    { title: 'Add a user', done: status.user_count > 0,
      href: org ? to.newUser(org.id) : to.organizations(),
      why: 'A person or a machine that connects.' },
    { title: 'Create a server', done: servers.length > 0, href: to.newServer(),
      why: 'One OpenVPN port with a network behind it.' },
    { title: 'Start it', done: online, href: server ? to.server(server.id) : to.newServer(),
      why: 'It answers on its port as soon as it runs.' },
    { title: 'Hand out a profile', done: status.users_online > 0,
      href: org ? to.users(org.id) : to.organizations(),
      why: 'Download it from the user’s page and import it in any OpenVPN client.' },
  ];
}

/** What a program says, as a sentence among others. */
const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : '')
  .replace(/\.\.$/, '.');

const hostWarnings = (hosts) =>
  hosts
    .filter((host) => host.status !== 'online')
    .map((host) => ({
      level: 'bad',
      text: `Host ${host.name} is offline.`,
      cure: 'Its servers run on other hosts that may run them. Look at the machine.',
      href: to.hosts(),
    }));

/** Wanted, and running nowhere: its users can not connect. */
const serverWarnings = (servers) =>
  servers
    .filter((server) => server.status === 'pending')
    .map((server) => ({
      level: server.failure ? 'bad' : 'warn',
      text: `Server ${server.name} does not run.`,
      cure: server.failure ?? 'A host is about to start it, or none may.',
      href: to.server(server.id),
    }));

const poolWarnings = (pools) =>
  pools
    .filter((pool) => pool.depth === 0 && pool.target > 0)
    .map((pool) => ({
      level: pool.making > 0 ? 'info' : 'warn',
      text: `${poolTitle(pool.kind)}: none in store.`,
      cure: `${plural(pool.making, 'job')} under way; what needs one waits until then.`,
      href: to.work(),
    }));

const workWarnings = (jobs, tasks) => [
  ...jobs
    .filter((job) => job.state === 'failed' && !isCancelled(job))
    .map((job) => ({
      level: 'bad', text: `Job failed: ${jobTitle(job.kind)}.`, cure: sentence(job.error),
      href: to.work(),
    })),
  ...tasks
    .filter((task) => task.error)
    .map((task) => ({
      level: 'warn', text: `Task ${task.name} failed.`, cure: sentence(task.error), href: to.work(),
    })),
];

const clusterWarnings = (hosts, servers) =>
  hosts.length === 1 && servers.some((server) => server.status === 'online')
    ? [{
      level: 'info',
      text: 'Nothing can take over: there is only one host.',
      cure: 'A second machine on the same replica set would survive the loss of this one. A ' +
        'database of this host’s own can not be shared or moved: then begin with a replica set.',
      href: to.hosts(),
    }]
    : [];

/** Warnings, the gravest first. Parts that could not be loaded are simply empty. */
export function warnings({ status, hosts, servers, pools, jobs, tasks }) {
  const notice = status.notification
    ? [{ level: 'info', text: status.notification, cure: '', href: null }]
    : [];
  const all = [
    ...serverWarnings(servers), ...hostWarnings(hosts), ...workWarnings(jobs, tasks),
    ...poolWarnings(pools), ...clusterWarnings(hosts, servers), ...notice,
  ];
  const order = ['bad', 'warn', 'info'];
  return all.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}
