// Pages of a long list; `last` is the index of the last page, as the API counts.

import { count } from '../logic/format.js';
import { html } from './html.js';
import { Icon } from './icon.js';

const Step = ({ to, icon, label, href }) =>
  to === null
    ? html`<span class="button button-icon" aria-hidden="true" aria-disabled="true">
        <${Icon} name=${icon} /></span>`
    : html`<a class="button button-icon" href=${href(to)} aria-label=${label}>
        <${Icon} name=${icon} /></a>`;

export const Pager = ({ page, last, href }) =>
  last > 0 && html`
    <nav class="pager" aria-label="Pages">
      <${Step} to=${page > 0 ? page - 1 : null} icon="back" label="Previous page" href=${href} />
      <span>Page ${count(page + 1)} of ${count(last + 1)}</span>
      <${Step} to=${page < last ? page + 1 : null} icon="next" label="Next page" href=${href} />
    </nav>`;
