// Who answers the names that clients ask for while connected. Sending them to somebody else is a
// choice that is made in sight, never a default.

import { addressesProblem } from './network.js';

/** An own list that is still empty: not the same as none. */
const OPEN = [''];

export const CHOICES = [
  { key: 'keep', label: 'Clients keep their own',
    hint: 'Nothing is changed: each client asks the servers of the network it is in.' },
  { key: 'own', label: 'Servers of mine',
    hint: 'Clients ask these for every name while connected, those of your networks too.' },
  ...[
    ['quad9', 'Quad9', ['9.9.9.9', '149.112.112.112']],
    ['cloudflare', 'Cloudflare', ['1.1.1.1', '1.0.0.1']],
    ['google', 'Google', ['8.8.8.8', '8.8.4.4']],
  ].map(([key, name, servers]) => ({
    key, servers, label: `${name} (${servers[0]})`,
    hint: `${name}, outside your network, learns every name that clients look up.`,
  })),
];

const same = (a, b) => a.length === b.length && a.every((one, i) => one === b[i]);

/** Which choice a list of servers is. */
export function choiceOf(list) {
  if (!list?.length) return CHOICES[0];
  return CHOICES.find(({ servers }) => servers && same(servers, list)) ?? CHOICES[1];
}

/** The list that stands for a choice, given the one before. */
export function chosen(key, before) {
  const { servers } = CHOICES.find((choice) => choice.key === key);
  if (servers) return servers;
  if (key === 'keep') return [];
  return choiceOf(before).key === 'own' ? before : OPEN;
}

/** What was typed as an own list. */
export const typedList = (text) => {
  const list = text.split(/[\s,]+/).filter(Boolean);
  return list.length > 0 ? list : OPEN;
};

export const isOpen = (list) => Array.isArray(list) && same(list, OPEN);

export const dnsProblem = (list) =>
  (isOpen(list) ? 'Type at least one address.' : addressesProblem(list));
