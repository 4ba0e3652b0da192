// The dashboard: what runs where, who is online, what needs care, and the first run.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { firstRun, warnings } from '../logic/advice.js';
import { count } from '../logic/format.js';
import { to } from '../logic/route.js';
import { address, places } from '../logic/server.js';
import { LinkButton } from '../parts/button.js';
import { html } from '../parts/html.js';
import { Icon } from '../parts/icon.js';
import { Empty, List } from '../parts/list.js';
import { Card, Loaded, Page } from '../parts/page.js';
import { Count, Status } from '../parts/status.js';
import { Ago, Since } from '../parts/time.js';
import { HostStatus } from './hosts.js';

const Counts = ({ status }) => html`
  <div class="counts">
    <${Count} label="Users online" href=${to.users()} value=${count(status.users_online)}
      of=${count(status.user_count)} />
    <${Count} label="Servers online" href=${to.servers()} value=${count(status.servers_online)}
      of=${count(status.server_count)} />
    <${Count} label="Hosts online" href=${to.hosts()} value=${count(status.hosts_online)}
      of=${count(status.host_count)} />
    <${Count} label="Organizations" href=${to.organizations()} value=${count(status.org_count)} />
  </div>`;

function Guide({ steps }) {
  const next = steps.findIndex((step) => !step.done);
  if (next < 0) localStorage.setItem('first-steps', 'done');
  // Whoever has been through them does not begin anew when nobody is online.
  if (localStorage.getItem('first-steps') === 'done') return null;
  return html`
    <${Card} title="First steps" class="guide">
      <ol class="steps">
        ${steps.map((step, i) => html`
          <li key=${step.title} class="step" data-done=${step.done ? 'yes' : undefined}
            aria-current=${i === next ? 'step' : undefined}>
            <span class="step-mark">${step.done ? html`<${Icon} name="good" />` : i + 1}</span>
            <div>
              <h3>${step.title}${step.done && html`<span class="unseen"> (done)</span>`}</h3>
              <p class="soft">${step.why}</p>
              ${i === next && html`
                <${LinkButton} kind="primary" href=${step.href}>${step.title}<//>`}
            </div>
          </li>`)}
      </ol>
    <//>`;
}

const TONES = { bad: 'bad', warn: 'bad', info: 'info' };

const Warnings = ({ list }) => html`
  <${Card} title="Needs care">
    ${list.length === 0
      ? html`<p class="calm"><${Icon} name="good" />Nothing: everything is as it should be.</p>`
      : html`<ul class="warnings">
          ${list.map((one) => html`
            <li key=${one.text} class=${`warning warning-${one.level}`}>
              <${Icon} name=${TONES[one.level]} />
              <p><strong>${one.text}</strong> ${one.cure}
                ${one.href && html` <a href=${one.href}>Look</a>`}</p>
            </li>`)}
        </ul>`}
  <//>`;

const SERVER_COLUMNS = [
  { title: 'Server', class: 'main-cell',
    cell: (server) => html`<a dir="auto" href=${to.server(server.id)}>${server.name}</a>` },
  { title: 'State', class: 'state-cell',
    cell: (server) => html`<${Status} of=${server.status} />` },
  { title: 'Port', class: 'minor', cell: address },
  { title: 'Host', cell: places },
  { title: 'Users online', class: 'number', cell: (server) => count(server.users_online) },
  { title: 'Running for', class: 'number',
    cell: (server) => server.since && html`<${Since} at=${server.since} />` },
];

const Servers = ({ servers }) => html`
  <${Card} title="Servers" actions=${html`<a href=${to.servers()}>All servers</a>`}>
    <${List} caption="Servers" rows=${servers.slice(0, 12)} keyOf=${(server) => server.id}
      columns=${SERVER_COLUMNS}
      empty=${html`<${Empty} title="No server yet" icon="servers"
        action=${html`<${LinkButton} icon="plus" href=${to.newServer()}>New server<//>`}>
        A server is one OpenVPN port with a network behind it.<//>`} />
  <//>`;

const HOSTS_MAX = 8;

const Hosts = ({ hosts }) => html`
  <${Card} title="Hosts" actions=${html`<a href=${to.hosts()}>All hosts</a>`}>
    <ul class="hosts">
      ${hosts.slice(0, HOSTS_MAX).map((host) => html`
        <li key=${host.id}>
          <span dir="auto">${host.name}</span>
          <span class="soft">
            ${host.status === 'online'
              ? html`<${Since} at=${host.since} />`
              : html`seen <${Ago} at=${host.last_seen} />`}</span>
          <${HostStatus} host=${host} />
        </li>`)}
    </ul>
  <//>`;

export function Dashboard() {
  const status = useData(data.status());
  const servers = useData(data.servers());
  const organizations = useData(data.organizations());
  const hosts = useData(data.hosts()).value ?? [];
  const pools = useData(data.pools()).value ?? [];
  const jobs = useData(data.jobs()).value ?? [];
  const tasks = useData(data.tasks()).value ?? [];
  return html`
    <${Page} title="Dashboard">
      <${Loaded} data=${status}>${(now) => html`
        <${Counts} status=${now} />
        ${organizations.value && servers.value && html`
          <${Guide} steps=${firstRun({
            status: now, organizations: organizations.value, servers: servers.value,
          })} />
          <div class="columns columns-turned">
            <div class="stack">
              <${Warnings} list=${warnings({
                status: now, hosts, servers: servers.value, pools, jobs, tasks,
              })} />
              <${Hosts} hosts=${hosts} />
            </div>
            <${Servers} servers=${servers.value} />
          </div>`}
        <p class="soft foot">Warren ${now.server_version}${now.public_ip &&
          ` on ${now.public_ip}`}</p>`}
      <//>
    <//>`;
}
