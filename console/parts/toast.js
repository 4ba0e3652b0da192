// Short notes that something was done, read out politely.

import { cell, useCell } from '../cell.js';
import { html } from './html.js';
import { Icon } from './icon.js';

const SHOWN_MS = 2_500;
const SHOWN_MAX = 2;

const notes = cell([]);
let serial = 0;

export function note(text) {
  const id = ++serial;
  const others = notes.get().filter((one) => one.text !== text);
  notes.set([...others, { id, text }].slice(-SHOWN_MAX));
  setTimeout(() => notes.set(notes.get().filter((one) => one.id !== id)), SHOWN_MS);
}

export const Toasts = () => html`
  <div class="toasts" role="status" aria-live="polite">
    ${useCell(notes).map(({ id, text }) => html`
      <p class="toast" key=${id}><${Icon} name="good" />${text}</p>`)}
  </div>`;
