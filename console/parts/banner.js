// What stands over every page while the connection or the database is away.

import { useData } from '../cache.js';
import { useCell } from '../cell.js';
import * as data from '../data.js';
import { connection } from '../live.js';
import { others } from '../logic/hosts.js';
import { html, useEffect, useState } from './html.js';
import { Icon } from './icon.js';

const CALM_MS = 1_500;

const WORDS = {
  lost: ['Connection lost.', 'This host does not answer; what you see may be old. Trying again…'],
  away: ['The database is away.', 'Tunnels go on, and known users can still connect. Nothing can ' +
    'be changed until it is back. Trying again…'],
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

/** Hosts of a cluster listen on the same port, as a rule. */
const consoleOf = (host) =>
  `https://${host.public_addr}${location.port && `:${location.port}`}/${location.hash}`;

const Elsewhere = ({ hosts }) => html`
  Other hosts have the same console: ${hosts.map((host, i) => html`${i > 0 && ', '}
    <a key=${host.id} href=${consoleOf(host)}>${host.name}</a>`)}.`;

export function Banner() {
  const calm = useCalm(useCell(connection));
  // Known before they are needed: nobody could be asked then.
  const hosts = useData(data.hosts()).value ?? [];
  const here = useData(data.status()).value?.current_host;
  const words = WORDS[calm];
  const rest = calm === 'lost' ? others(hosts, here) : [];
  return html`
    <div class="banners" role="status">
      ${words && html`<p class="banner"><${Icon} name="bad" />
        <span><strong>${words[0]}</strong> ${words[1]}
          ${rest.length > 0 && html` <${Elsewhere} hosts=${rest} />`}</span></p>`}
    </div>`;
}
