// A page that few visits need: fetched soon after the first one stands, so that it is there when
// it is wanted, even if the connection is not.

import { html, useEffect, useState } from './html.js';

const AFTER_MS = 1_000;
const RETRY_MS = 2_000;

/** `load` imports a module and answers its view. */
export function lazily(load) {
  let View = null;
  const fetch = () => load().then((view) => {
    View = view;
  });
  setTimeout(() => fetch().catch(() => {}), AFTER_MS);
  return (props) => {
    const [tries, again] = useState(0);
    useEffect(() => {
      if (View) return undefined;
      let timer = null;
      const redraw = () => again(tries + 1);
      fetch().then(redraw, () => {
        timer = setTimeout(redraw, RETRY_MS);
      });
      return () => clearTimeout(timer);
    }, [tries]);
    if (View) return html`<${View} ...${props} />`;
    return html`<div class="loading" role="status"><span class="spinner" />
      <span class="unseen">Loading</span></div>`;
  };
}
