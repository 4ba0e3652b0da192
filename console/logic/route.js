// Addresses of the console: the part after `#`. Parsing and building stand together, so that a
// link can not name a page that does not exist.

const PAGES = [
  ['dashboard', []],
  ['organizations', ['organizations']],
  ['users', ['users']],
  ['users', ['users', ':org']],
  ['user', ['users', ':org', ':user']],
  ['servers', ['servers']],
  ['server', ['servers', ':server']],
  ['server', ['servers', ':server', ':tab']],
  ['hosts', ['hosts']],
  ['work', ['work']],
  ['account', ['account']],
];

const matches = (pattern, parts) =>
  pattern.length === parts.length &&
  pattern.every((piece, i) => piece.startsWith(':') || piece === parts[i]);

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function parse(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const parts = path.split('/').filter(Boolean).map(decode);
  const page = PAGES.find(([, pattern]) => matches(pattern, parts));
  const params = {};
  page?.[1].forEach((piece, i) => {
    if (piece.startsWith(':')) params[piece.slice(1)] = parts[i];
  });
  return { page: page?.[0] ?? 'missing', params, query: new URLSearchParams(query) };
}

function build(parts, query = {}) {
  const wanted = Object.entries(query).filter(([, value]) => value !== '' && value != null);
  const search = new URLSearchParams(wanted).toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${search ? `?${search}` : ''}`;
}

export const to = {
  dashboard: () => build([]),
  organizations: () => build(['organizations']),
  users: (org, query) => build(org ? ['users', org] : ['users'], query),
  user: (org, user) => build(['users', org, user]),
  newUser: (org) => build(['users', org, 'new']),
  manyUsers: (org) => build(['users', org, 'many']),
  servers: () => build(['servers']),
  server: (server, tab) => build(tab ? ['servers', server, tab] : ['servers', server]),
  newServer: () => build(['servers', 'new']),
  hosts: () => build(['hosts']),
  work: () => build(['work']),
  account: () => build(['account']),
};
