// States: always a word and a shape, the colour only repeats them.

import { html } from './html.js';
import { Icon } from './icon.js';

const STATES = {
  online: ['good', 'good', 'Online'],
  offline: ['off', 'off', 'Offline'],
  gone: ['bad', 'bad', 'Offline'],
  pending: ['wait', 'info', 'Preparing'],
  connecting: ['wait', 'info', 'Connecting'],
  disabled: ['off', 'warn', 'Disabled'],
  ready: ['wait', 'info', 'Waiting'],
  running: ['play', 'info', 'Running'],
  done: ['good', 'good', 'Done'],
  failed: ['bad', 'bad', 'Failed'],
};

export function Status({ of, children }) {
  const [icon, tone, word] = STATES[of] ?? ['info', 'off', of ?? 'Unknown'];
  return html`<span class="status status-${tone}">
    <${Icon} name=${icon} />${children ?? word}</span>`;
}

const TONES = { good: 'good', info: 'wait', warn: 'bad', bad: 'bad', off: 'off' };

/** A state that is no thing's own: how something stands. */
export const Tone = ({ tone, children }) => html`
  <span class="status status-${tone}"><${Icon} name=${TONES[tone]} />${children}</span>`;

export const Count = ({ label, value, of, href }) => html`
  <a class="count" href=${href}>
    <span class="count-label">${label}</span>
    <span class="count-value">${value}${of !== undefined && html`<small> of ${of}</small>`}</span>
  </a>`;
