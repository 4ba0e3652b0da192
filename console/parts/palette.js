// Quick search: type a part of a name, go there. Arrow keys choose, Enter goes, Escape closes.

import * as api from '../api.js';
import { useData } from '../cache.js';
import * as data from '../data.js';
import { ENOUGH, searchUsers } from '../logic/people.js';
import { to } from '../logic/route.js';
import { find } from '../logic/search.js';
import { Dialog } from './dialog.js';
import { html, useEffect, useState } from './html.js';
import { Icon } from './icon.js';

const TYPING_MS = 250;
const NAMES_MAX = 8;

const PAGES = [
  ['Dashboard', 'dashboard', to.dashboard()],
  ['Organizations', 'organizations', to.organizations()],
  ['Users', 'users', to.users()],
  ['Servers', 'servers', to.servers()],
  ['New server', 'plus', to.newServer()],
  ['Hosts', 'hosts', to.hosts()],
  ['Work: pools, jobs, tasks', 'work', to.work()],
  ['Account and settings', 'account', to.account()],
].map(([title, icon, href]) => ({ title, icon, href, kind: 'Page' }));

function useEntries(organizations) {
  const servers = useData(data.servers()).value ?? [];
  return [
    ...PAGES,
    ...servers.map((server) => ({
      title: server.name, icon: 'servers', href: to.server(server.id), kind: 'Server',
    })),
    ...organizations.map((org) => ({
      title: org.name, icon: 'organizations', href: to.users(org.id), kind: 'Organization',
    })),
  ];
}

const entryOf = ({ user, organization }) => ({
  title: user.name, icon: 'account', href: to.user(organization.id, user.id),
  kind: `User in ${organization.name}`,
});

async function ask(organization, search) {
  const { users } = await api.listUsers(organization.id, { search, limit: ENOUGH });
  return users.filter((user) => user.type !== 'server');
}

const IDLE = { entries: [], busy: false, complete: true };

/** Users of all organizations, asked for once somebody stops typing. */
function useUsers(organizations, typed) {
  const [found, setFound] = useState(IDLE);
  const search = typed.trim();
  const ids = organizations.map((org) => org.id).join();
  useEffect(() => {
    setFound(search ? { ...IDLE, busy: true } : IDLE);
    if (!search) return undefined;
    let wanted = true;
    const timer = setTimeout(async () => {
      const complete = await searchUsers({
        organizations,
        ask: (organization) => ask(organization, search),
        wanted: () => wanted,
        onFound: (hits) => setFound({ entries: hits.map(entryOf), busy: true, complete: true }),
      });
      if (wanted) setFound((now) => ({ ...now, busy: false, complete }));
    }, TYPING_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [search, ids]);
  return found;
}

function State({ matches, users }) {
  const words = users.busy ? 'Searching users…'
    : !users.complete ? 'Not all users could be searched: an answer is missing.'
    : matches.length === 0 ? 'Nothing has this name.' : '';
  return html`<p class="soft palette-state" role="status">${words}</p>`;
}

const Match = ({ entry, index, chosen, onChoose }) => html`
  <li role="option" id=${`match-${index}`} aria-selected=${String(chosen)} class="palette-match"
    onMouseDown=${(event) => event.preventDefault()} onClick=${() => onChoose(entry)}>
    <${Icon} name=${entry.icon} /><span dir="auto">${entry.title}</span>
    <span class="soft">${entry.kind}</span>
  </li>`;

export function Palette({ onClose }) {
  const [typed, setTyped] = useState('');
  const [chosen, setChosen] = useState(0);
  const organizations = useData(data.organizations()).value ?? [];
  const users = useUsers(organizations, typed);
  // Users come after the rest and later: what is chosen meanwhile stays where it is.
  const names = find(useEntries(organizations), typed, typed.trim() ? NAMES_MAX : undefined);
  const matches = [...names, ...users.entries];
  const choose = (entry) => {
    onClose();
    location.hash = entry.href;
  };
  const press = (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move && matches.length > 0) {
      event.preventDefault();
      setChosen((chosen + move + matches.length) % matches.length);
    }
    // The browser would spend the first one on emptying the field.
    if (event.key === 'Escape') {
      event.preventDefault();
      onClose();
    }
    if (event.key === 'Enter' && matches[chosen]) {
      event.preventDefault();
      choose(matches[chosen]);
    }
  };
  const input = (event) => {
    setTyped(event.target.value);
    setChosen(0);
  };
  return html`
    <${Dialog} title="Go to" onClose=${onClose}>
      <div class="field">
        <input type="search" role="combobox" aria-expanded="true" aria-controls="matches"
          aria-label="Name of a page, server, organization or user" autocomplete="off"
          aria-activedescendant=${matches[chosen] ? `match-${chosen}` : undefined}
          value=${typed} onInput=${input} onKeyDown=${press} onBlur=${onClose} autofocus />
      </div>
      <ul class="palette" id="matches" role="listbox" aria-label="Matches">
        ${matches.map((entry, index) => html`
          <${Match} key=${entry.href} entry=${entry} index=${index} chosen=${index === chosen}
            onChoose=${choose} />`)}
      </ul>
      <${State} matches=${matches} users=${users} />
    <//>`;
}
