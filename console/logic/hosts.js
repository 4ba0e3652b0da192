// Hosts in words: how many live, what runs on one, where else the console is.

const isAlive = (host) => host.status === 'online';

/** `3 online`, `2 online, 1 offline`. */
export function summary(hosts) {
  const alive = hosts.filter(isAlive).length;
  const gone = hosts.length - alive;
  return [`${alive} online`, gone > 0 && `${gone} offline`].filter(Boolean).join(', ');
}

/** What a host carries: its servers, and how many jobs. */
export const load = (host, servers, jobs) => ({
  servers: servers.filter(({ instances = [] }) => instances.some((one) => one.host === host.id)),
  jobs: jobs.filter((job) => job.state === 'running' && job.holder === host.name).length,
});

/** Other hosts that had an address and lived when they were last heard of: each has the console
 *  too. */
export const others = (hosts, here) =>
  hosts.filter((host) => isAlive(host) && host.id !== here && host.public_addr);
