// Events as the page sees them: from the SharedWorker, or, where there is none, from whichever
// page of this browser holds the lock, over a BroadcastChannel.

import { cell } from './cell.js';
import { call, handle } from './http.js';
import { nap, pump } from './pump.js';

const NAME = 'warren-events';
const PROBE_MS = 2_000;

/** `connecting`, `live`, `lost`, `away` (the database) or `refused` (signed out). */
export const connection = cell('connecting');

const listeners = new Set();
let polled = 'connecting';
let trouble = null;
let wake = () => {};

/** `listener` gets `{kind: 'events', items}` and `{kind: 'gap'}`. */
export function onMessage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const isAway = (phase) => phase === 'lost' || phase === 'away';

let probing = null;

/** Something is said to be away: asks until it is not, for the page may show nothing that asks by
 *  itself, and the poll may never have noticed. */
function probe() {
  probing ??= setTimeout(async () => {
    const answered = await call('GET', '/status').then(() => true, () => false);
    probing = null;
    if (answered && isAway(polled)) back();
    judge();
  }, PROBE_MS);
}

function judge() {
  connection.set(trouble ?? polled);
  if (isAway(connection.get())) probe();
}

/** A call was answered while the poll still waits before it tries again. */
function back() {
  polled = 'connecting';
  deliver({ kind: 'gap' });
  wake();
}

// A call that fails knows sooner than the poll that waits, and so does one that succeeds.
handle({
  trouble(phase) {
    trouble = phase;
    if (phase === null && polled === 'lost') back();
    judge();
  },
});

function deliver(message) {
  if (message.kind === 'connection') {
    polled = message.phase;
    judge();
  } else {
    for (const listener of [...listeners]) listener(message);
  }
}

function shareWorker() {
  const worker = new SharedWorker(new URL('./worker.js', import.meta.url), {
    name: NAME,
    type: 'module',
  });
  worker.onerror = shareChannel;
  worker.port.onmessage = ({ data }) => deliver(data);
  wake = () => worker.port.postMessage('wake');
  addEventListener('pagehide', () => worker.port.postMessage('bye'));
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.reload();
  });
}

function shareChannel() {
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = ({ data }) => deliver(data);
  const rest = nap();
  let again = () => {};
  wake = () => {
    rest.end();
    again();
  };
  const post = (message) => {
    channel.postMessage(message);
    deliver(message);
  };
  navigator.locks.request(NAME, async () => {
    for (;;) {
      await pump(post, rest);
      await new Promise((resolve) => {
        again = resolve;
      });
    }
  });
}

let started = false;

export function start() {
  if (started) return;
  started = true;
  if ('SharedWorker' in globalThis) shareWorker();
  else shareChannel();
}

/** After a new sign-in: whoever polls may have stopped, or waits. */
export const resume = () => wake();
