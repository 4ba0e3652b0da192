// One server: its frame with state, actions and tabs. Each tab is a file of its own.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { to } from '../logic/route.js';
import { html } from '../parts/html.js';
import { lazily } from '../parts/lazy.js';
import { Loaded, Page } from '../parts/page.js';
import { Tabs } from '../parts/tabs.js';
import { OperationFailure, Restart, ServerStatus, Switch } from './operation.js';
import { Output } from './server-output.js';
import { Overview } from './server-overview.js';
import { Routes } from './server-routes.js';
import { Settings } from './server-settings.js';

const NewServer = lazily(() => import('./server-new.js').then((got) => got.NewServer));

const TABS = [
  { key: 'overview', title: 'Overview', View: Overview },
  { key: 'routes', title: 'Routes', View: Routes },
  { key: 'output', title: 'Output', View: Output },
  { key: 'settings', title: 'Settings', View: Settings },
];

function Known({ id, tab = 'overview' }) {
  const server = useData(data.server(id));
  const shown = server.value;
  const { View } = TABS.find((one) => one.key === tab) ?? TABS[0];
  const actions = shown && html`
    <${Switch} server=${shown} /><${Restart} server=${shown} />`;
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
    <//>`;
}

export const Server = ({ server, tab }) =>
  server === 'new' ? html`<${NewServer} />` : html`<${Known} id=${server} tab=${tab} />`;
