// A new server: its options, who may use it and where it runs, in one form.

import * as api from '../api.js';
import { useData } from '../cache.js';
import * as data from '../data.js';
import { explain } from '../logic/errors.js';
import { to } from '../logic/route.js';
import { fresh } from '../logic/server.js';
import { html, useMemo, useState } from '../parts/html.js';
import { Card, Page, useGo } from '../parts/page.js';
import { note } from '../parts/toast.js';
import { ServerForm } from './server-form.js';

const toggled = (set, id) => (set.includes(id) ? set.filter((one) => one !== id) : [...set, id]);

const Choices = ({ title, hint, rows, chosen, onChange }) => html`
  <fieldset class="choices">
    <legend>${title}</legend>
    <p class="field-hint">${hint}</p>
    ${rows.map((row) => html`
      <label key=${row.id} class="choice">
        <input type="checkbox" checked=${chosen.includes(row.id)}
          onChange=${() => onChange(toggled(chosen, row.id))} />
        <span dir="auto">${row.name}</span></label>`)}
  </fieldset>`;

async function attach(made, organizations, hosts) {
  const has = new Set((await api.listServerHosts(made.id)).map((host) => host.id));
  const wishes = [
    ...organizations.map((org) => () => api.attachOrganization(made.id, org)),
    ...hosts.filter((host) => !has.has(host)).map((host) => () => api.attachHost(made.id, host)),
  ];
  for (const wish of wishes) await wish();
}

export function NewServer() {
  const go = useGo();
  const organizations = useData(data.organizations()).value ?? [];
  const hosts = useData(data.hosts()).value ?? [];
  const base = useMemo(fresh, []);
  const [orgs, setOrgs] = useState(null);
  const [places, setPlaces] = useState(null);
  const chosenOrgs = orgs ?? organizations.slice(0, organizations.length === 1 ? 1 : 0)
    .map((org) => org.id);
  const chosenHosts = places ?? hosts.map((host) => host.id);
  const save = async (server) => {
    const made = await api.createServer(server);
    // The server exists now: what goes wrong from here on is mended on its own page.
    await attach(made, chosenOrgs, chosenHosts)
      .then(() => note(`${made.name} was created.`))
      .catch((error) => note(`Created, but not all is attached. ${explain(error).text}`));
    go(to.server(made.id));
  };
  return html`
    <${Page} title="New server" narrow toFill back=${{ href: to.servers(), title: 'Servers' }}>
      <${ServerForm} base=${base} label="Create server" busyLabel="Creating…" save=${save}
        onCancel=${() => { location.hash = to.servers(); }}>
        <${Card} title="What clients reach">
          <p class="field-hint">All their traffic goes through the tunnel, to the internet as well:
            a new server has the route <code>0.0.0.0/0</code>. For your own networks only, replace
            that route on the server’s <em>Routes</em> tab before it starts.</p>
        <//>
        <${Card} title="Who and where">
          ${organizations.length === 0
            ? html`<p class="soft">No organization yet: <a href=${to.organizations()}>create
                one</a>, its users may then connect.</p>`
            : html`<${Choices} title="Organizations" hint="Their users may connect."
                rows=${organizations} chosen=${chosenOrgs} onChange=${setOrgs} />`}
          <${Choices} title="Hosts" hint="It runs on one of them; the others can take over."
            rows=${hosts} chosen=${chosenHosts} onChange=${setPlaces} />
        <//>
      <//>
    <//>`;
}
