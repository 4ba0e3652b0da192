// The card at the end of a page that deletes what the page is about.

import { Button } from './button.js';
import { Confirm } from './dialog.js';
import { html, useState } from './html.js';
import { Card } from './page.js';

export function Danger({ noun, name, hint, consequence, onDelete }) {
  const [asking, setAsking] = useState(false);
  const label = `Delete ${noun}`;
  return html`
    <${Card} title=${label}>
      <p class="soft">${hint}</p>
      <div class="form-actions">
        <${Button} kind="danger" icon="trash" onClick=${() => setAsking(true)}>${label}<//>
      </div>
      ${asking && html`
        <${Confirm} title=${`Delete ${name}?`} label=${label} busyLabel="Deleting…"
          onConfirm=${onDelete} onClose=${() => setAsking(false)}><p>${consequence}</p><//>`}
    <//>`;
}
