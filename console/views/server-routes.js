// What clients reach through a server.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { networkProblem } from '../logic/network.js';
import { Button } from '../parts/button.js';
import { Confirm } from '../parts/dialog.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { html, useState } from '../parts/html.js';
import { Empty, List } from '../parts/list.js';
import { Card, Loaded, Notice } from '../parts/page.js';
import { note } from '../parts/toast.js';

const FIELDS = [
  { name: 'network', kind: 'text', label: 'Network', required: true, placeholder: '10.0.0.0/8',
    hint: '0.0.0.0/0 sends all traffic of the client through the tunnel.' },
  { name: 'comment', kind: 'text', label: 'Comment' },
  { name: 'nat', kind: 'toggle', label: 'NAT',
    hint: 'The network sees the host’s address and needs no route back.' },
  { name: 'net_gateway', kind: 'toggle', label: 'Around the tunnel',
    hint: 'The client reaches this network directly, not through the tunnel.' },
];

const FRESH = { network: '', comment: '', nat: true, net_gateway: false };

// All that the API takes for a route, with the value that stands for "not set".
const RECORD = {
  metric: 0, nat_interface: '', nat_netmap: '', advertise: false, advertise_resource: [],
  vpc_region: '', vpc_id: '',
};

const problems = ({ network, nat, net_gateway }) => {
  const found = {};
  const wrong = network ? networkProblem(network) : 'This is required.';
  if (wrong) found.network = wrong;
  if (nat && net_gateway) {
    found.net_gateway = 'Traffic around the tunnel can not be translated. Switch NAT off.';
  }
  return found;
};

function AddRoute({ server }) {
  const draft = useDraft(FRESH);
  const form = useSubmit(problems(draft.value), async () => {
    await api.createRoute(server.id, { ...RECORD, ...draft.value });
    await reload(data.routes(server.id));
    draft.reset();
    note('Route added.');
  });
  return html`
    <${Card} title="Add a route">
      <form class="form" ref=${form.form} onSubmit=${form.submit} novalidate>
        <${Refusal} refusal=${form.refusal} shown=${FIELDS.map((field) => field.name)} />
        <${Fields} fields=${FIELDS} draft=${draft} problemOf=${form.problemOf} />
        <${Actions} label="Add route" busyLabel="Adding…" busy=${form.busy} />
      </form>
    <//>`;
}

const how = (route) => {
  if (route.virtual_network) return 'the tunnel itself';
  if (route.net_gateway) return 'around the tunnel';
  return route.nat ? 'tunnel, with NAT' : 'tunnel, routed';
};

const fixed = (route) =>
  route.virtual_network || route.wg_network || route.network_link || route.server_link;

const columns = (online, onDelete) => [
  { title: 'Network', class: 'main-cell', cell: (route) => html`<code>${route.network}</code>` },
  { title: 'How', cell: how },
  { title: 'Comment',
    cell: (route) => route.comment && html`<span dir="auto">${route.comment}</span>` },
  { title: 'Actions', hidden: true, class: 'row-actions', cell: (route) =>
    online || fixed(route) ? null : html`
      <${Button} kind="quiet" icon="trash" word="Delete" label=${`Delete ${route.network}`}
        onClick=${() => onDelete(route)} />` },
];

export function Routes({ server }) {
  const routes = useData(data.routes(server.id));
  const [deleting, setDeleting] = useState(null);
  const online = server.status === 'online';
  const remove = async () => {
    await api.deleteRoute(server.id, deleting.id);
    await reload(data.routes(server.id));
    note('Route deleted.');
  };
  return html`
    ${online && html`<${Notice}>The server runs: stop it to change its routes.<//>`}
    <div class=${online ? '' : 'columns'}>
      <${Card} title="Routes">
        <${Loaded} data=${routes}>${(list) => html`
          <${List} caption="Routes" rows=${list} keyOf=${(route) => route.id}
            columns=${columns(online, setDeleting)}
            empty=${html`<${Empty} title="No routes" icon="servers">
              Clients reach nothing behind it.<//>`} />`}
        <//>
      <//>
      ${!online && html`<${AddRoute} server=${server} />`}
    </div>
    ${deleting && html`
      <${Confirm} title=${`Delete the route ${deleting.network}?`} label="Delete route"
        busyLabel="Deleting…" onConfirm=${remove} onClose=${() => setDeleting(null)}>
        <p>Clients no longer reach this network through the server.</p><//>`}`;
}
