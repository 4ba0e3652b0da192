// The hosts of the cluster.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { count } from '../logic/format.js';
import { html } from '../parts/html.js';
import { Empty } from '../parts/list.js';
import { Card, Facts, Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Since } from '../parts/time.js';

const code = (text) => text && html`<code>${text}</code>`;

const Host = ({ host, here }) => html`
  <${Card} title=${host.name} actions=${html`<${Status} of=${host.status} />`}>
    ${here && html`<p class="soft">This console is served by it.</p>`}
    <${Facts} rows=${[
      ['Running for', html`<${Since} at=${host.since} />`],
      ['Version', host.version],
      ['Users online', count(host.users_online)],
      host.hostname !== host.name && ['Host name', host.hostname],
      ['Public address', code(host.public_addr)],
      host.public_addr6 && ['Public IPv6', code(host.public_addr6)],
      ['Local address', code(host.local_addr)],
      ['Local networks', code(host.local_networks?.join(', '))],
      ['Availability group', host.availability_group],
    ]} />
  <//>`;

export function Hosts() {
  const hosts = useData(data.hosts());
  const here = useData(data.status()).value?.current_host;
  return html`
    <${Page} title="Hosts">
      <${Loaded} data=${hosts}>${(list) => html`
        <div class="cards">
          ${list.map((host) => html`
            <${Host} key=${host.id} host=${host} here=${host.id === here} />`)}
        </div>
        ${list.length === 0 && html`<${Card}><${Empty} title="No host">Odd: one answered.<//><//>`}
        ${list.length === 1 && html`<p class="soft foot">To add a host, install Warren on another
          machine and give it the same replica set. It appears here within two seconds.</p>`}`}
      <//>
    <//>`;
}
