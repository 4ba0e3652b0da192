// Servers: the table of options from which the form, its checks and the record of the API come.
// PUT replaces the whole record, so `record` always carries every field of the contract, those
// the form does not show too.

import { dnsProblem } from './dns.js';
import { networkProblem, portProblem } from './network.js';
import { nameProblem } from './text.js';

const optional = (check) => (value) => (value === '' || value === 0 ? null : check(value));
const positive = (value) => (value >= 0 ? null : 'Use a whole number.');

/** `live`: may change while the server runs. `zero`: what an empty field means to the API. */
const TABLE = [
  {
    title: 'Basics',
    fields: [
      { name: 'name', kind: 'text', label: 'Name', required: true, live: true, filtered: true,
        hint: 'Letters, digits and - _ . without spaces. Users see it in their client.' },
      { name: 'network', kind: 'text', label: 'Tunnel network', placeholder: 'chosen for you',
        hint: 'Clients get their addresses from it, for example 10.20.0.0/16.',
        check: optional(networkProblem) },
      { name: 'protocol', kind: 'select', label: 'Protocol',
        hint: 'UDP is faster. TCP passes strict firewalls.',
        options: [['udp', 'UDP'], ['tcp', 'TCP']] },
      { name: 'port', kind: 'integer', label: 'Port', placeholder: 'chosen for you',
        hint: 'Open it in the firewall in front of this host.', check: optional(portProblem) },
      { name: 'dns_servers', kind: 'dns', label: 'DNS while connected', check: dnsProblem },
      { name: 'otp_auth', kind: 'toggle', label: 'Require one-time codes',
        hint: 'Users type the six digits of their authenticator app as well.' },
    ],
  },
  {
    title: 'Who may connect',
    advanced: true,
    fields: [
      { name: 'groups', kind: 'list', label: 'Groups',
        hint: 'Only users in one of them. Empty: all users of the organizations.' },
      { name: 'max_clients', kind: 'integer', label: 'Clients at most', placeholder: '2000',
        check: positive },
      { name: 'max_devices', kind: 'integer', label: 'Devices per user at most',
        placeholder: 'no limit', check: positive },
      { name: 'multi_device', kind: 'toggle', label: 'Several devices at once',
        hint: 'One user may be connected from more than one device.' },
      { name: 'inter_client', kind: 'toggle', label: 'Clients reach each other',
        hint: 'Off: clients see only what is routed.' },
      { name: 'restrict_routes', kind: 'toggle', label: 'Only listed routes',
        hint: 'Traffic to anything that is not in the routes is dropped.' },
      { name: 'session_timeout', kind: 'integer', label: 'Session time-out, seconds',
        placeholder: 'none', check: positive },
      { name: 'inactive_timeout', kind: 'integer', label: 'Idle time-out, seconds',
        placeholder: 'none', check: positive },
    ],
  },
  {
    title: 'Encryption',
    advanced: true,
    fields: [
      { name: 'cipher', kind: 'select', label: 'Cipher', options: [
        ['aes256', 'AES 256'], ['aes128', 'AES 128'], ['chacha20poly1205', 'ChaCha20-Poly1305'],
        ['aes192', 'AES 192'], ['bf256', 'Blowfish 256 (weak)'], ['bf128', 'Blowfish 128 (weak)'],
        ['none', 'None (unencrypted)'],
      ] },
      { name: 'hash', kind: 'select', label: 'Authentication hash', options: [
        ['sha256', 'SHA-256'], ['sha512', 'SHA-512'], ['sha1', 'SHA-1 (old)'],
        ['md5', 'MD5 (weak)'], ['none', 'None'],
      ] },
      { name: 'dh_param_bits', kind: 'select', label: 'DH parameters', integer: true, options: [
        [2048, '2048 bit'], [3072, '3072 bit'], [4096, '4096 bit'], [1536, '1536 bit (weak)'],
        [1024, '1024 bit (weak)'],
      ] },
    ],
  },
  {
    title: 'Network details',
    advanced: true,
    fields: [
      { name: 'search_domain', kind: 'text', label: 'Search domain',
        hint: 'Appended to short names. Needs a DNS server.' },
      { name: 'bind_address', kind: 'text', label: 'Listen on address',
        placeholder: 'all addresses' },
      { name: 'ping_interval', kind: 'integer', label: 'Ping every, seconds', placeholder: '3',
        check: positive },
      { name: 'ping_timeout', kind: 'integer', label: 'Client lost after, seconds',
        placeholder: '10', check: positive },
      { name: 'mss_fix', kind: 'integer', label: 'MSS limit', placeholder: 'automatic',
        check: positive },
      { name: 'tun_mtu', kind: 'integer', label: 'Tunnel MTU', placeholder: 'automatic',
        check: positive },
      { name: 'block_outside_dns', kind: 'toggle', label: 'Block other DNS on Windows',
        live: true },
      { name: 'debug', kind: 'toggle', label: 'Debug output' },
      { name: 'pre_connect_msg', kind: 'area', label: 'Message before connecting', live: true,
        hint: 'Shown by clients that support it.' },
    ],
  },
];

const isTyped = ({ kind }) => !['select', 'toggle', 'dns'].includes(kind);

export const GROUPS = TABLE.map((group) => ({
  ...group,
  fields: group.fields.map((field) => ({
    ...field, optional: isTyped(field) && !field.required,
  })),
}));

export const FIELDS = GROUPS.flatMap((group) => group.fields);

// Everything PUT and POST take, with the value that stands for "not set".
const RECORD = {
  name: '', network: '', network_wg: '', network_mode: 'tunnel', network_start: '',
  network_end: '', wg: false, port: 0, port_wg: 0, protocol: 'udp', bind_address: '',
  dh_param_bits: 2048, cipher: 'aes256', hash: 'sha256', groups: [], dns_servers: [],
  search_domain: '', ipv6: false, ipv6_firewall: true, restrict_routes: true,
  multi_device: false, inter_client: false, otp_auth: false, sso_auth: false,
  lzo_compression: false, block_outside_dns: false, jumbo_frames: false, dns_mapping: false,
  route_dns: false, debug: false, vxlan: true, hide_ovpn: false, ovpn_dco: false,
  dynamic_firewall: false, bypass_sso_auth: false, geo_sort: false, force_connect: false,
  device_auth: false, multihome: false, ping_interval: 0, ping_timeout: 0,
  ping_interval_wg: 0, ping_timeout_wg: 0, link_ping_interval: 0, link_ping_timeout: 0,
  inactive_timeout: 0, session_timeout: 0, allowed_devices: '', max_clients: 0, max_devices: 0,
  replica_count: 0, mss_fix: 0, tun_mtu: 0, fragment: 0, pre_connect_msg: '', policy: '',
};

/** A new server as the form first shows it. */
export const fresh = () => ({ ...RECORD });

const emptyOf = (zero) => {
  if (typeof zero === 'boolean') return false;
  if (typeof zero === 'number') return 0;
  return Array.isArray(zero) ? [] : '';
};

/** The whole record of the API: what the form holds, empty values as the API writes them. */
export function record(server) {
  const entries = Object.entries(RECORD).map(([name, zero]) => [
    name,
    server[name] ?? emptyOf(zero),
  ]);
  return Object.fromEntries(entries);
}

/** Problems by field name; none when the record may be sent. */
export function problems(server) {
  const found = {};
  for (const field of FIELDS) {
    const value = server[field.name];
    const missing = field.required && nameProblem(value);
    if (missing) found[field.name] = missing;
    const wrong = value == null ? null : field.check?.(value);
    if (wrong) found[field.name] = wrong;
  }
  if (server.search_domain && !server.dns_servers?.length) {
    found.dns_servers = 'A search domain needs at least one DNS server.';
  }
  if (server.ping_interval && server.ping_timeout &&
      server.ping_interval + 5 > server.ping_timeout) {
    found.ping_interval = 'Keep it at least 5 seconds below the time-out.';
  }
  return found;
}

/** Where it runs, as names; none while it runs nowhere. */
export const places = ({ instances = [] }) =>
  instances.map((instance) => instance.host_name).join(', ');

/** How an attached host stands to a server, as `{of, word}` of a state. */
export function standing(server, host) {
  if (host?.status !== 'online') return { of: 'gone' };
  const instance = server.instances?.find((one) => one.host === host.id);
  if (!instance) return { of: 'ready', word: 'Stands by' };
  if (!instance.started) return { of: 'pending', word: 'Starting' };
  return { of: 'online', word: 'Runs here' };
}

export const address = (server) => `${server.port}/${server.protocol}`;

/** What stands in the way of a start, as words and the tab to mend it on; null if nothing. */
export function obstacle(organizations, hosts) {
  if (organizations?.length === 0) return 'Attach an organization first: its users may connect.';
  if (hosts?.length === 0) return 'Attach a host first: a server runs on at least one.';
  if (hosts && !hosts.some((host) => host.status === 'online')) {
    return 'None of the attached hosts is online.';
  }
  return null;
}
