// Quick search: type a part of a name, go there. Arrow keys choose, Enter goes, Escape closes.

import * as data from '../data.js';
import { useData } from '../cache.js';
import { to } from '../logic/route.js';
import { find } from '../logic/search.js';
import { Dialog } from './dialog.js';
import { html, useState } from './html.js';
import { Icon } from './icon.js';

const PAGES = [
  ['Dashboard', 'dashboard', to.dashboard()],
  ['Organizations', 'organizations', to.organizations()],
  ['Servers', 'servers', to.servers()],
  ['New server', 'plus', to.newServer()],
  ['Hosts', 'hosts', to.hosts()],
  ['Work: pools, jobs, tasks', 'work', to.work()],
  ['Account and settings', 'account', to.account()],
].map(([title, icon, href]) => ({ title, icon, href, kind: 'Page' }));

function useEntries() {
  const servers = useData(data.servers()).value ?? [];
  const organizations = useData(data.organizations()).value ?? [];
  return [
    ...PAGES,
    ...servers.map((server) => ({
      title: server.name, icon: 'servers', href: to.server(server.id), kind: 'Server',
    })),
    ...organizations.map((org) => ({
      title: org.name, icon: 'users', href: to.users(org.id), kind: 'Organization',
    })),
  ];
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
  const matches = find(useEntries(), typed);
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
          aria-label="Name of a page, server or organization" autocomplete="off"
          aria-activedescendant=${matches[chosen] ? `match-${chosen}` : undefined}
          value=${typed} onInput=${input} onKeyDown=${press} onBlur=${onClose} autofocus />
      </div>
      <ul class="palette" id="matches" role="listbox" aria-label="Matches">
        ${matches.map((entry, index) => html`
          <${Match} key=${entry.href} entry=${entry} index=${index} chosen=${index === chosen}
            onChoose=${choose} />`)}
      </ul>
      ${matches.length === 0 && html`<p class="soft" role="status">Nothing has this name.</p>`}
    <//>`;
}
