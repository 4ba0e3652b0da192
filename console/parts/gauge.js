// Bars: how full something is, and how far something got. The words beside them say the same.

import { html } from './html.js';

const percent = (share) => `${Math.round(share * 1000) / 10}%`;

/** `there` and `coming`: shares from 0 to 1. */
export const Gauge = ({ there, coming = 0 }) => html`
  <div class="gauge" aria-hidden="true">
    <span class="gauge-there" style=${{ width: percent(there) }} />
    ${coming > 0 && html`<span class="gauge-coming" style=${{ width: percent(coming) }} />`}
  </div>`;

/** `of`: from 0 to 1; `words` say it. */
export const Progress = ({ of, words }) => html`
  <span class="progress"><${Gauge} there=${of} />
    <span class="progress-words">${words}</span></span>`;
