// Every option of a server.

import * as api from '../api.js';
import { reload } from '../cache.js';
import * as data from '../data.js';
import { to } from '../logic/route.js';
import { Danger } from '../parts/danger.js';
import { html } from '../parts/html.js';
import { Icon } from '../parts/icon.js';
import { note } from '../parts/toast.js';
import { ServerForm } from './server-form.js';

export function Settings({ server }) {
  const online = server.status === 'online';
  const save = async (record) => {
    await api.putServer(server.id, record);
    await reload(data.server(server.id), data.servers());
    note('Saved.');
  };
  const remove = async () => {
    await api.deleteServer(server.id);
    note(`${server.name} is gone.`);
    location.replace(to.servers());
  };
  return html`
    <div class="page-narrow stack">
      ${online && html`<p class="notice"><${Icon} name="info" />
        <span>The server runs: stop it to change what is greyed out.</span></p>`}
      <${ServerForm} base=${server} fixed=${online} label="Save" busyLabel="Saving…"
        save=${save} />
      <${Danger} noun="server" name=${server.name} onDelete=${remove}
        hint="Its organizations and users stay."
        consequence="Connected clients are cut off, and profiles lose this server for good." />
    </div>`;
}
