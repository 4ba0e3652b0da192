// The frame around every page: navigation, quick search, who is signed in.

import { to } from '../logic/route.js';
import { signOut } from '../session.js';
import { Banner } from './banner.js';
import { Button } from './button.js';
import { html, useEffect, useRef, useState } from './html.js';
import { Icon } from './icon.js';
import { Palette } from './palette.js';
import { Toasts } from './toast.js';

const PLACES = [
  { page: 'dashboard', title: 'Dashboard', href: to.dashboard() },
  { page: 'organizations', title: 'Organizations', href: to.organizations() },
  { page: 'users', title: 'Users', href: to.users() },
  { page: 'servers', title: 'Servers', href: to.servers() },
  { page: 'hosts', title: 'Hosts', href: to.hosts() },
  { page: 'work', title: 'Work', href: to.work() },
  { page: 'account', title: 'Account', href: to.account() },
];

const PARENTS = { user: 'users', server: 'servers' };

function Navigation({ page }) {
  const current = PARENTS[page] ?? page;
  return html`
    <nav class="nav" aria-label="Main">
      <ul>
        ${PLACES.map((place) => html`
          <li key=${place.page}>
            <a class="nav-link" href=${place.href}
              aria-current=${place.page === current ? 'page' : undefined}>
              <${Icon} name=${place.page} />${place.title}</a>
          </li>`)}
      </ul>
    </nav>`;
}

function useShortcut(open) {
  useEffect(() => {
    const press = (event) => {
      const chord = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k';
      if (!chord || document.querySelector('dialog[open]')) return;
      event.preventDefault();
      open();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

const Brand = () => html`
  <a class="brand" href=${to.dashboard()}>
    <img src="/s/login/icon.svg" alt="" width="28" height="28" />Warren</a>`;

export function Shell({ page, place, children }) {
  const [menu, setMenu] = useState(false);
  const [searching, setSearching] = useState(false);
  const main = useRef(null);
  useShortcut(() => setSearching(true));
  useEffect(() => setMenu(false), [place]);
  const skip = (event) => {
    event.preventDefault();
    main.current.querySelector('h1')?.focus();
  };
  return html`
    <div class="shell" data-menu=${menu ? 'open' : undefined}
      onKeyDown=${(event) => event.key === 'Escape' && setMenu(false)}>
      <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
      <header class="side">
        <div class="side-head">
          <${Brand} />
          <${Button} kind="quiet" icon=${menu ? 'close' : 'menu'} class="side-menu"
            label=${menu ? 'Close the menu' : 'Open the menu'}
            aria-expanded=${String(menu)} onClick=${() => setMenu(!menu)} />
        </div>
        <div class="side-body">
          <button type="button" class="quick" onClick=${() => setSearching(true)}>
            <${Icon} name="search" /><span>Search</span><kbd>Ctrl K</kbd></button>
          <${Navigation} page=${page} />
          <button type="button" class="nav-link side-leave" onClick=${signOut}>
            <${Icon} name="leave" />Sign out</button>
        </div>
      </header>
      <main class="main" id="main" ref=${main}>
        <${Banner} />
        ${children}
      </main>
      ${searching && html`<${Palette} onClose=${() => setSearching(false)} />`}
      <${Toasts} />
    </div>`;
}
