// The hosts of the cluster: which live, since when those that do not are gone, what runs where.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { count, plural } from '../logic/format.js';
import { load, summary } from '../logic/hosts.js';
import { to } from '../logic/route.js';
import { html } from '../parts/html.js';
import { Empty } from '../parts/list.js';
import { Card, Facts, Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Ago, Since } from '../parts/time.js';

const code = (text) => text && html`<code>${text}</code>`;

export const HostStatus = ({ host }) => html`
  <${Status} of=${host.status === 'online' ? 'online' : 'gone'} />`;

const Running = ({ servers }) => html`
  <ul class="inline">${servers.map((server) => html`
    <li key=${server.id} dir="auto"><a href=${to.server(server.id)}>${server.name}</a></li>`)}
  </ul>`;

const rows = (host, { servers, jobs }) => [
  host.status === 'online'
    ? ['Running for', html`<${Since} at=${host.since} />`]
    : ['Last seen', html`<${Ago} at=${host.last_seen} />`],
  ['Servers', servers.length > 0 ? html`<${Running} servers=${servers} />` : 'none'],
  ['Users online', count(host.users_online)],
  ['Jobs under way', jobs > 0 ? html`<a href=${to.work()}>${plural(jobs, 'job')}</a>` : 'none'],
  ['Version', host.version],
  host.hostname !== host.name && ['Host name', host.hostname],
  ['Public address', code(host.public_addr)],
  host.public_addr6 && ['Public IPv6', code(host.public_addr6)],
  ['Local address', code(host.local_addr)],
  ['Local networks', code(host.local_networks?.join(', '))],
  ['Availability group', host.availability_group],
];

const Host = ({ host, here, carried }) => html`
  <${Card} title=${host.name} class="host" actions=${html`
    <span class="inline">${here && html`<span class="soft">this console</span>`}
      <${HostStatus} host=${host} /></span>`}>
    <${Facts} rows=${rows(host, carried)} />
  <//>`;

export function Hosts() {
  const hosts = useData(data.hosts());
  const here = useData(data.status()).value?.current_host;
  const servers = useData(data.servers()).value ?? [];
  const jobs = useData(data.jobs()).value ?? [];
  return html`
    <${Page} title="Hosts" status=${hosts.value?.length > 1 && html`
      <span class="soft" role="status">${summary(hosts.value)}</span>`}>
      <${Loaded} data=${hosts}>${(list) => html`
        <div class="cards">
          ${list.map((host) => html`
            <${Host} key=${host.id} host=${host} here=${host.id === here}
              carried=${load(host, servers, jobs)} />`)}
        </div>
        ${list.length === 0 && html`<${Card}><${Empty} title="No host">Odd: one answered.<//><//>`}
        ${list.length === 1 && html`<p class="soft foot">To add a host, install Warren on another
          machine and give it the same replica set. It appears here within two seconds.</p>`}`}
      <//>
    <//>`;
}
