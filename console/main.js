// The console: begins the session, follows the events, and shows the page of the address.

import { useCell } from './cell.js';
import { start as startLive } from './live.js';
import { parse } from './logic/route.js';
import { html, render, useEffect, useErrorBoundary, useState } from './parts/html.js';
import { lazily } from './parts/lazy.js';
import { Page } from './parts/page.js';
import { Shell } from './parts/shell.js';
import { SignIn } from './parts/signin.js';
import { session, start as startSession } from './session.js';
import { Dashboard } from './views/dashboard.js';
import { Hosts } from './views/hosts.js';
import { Organizations } from './views/organizations.js';
import { FirstPassword } from './views/password.js';
import { Server } from './views/server.js';
import { Servers } from './views/servers.js';
import { User } from './views/user.js';
import { Users } from './views/users.js';
import { Work } from './views/work.js';

const Missing = () => html`
  <${Page} title="No such page"><p><a href="#/">Back to the dashboard</a></p><//>`;

const Account = lazily(() => import('./views/account.js').then((got) => got.Account));

const VIEWS = {
  dashboard: Dashboard, organizations: Organizations, users: Users, user: User,
  servers: Servers, server: Server, hosts: Hosts, work: Work, account: Account,
};

function useRoute() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const change = () => {
      setHash(location.hash);
      scrollTo(0, 0);
    };
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  return parse(hash);
}

/** A page that fails must not take the navigation with it. */
function Safely({ children }) {
  const [error] = useErrorBoundary((caught) => console.error(caught));
  if (!error) return children;
  return html`
    <${Page} title="This page failed">
      <p>It is a mistake in the console, not in your data. Reload the page to go on.</p>
    <//>`;
}

const WAITING = {
  unreachable: 'The server can not be reached. Trying again…',
  away: 'The database is away. Tunnels go on. Trying again…',
};

function Console() {
  const { phase } = useCell(session);
  const route = useRoute();
  const working = phase === 'ready' || phase === 'expired';
  useEffect(() => {
    if (working) startLive();
  }, [working]);
  if (phase === 'password') return html`<${FirstPassword} />`;
  if (!working) {
    return html`<div class="loading" role="status"><span class="spinner" />
      ${WAITING[phase] ?? 'Loading…'}
    </div>`;
  }
  const View = VIEWS[route.page] ?? Missing;
  const key = [route.page, ...Object.values(route.params)].join('/');
  return html`
    <${Shell} page=${route.page} place=${key}>
      <${Safely} key=${key}><${View} key=${key} ...${route.params} query=${route.query} /><//>
    <//>
    ${phase === 'expired' && html`<${SignIn} />`}`;
}

render(html`<${Console} />`, document.getElementById('console'));
startSession();
