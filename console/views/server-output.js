// What the OpenVPN processes of a server say, live, with search and pause.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { plural } from '../logic/format.js';
import { matchingLines } from '../logic/search.js';
import { Button } from '../parts/button.js';
import { html, useEffect, useLayoutEffect, useRef, useState } from '../parts/html.js';
import { Card, Loaded } from '../parts/page.js';
import { At } from '../parts/time.js';
import { note } from '../parts/toast.js';

const SHOWN_MAX = 1_000;
const NEAR_END_PX = 24;

/** Stays at the end while the reader is there, and where they are otherwise. */
function Lines({ lines }) {
  const box = useRef(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  const scroll = ({ target }) => {
    atEnd.current = target.scrollHeight - target.scrollTop - target.clientHeight < NEAR_END_PX;
  };
  return html`
    <div class="output" ref=${box} onScroll=${scroll} tabindex="0" role="log" aria-live="off"
      aria-label="Output of the server">
      ${lines.map(({ text, number, at }) => html`
        <div class="output-line" key=${number} dir="ltr">
          ${at && html`<${At} at=${at} />${' '}`}${text}</div>`)}
      ${lines.length === 0 && html`<p class="output-none">No lines.</p>`}
    </div>`;
}

export function Output({ server }) {
  const output = useData(data.output(server.id));
  const [typed, setTyped] = useState('');
  const [held, setHeld] = useState(null);
  useEffect(() => setHeld(null), [server.id]);
  const clear = async () => {
    await api.clearOutput(server.id);
    await reload(data.output(server.id));
    note('Output cleared.');
  };
  return html`
    <${Card}>
      <${Loaded} data=${output}>${(now) => {
        const shown = held ?? now;
        const found = matchingLines(shown.output, typed, shown.times);
        return html`
          <div class="tools">
            <div class="field search">
              <input type="search" aria-label="Search the output" placeholder="Search the output"
                value=${typed} onInput=${(event) => setTyped(event.target.value)} />
            </div>
            <${Button} icon=${held ? 'play' : 'pause'} aria-pressed=${String(Boolean(held))}
              onClick=${() => setHeld(held ? null : now)}>
              ${held ? 'Go on' : 'Pause'}<//>
            <${Button} icon="trash" onClick=${clear}>Clear<//>
            <span class="soft" role="status">
              ${held && 'Paused · '}${plural(found.length, 'line')}</span>
          </div>
          <${Lines} lines=${found.slice(-SHOWN_MAX)} />`;
      }}<//>
    <//>`;
}
