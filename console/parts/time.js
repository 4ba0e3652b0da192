// Times in the viewer's zone, kept current by one clock for the whole page.

import { cell, useCell } from '../cell.js';
import { ago, clockTime, duration, moment } from '../logic/format.js';
import { html } from './html.js';

const TICK_MS = 5_000;

const now = cell(Date.now() / 1000);
setInterval(() => {
  if (!document.hidden) now.set(Date.now() / 1000);
}, TICK_MS);

/** The time of day, for many in a row; the day is its title. */
export const At = ({ at }) => html`
  <time class="soft" dateTime=${new Date(at * 1000).toISOString()} title=${moment(at)}>
    ${clockTime(at)}</time>`;

export function Ago({ at }) {
  const current = useCell(now);
  if (!at) return html`<span class="soft">never</span>`;
  return html`<time dateTime=${new Date(at * 1000).toISOString()} title=${moment(at)}>
    ${ago(at, Math.max(current, at))}</time>`;
}

export function Since({ at }) {
  const current = useCell(now);
  if (!at) return '–';
  return html`<time dateTime=${new Date(at * 1000).toISOString()} title=${moment(at)}>
    ${duration(Math.max(0, current - at))}</time>`;
}

export function Until({ at }) {
  const current = useCell(now);
  if (!at) return '–';
  return html`<time dateTime=${new Date(at * 1000).toISOString()} title=${moment(at)}>
    ${at < current + 1 ? 'now' : `in ${duration(at - current)}`}</time>`;
}
