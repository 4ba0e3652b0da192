// Pages of one thing: plain links, so that each has an address.

import { html } from './html.js';

export const Tabs = ({ label, tabs, current }) => html`
  <nav class="tabs" aria-label=${label}>
    ${tabs.map(({ key, title, href }) => html`
      <a key=${key} href=${href} aria-current=${key === current ? 'page' : undefined}>
        ${title}</a>`)}
  </nav>`;
