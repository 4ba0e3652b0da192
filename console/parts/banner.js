// What stands over every page while the connection or the database is away.

import { useCell } from '../cell.js';
import { connection } from '../live.js';
import { html, useEffect, useState } from './html.js';
import { Icon } from './icon.js';

const CALM_MS = 1_500;

const WORDS = {
  lost: ['Connection lost.', 'What you see may be old. Trying again…'],
  away: ['The database is away.', 'Tunnels stay up; changes are not possible. Trying again…'],
};

/** A hiccup that mends itself at once is not worth a banner. */
function useCalm(phase) {
  const [calm, setCalm] = useState(phase);
  useEffect(() => {
    if (!WORDS[phase]) return setCalm(phase);
    const timer = setTimeout(() => setCalm(phase), CALM_MS);
    return () => clearTimeout(timer);
  }, [phase]);
  return calm;
}

export function Banner() {
  const words = WORDS[useCalm(useCell(connection))];
  return html`
    <div class="banners" role="status">
      ${words && html`<p class="banner"><${Icon} name="bad" />
        <span><strong>${words[0]}</strong> ${words[1]}</span></p>`}
    </div>`;
}
