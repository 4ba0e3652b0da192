// The list of servers, live, with start and stop at hand.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { count } from '../logic/format.js';
import { to } from '../logic/route.js';
import { find } from '../logic/search.js';
import { address, places } from '../logic/server.js';
import { LinkButton } from '../parts/button.js';
import { html, useState } from '../parts/html.js';
import { Empty, List } from '../parts/list.js';
import { Card, Loaded, Page } from '../parts/page.js';
import { Since } from '../parts/time.js';
import { ServerStatus, Switch } from './operation.js';

const FILTER_FROM = 8;

const COLUMNS = [
  { title: 'Name', class: 'main-cell',
    cell: (server) => html`<a dir="auto" href=${to.server(server.id)}>${server.name}</a>` },
  { title: 'State', class: 'state-cell',
    cell: (server) => html`<${ServerStatus} server=${server} />` },
  { title: 'Port', cell: address },
  { title: 'Network', cell: (server) => html`<code>${server.network}</code>` },
  { title: 'Host', class: 'minor', cell: places },
  { title: 'Users online', class: 'number',
    cell: (server) => `${count(server.users_online)} of ${count(server.user_count)}` },
  { title: 'Running for', class: 'number',
    cell: (server) => server.since && html`<${Since} at=${server.since} />` },
  { title: 'Actions', hidden: true, class: 'row-actions',
    cell: (server) => html`<${Switch} server=${server} kind="quiet" />` },
];

const NoServer = () => html`
  <${Empty} title="No server yet" icon="servers" action=${html`
    <${LinkButton} icon="plus" href=${to.newServer()}>New server<//>`}>
    A server is one OpenVPN port with a network behind it. Its organizations decide who may
    connect, its routes what they reach.<//>`;

export function Servers() {
  const servers = useData(data.servers());
  const [typed, setTyped] = useState('');
  const shown = (list) => (typed
    ? find(list.map((server) => ({ title: server.name, server })), typed, list.length)
      .map(({ server }) => server)
    : list);
  return html`
    <${Page} title="Servers" actions=${html`
      <${LinkButton} kind="primary" icon="plus" href=${to.newServer()}>New server<//>`}>
      ${servers.value?.length >= FILTER_FROM && html`
        <div class="tools"><div class="field search">
          <input type="search" aria-label="Filter servers" placeholder="Filter by name"
            value=${typed} onInput=${(event) => setTyped(event.target.value)} />
        </div></div>`}
      <${Card}>
        <${Loaded} data=${servers}>${(list) => html`
          <${List} caption="Servers" rows=${shown(list)} keyOf=${(server) => server.id}
            columns=${COLUMNS} empty=${typed
              ? html`<${Empty} title="No server has this name" icon="search">
                  Clear the filter to see all.<//>`
              : html`<${NoServer} />`} />`}
        <//>
      <//>
    <//>`;
}
