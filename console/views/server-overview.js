// A server at a glance: throughput, who is connected, who may connect and where it runs.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { bytes, count, plural, rate } from '../logic/format.js';
import { to } from '../logic/route.js';
import { address, obstacle, places } from '../logic/server.js';
import { begin, columns as chartColumns, sample } from '../logic/throughput.js';
import { Button } from '../parts/button.js';
import { Chart } from '../parts/chart.js';
import { Confirm } from '../parts/dialog.js';
import { html, useMemo, useState } from '../parts/html.js';
import { List } from '../parts/list.js';
import { Card, Facts, Loaded, Notice } from '../parts/page.js';
import { Since } from '../parts/time.js';
import { note } from '../parts/toast.js';
import { Attached } from './server-attached.js';

const HISTORIES_MAX = 50;
const SERIES = ['To clients', 'From clients'];

// What was measured of a server while this page is open: other tabs of it do not lose it.
const histories = new Map();

function useThroughput(server, clients) {
  return useMemo(() => {
    const before = histories.get(server.id) ?? begin();
    const history = clients.value ? sample(before, clients.value, clients.at / 1000) : before;
    if (histories.size < HISTORIES_MAX) histories.set(server.id, history);
    return history;
  }, [server.id, clients.at]);
}

function Throughput({ history }) {
  const last = history.points.at(-1) ?? { sent: 0, received: 0 };
  const columns = useMemo(() => chartColumns(history), [history]);
  return html`
    <${Card} title="Throughput" actions=${html`
      <ul class="legend">
        <li><span class="legend-line" />To clients ${rate(last.sent)}</li>
        <li><span class="legend-line legend-second" />From clients ${rate(last.received)}</li>
      </ul>`}>
      <${Chart} columns=${columns} series=${SERIES}
        label=${`Throughput: ${rate(last.sent)} to clients, ${rate(last.received)} from them`} />
    <//>`;
}

const clientColumns = (history, onKick) => [
  { title: 'User', class: 'main-cell', cell: (client) => client.user_id
    ? html`<a dir="auto" href=${to.user(client.organization_id, client.user_id)}>
        ${client.user_name}</a>`
    : client.user_name },
  { title: 'Organization', class: 'minor', cell: (client) => client.organization_name },
  { title: 'Address', cell: (client) => html`<code>${client.virt_address}</code>` },
  { title: 'From', cell: (client) => html`<code>${client.real_address}</code>` },
  { title: 'Device', class: 'minor', cell: (client) => client.platform },
  { title: 'For', class: 'number',
    cell: (client) => html`<${Since} at=${client.connected_since} />` },
  { title: 'Received', class: 'number', cell: (client) => bytes(client.bytes_sent) },
  { title: 'Sent', class: 'number', cell: (client) => bytes(client.bytes_received) },
  { title: 'Now', class: 'number', cell: (client) => {
    const now = history.perClient.get(client.id);
    return now && rate(now.up + now.down);
  } },
  { title: 'Actions', hidden: true, class: 'row-actions', cell: (client) => html`
    <${Button} kind="quiet" icon="leave" word="Disconnect"
      label=${`Disconnect ${client.user_name}`}
      onClick=${() => onKick(client)} />` },
];

function Clients({ server, clients, history }) {
  const [kicking, setKicking] = useState(null);
  const kick = async () => {
    await api.kickClient(server.id, kicking.id);
    await reload(data.clients(server.id));
    note(`${kicking.user_name} was disconnected.`);
  };
  return html`
    <${Card} title="Connected clients" class="clients"
      actions=${html`<span class="soft">${count(clients.value?.length)}</span>`}>
      <${Loaded} data=${clients}>${(list) => html`
        <${List} caption="Connected clients" rows=${list} keyOf=${(client) => client.id}
          columns=${clientColumns(history, setKicking)}
          empty=${html`<p class="soft">${server.status === 'online'
            ? 'Nobody is connected. Clients appear here as soon as they are.'
            : 'The server does not run.'}</p>`} />`}
      <//>
      ${kicking && html`
        <${Confirm} title=${`Disconnect ${kicking.user_name}?`} label="Disconnect"
          busyLabel="Disconnecting…" onConfirm=${kick} onClose=${() => setKicking(null)}>
          <p>The tunnel is cut at once. The client may connect again; to keep somebody out,
            disable the user.</p><//>`}
    <//>`;
}

function Obstacle({ server }) {
  const organizations = useData(data.serverOrganizations(server.id)).value;
  const attached = useData(data.serverHosts(server.id)).value;
  const all = useData(data.hosts()).value;
  const hosts = attached && all?.filter((host) => attached.some((one) => one.id === host.id));
  const words = server.status !== 'online' && obstacle(organizations, hosts);
  return words && html`<${Notice}>${words}<//>`;
}

const ServerFacts = ({ server }) => html`
  <${Card} title="Facts"><${Facts} rows=${[
    ['Port', html`<code>${address(server)}</code>`],
    ['Tunnel network', html`<code>${server.network}</code>`],
    ['Runs on', places(server) || 'no host'],
    ['Running for', html`<${Since} at=${server.since} />`],
    ['Devices online', count(server.devices_online)],
    ['May connect', plural(server.user_count, 'user')],
    ['One-time codes', server.otp_auth ? 'required' : 'not asked for'],
  ]} /><//>`;

export function Overview({ server }) {
  const clients = useData(data.clients(server.id));
  const history = useThroughput(server, clients);
  const online = server.status === 'online';
  const list = html`<${Clients} server=${server} clients=${clients} history=${history} />`;
  const attached = html`<div class="cards cards-wide"><${Attached} server=${server} /></div>`;
  return html`
    <${Obstacle} server=${server} />
    <div class="stack">
      <div class="columns">
        <div class="stack">
          ${online ? html`<${Throughput} history=${history} />` : html`${list}${attached}`}
        </div>
        <${ServerFacts} server=${server} />
      </div>
      ${online && html`${list}${attached}`}
    </div>`;
}
