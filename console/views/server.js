// One server: its frame with state, actions and tabs. Each tab is a file of its own.

import * as api from '../api.js';
import { useData } from '../cache.js';
import * as data from '../data.js';
import { to } from '../logic/route.js';
import { Button } from '../parts/button.js';
import { Confirm } from '../parts/dialog.js';
import { html, useState } from '../parts/html.js';
import { Loaded, Page } from '../parts/page.js';
import { Tabs } from '../parts/tabs.js';
import { note } from '../parts/toast.js';
import { OperationFailure, Restart, ServerStatus, Switch } from './operation.js';
import { NewServer } from './server-new.js';
import { Output } from './server-output.js';
import { Overview } from './server-overview.js';
import { Routes } from './server-routes.js';
import { Settings } from './server-settings.js';

const TABS = [
  { key: 'overview', title: 'Overview', View: Overview },
  { key: 'routes', title: 'Routes', View: Routes },
  { key: 'output', title: 'Output', View: Output },
  { key: 'settings', title: 'Settings', View: Settings },
];

function Known({ id, tab = 'overview' }) {
  const server = useData(data.server(id));
  const [deleting, setDeleting] = useState(false);
  const shown = server.value;
  const { View } = TABS.find((one) => one.key === tab) ?? TABS[0];
  const remove = async () => {
    await api.deleteServer(id);
    note(`${shown.name} is gone.`);
    location.replace(to.servers());
  };
  const actions = shown && html`
    <${Switch} server=${shown} />
    <${Restart} server=${shown} />
    ${tab === 'settings' && html`<${Button} kind="danger" icon="trash"
      onClick=${() => setDeleting(true)}>Delete server<//>`}`;
  return html`
    <${Page} title=${shown?.name ?? 'Server'} back=${{ href: to.servers(), title: 'Servers' }}
      status=${shown && html`<${ServerStatus} server=${shown} />`} actions=${actions}>
      <${Tabs} label="Parts of the server" current=${tab}
        tabs=${TABS.map(({ key, title }) => ({
          key, title, href: to.server(id, key === 'overview' ? undefined : key),
        }))} />
      <${Loaded} data=${server}>${(now) => html`
        <${OperationFailure} server=${now} />
        <${View} server=${now} />`}
      <//>
      ${deleting && html`
        <${Confirm} title=${`Delete ${shown.name}?`} label="Delete server" busyLabel="Deleting…"
          onConfirm=${remove} onClose=${() => setDeleting(false)}>
          <p>Connected clients are cut off, and profiles lose this server for good.</p><//>`}
    <//>`;
}

export const Server = ({ server, tab }) =>
  server === 'new' ? html`<${NewServer} />` : html`<${Known} id=${server} tab=${tab} />`;
