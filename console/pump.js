// Turns the crank of logic/follow.js: one long poll after the other, for as long as someone
// listens. Runs in the SharedWorker, or in one page where there is none.

import { begin, step, woken } from './logic/follow.js';

const POLL_LIMIT_MS = 20_000;

/** A pause that can be cut short: `wait` answers whether it was. */
export function nap() {
  let finish = () => {};
  return {
    wait: (ms) => new Promise((resolve) => {
      const timer = setTimeout(resolve, ms, false);
      finish = () => {
        clearTimeout(timer);
        resolve(true);
      };
    }),
    end: () => finish(),
  };
}

async function token() {
  const reply = await fetch('/state', { signal: AbortSignal.timeout(POLL_LIMIT_MS) });
  return reply.ok ? { csrf: (await reply.json()).csrf_token } : { reply };
}

function outcomeOf(reply) {
  if (reply.status === 401 || reply.status === 403) return { kind: 'refused' };
  if (reply.status !== 503) return { kind: 'failed' };
  const seconds = Number(reply.headers.get('Retry-After')) || 2;
  return { kind: 'away', retryMs: seconds * 1000 };
}

async function poll(cursor, csrf) {
  const reply = await fetch(cursor ? `/event/${cursor}` : '/event', {
    headers: { 'Csrf-Token': csrf },
    cache: 'no-store',
    signal: AbortSignal.timeout(POLL_LIMIT_MS),
  });
  return reply.ok ? { kind: 'events', items: await reply.json() } : outcomeOf(reply);
}

/** Polls until refused; `post` gets every message, `rest` (a nap) is what it waits with. Call
 *  again after a new sign-in. */
export async function pump(post, rest) {
  let state = begin();
  let csrf = null;
  for (;;) {
    let outcome;
    try {
      if (!csrf) {
        const answer = await token();
        csrf = answer.csrf ?? null;
        if (!csrf) outcome = outcomeOf(answer.reply);
        // The server is back: said now, for the next poll may be long.
        else if (state.phase === 'lost') outcome = { kind: 'events', items: [] };
        else outcome = await poll(state.cursor, csrf);
      } else {
        outcome = await poll(state.cursor, csrf);
        // A token may have lapsed while the session has not: ask for a new one once.
        if (outcome.kind === 'refused') {
          csrf = null;
          continue;
        }
      }
    } catch {
      csrf = null;
      outcome = { kind: 'failed' };
    }
    const next = step(state, outcome, Math.random());
    state = next.state;
    next.messages.forEach(post);
    if (next.stop) return;
    if (await rest.wait(next.waitMs)) state = woken(state);
  }
}
