// Start, stop and restart of a server, with progress, and the cause when it fails.

import { useCell } from '../cell.js';
import { reload } from '../cache.js';
import * as data from '../data.js';
import { to } from '../logic/route.js';
import { dismiss, operate, operations } from '../operations.js';
import { Button } from '../parts/button.js';
import { html } from '../parts/html.js';
import { Status } from '../parts/status.js';

const WORDS = { start: 'Starting…', stop: 'Stopping…', restart: 'Restarting…' };

async function run(server, name) {
  await operate(server.id, name);
  await reload(data.server(server.id), data.servers(), data.output(server.id));
}

export function ServerStatus({ server }) {
  const operation = useCell(operations)[server.id];
  if (operation?.since) return html`<${Status} of="connecting">${WORDS[operation.name]}<//>`;
  if (operation?.failure) return html`<${Status} of="failed">${`Did not ${operation.name}`}<//>`;
  return html`<${Status} of=${server.status} />`;
}

/** One button: what makes sense next. */
export function Switch({ server, kind, disabled }) {
  const operation = useCell(operations)[server.id];
  // One that is wanted but not up yet can be given up.
  const name = server.status === 'offline' ? 'start' : 'stop';
  const busy = operation?.since && WORDS[operation.name];
  return html`
    <${Button} kind=${kind ?? (name === 'start' ? 'primary' : undefined)} disabled=${disabled}
      icon=${name === 'start' ? 'play' : 'stop'} busy=${busy} onClick=${() => run(server, name)}>
      ${name === 'start' ? 'Start' : 'Stop'}<//>`;
}

export function Restart({ server }) {
  const operation = useCell(operations)[server.id];
  return server.status === 'online' && html`
    <${Button} icon="restart" disabled=${Boolean(operation?.since)}
      onClick=${() => run(server, 'restart')}>Restart<//>`;
}

export function OperationFailure({ server }) {
  const operation = useCell(operations)[server.id];
  // What kept it from starting is known to every page, also long after somebody tried.
  const lasting = server.status === 'pending' && server.failure;
  if (!operation?.failure && !lasting) return null;
  const { text, cure } = operation?.failure ?? { text: server.failure, cure: '' };
  return html`
    <div class="form-error operation" role="alert">
      <p><strong>The server did not ${operation?.name ?? 'start'}.</strong> ${text} ${cure}</p>
      <div class="inline">
        <a href=${to.server(server.id, 'output')}>What OpenVPN said</a>
        ${operation?.failure && html`
          <${Button} onClick=${() => dismiss(server.id)}>Dismiss<//>`}
      </div>
    </div>`;
}
