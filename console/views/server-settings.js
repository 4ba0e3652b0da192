// Every option of a server.

import * as api from '../api.js';
import { reload } from '../cache.js';
import * as data from '../data.js';
import { afterServer } from '../logic/profile.js';
import { to } from '../logic/route.js';
import { Danger } from '../parts/danger.js';
import { html, useState } from '../parts/html.js';
import { Notice, useGo } from '../parts/page.js';
import { note } from '../parts/toast.js';
import { ServerForm } from './server-form.js';

export function Settings({ server }) {
  const go = useGo();
  const online = server.status === 'online';
  const [notice, setNotice] = useState(null);
  const save = async (record) => {
    setNotice(null);
    await api.putServer(server.id, record);
    await reload(data.server(server.id), data.servers());
    setNotice(afterServer(server, record));
    note('Saved.');
  };
  const remove = async () => {
    await api.deleteServer(server.id);
    note(`${server.name} is gone.`);
    go(to.servers());
  };
  return html`
    <div class="page-narrow stack">
      ${online && html`
        <${Notice}>The server runs: stop it to change what is greyed out.<//>`}
      <${ServerForm} base=${server} fixed=${online} label="Save" busyLabel="Saving…"
        notice=${notice} save=${save} />
      <${Danger} noun="server" name=${server.name} onDelete=${remove}
        hint="Its organizations and users stay."
        consequence="Connected clients are cut off, and profiles lose this server for good." />
    </div>`;
}
