// Users of one organization: pages, search, and the way to each of them.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { count } from '../logic/format.js';
import { to } from '../logic/route.js';
import { connections } from '../logic/user.js';
import { LinkButton } from '../parts/button.js';
import { html, useEffect, useRef, useState } from '../parts/html.js';
import { Empty, List } from '../parts/list.js';
import { Card, Loaded, Page } from '../parts/page.js';
import { Pager } from '../parts/pager.js';
import { Status } from '../parts/status.js';
import { Ago } from '../parts/time.js';
import { BulkProgress } from './users-many.js';

const TYPING_MS = 250;
const SEARCH_FIRST = 25;

const state = (user) => (user.disabled ? 'disabled' : user.status ? 'online' : 'offline');

const where = (user) =>
  connections(user).map((one) => `${one.name} ${one.virt_address ?? ''}`).join(', ');

const columns = (org) => [
  { title: 'Name', class: 'main-cell',
    cell: (user) => html`<a dir="auto" href=${to.user(org, user.id)}>${user.name}</a>` },
  { title: 'State', class: 'state-cell', cell: (user) => html`<${Status} of=${state(user)} />` },
  { title: 'Connected to', cell: where },
  { title: 'E-mail', cell: (user) => user.email && html`<span dir="auto">${user.email}</span>` },
  { title: 'Groups', cell: (user) => user.groups?.join(', ') },
  { title: 'PIN', cell: (user) => (user.pin ? 'set' : 'none') },
  { title: 'Last active', cell: (user) => html`<${Ago} at=${user.last_active} />` },
];

/** The search box: what is typed becomes part of the address after a moment. */
function Search({ org, query }) {
  const [typed, setTyped] = useState(query);
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    if (query !== typed.trim()) setTyped(query);
  }, [query]);
  const input = (event) => {
    const text = event.target.value;
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => location.replace(to.users(org, { q: text.trim() })),
      TYPING_MS);
  };
  return html`
    <div class="field search">
      <input type="search" aria-label="Search users" placeholder="Search by name"
        value=${typed} onInput=${input} />
    </div>`;
}

function Chooser({ organizations, org }) {
  const choose = (event) => {
    location.hash = to.users(event.target.value);
  };
  return html`
    <div class="field chooser">
      <select aria-label="Organization" onChange=${choose}>
        ${organizations.map((one) => html`
          <option key=${one.id} value=${one.id} selected=${one.id === org}>${one.name}</option>`)}
      </select>
    </div>`;
}

const NoUsers = ({ org }) => html`
  <${Empty} title="No user yet" icon="users" action=${html`
    <${LinkButton} icon="plus" href=${to.newUser(org)}>New user<//>`}>
    Each person or machine that connects is a user with a profile of its own.<//>`;

function Found({ org, found, onMore }) {
  return html`
    <p class="soft list-note" role="status">
      ${count(found.search_count ?? found.users.length)} found</p>
    <${List} caption="Users found" rows=${found.users} keyOf=${(user) => user.id}
      columns=${columns(org)} empty=${html`<${Empty} title="Nobody found" icon="search">
        Try a part of the name, email:… , group:… or status:online.<//>`} />
    ${found.search_more && html`
      <div class="pager"><button class="button" type="button" onClick=${onMore}>Show more
      </button></div>`}`;
}

function UserList({ org, query }) {
  const search = query.get('q') ?? '';
  const page = Number(query.get('page') ?? 0);
  const [limit, setLimit] = useState(SEARCH_FIRST);
  useEffect(() => setLimit(SEARCH_FIRST), [search]);
  const users = useData(data.users(org, search ? { search, limit } : { page }));
  return html`
    <${Loaded} data=${users}>${(found) => search
      ? html`<${Found} org=${org} found=${found} onMore=${() => setLimit(limit * 2)} />`
      : html`
        <${List} caption="Users" rows=${found.users.filter((user) => user.type !== 'server')}
          keyOf=${(user) => user.id} columns=${columns(org)} empty=${html`
            <${NoUsers} org=${org} />`} />
        <${Pager} page=${found.page} last=${found.page_total}
          href=${(next) => to.users(org, { page: next })} />`}
    <//>`;
}

const NoOrganization = () => html`
  <${Card}><${Empty} title="Users live in organizations" icon="organizations" action=${html`
    <${LinkButton} icon="plus" href=${to.organizations()}>Organizations<//>`}>
    Create an organization first; it signs the certificates of its users.<//><//>`;

export function Users({ org: wanted, query }) {
  const organizations = useData(data.organizations());
  const list = organizations.value ?? [];
  const org = wanted ?? list[0]?.id;
  const current = list.find((one) => one.id === org);
  const add = org && html`
    <${LinkButton} icon="users" href=${to.manyUsers(org)}>Add many<//>
    <${LinkButton} kind="primary" icon="plus" href=${to.newUser(org)}>New user<//>`;
  return html`
    <${Page} title="Users" actions=${add}
      status=${current && html`
        <span class="soft">${count(current.user_count)} in <span dir="auto">${current.name}</span>
        </span>`}>
      <${Loaded} data=${organizations}>${() => org
        ? html`
          <div class="tools">
            <${Chooser} organizations=${list} org=${org} />
            <${Search} key=${org} org=${org} query=${query.get('q') ?? ''} />
          </div>
          <${BulkProgress} key=${`bulk/${org}`} org=${org} />
          <${Card}><${UserList} org=${org} query=${query} /><//>`
        : html`<${NoOrganization} />`}
      <//>
    <//>`;
}
