// The event loop of the browser as a state machine: what came back from the long poll goes in,
// what to tell the pages and how long to wait comes out. No fetch and no timers in here.

const WAIT_FIRST_MS = 500;
const WAIT_LONGEST_MS = 2_000;

export const begin = () => ({ cursor: null, failures: 0, phase: 'connecting' });

export const backoffMs = (failures, random) =>
  Math.min(WAIT_LONGEST_MS, WAIT_FIRST_MS * 2 ** Math.max(0, failures - 1)) * (0.75 + random / 4);

const told = (state, phase) => (state.phase === phase ? [] : [{ kind: 'connection', phase }]);

function answered(state, items) {
  const messages = told(state, 'live');
  // What happened while nobody listened is not in the answer, and without a cursor nobody listens
  // between two polls: reload the data.
  if (state.failures > 0 || state.cursor === null) messages.push({ kind: 'gap' });
  if (items.length > 0) messages.push({ kind: 'events', items });
  const cursor = items.at(-1)?.id ?? state.cursor;
  return { state: { cursor, failures: 0, phase: 'live' }, messages, waitMs: 0 };
}

function failed(state, phase, waitMs) {
  return {
    state: { ...state, failures: state.failures + 1, phase },
    messages: told(state, phase),
    waitMs,
  };
}

/** `outcome`: `{kind: 'events', items}`, `{kind: 'away', retryMs}`, `{kind: 'refused'}` (signed
 *  out: stop until told) or `{kind: 'failed'}`. `random` is 0..1. */
export function step(state, outcome, random) {
  switch (outcome.kind) {
    case 'events':
      return answered(state, outcome.items);
    case 'away':
      return failed(state, 'away', outcome.retryMs);
    case 'refused':
      return { ...failed(state, 'refused', 0), stop: true };
    default:
      return failed(state, 'lost', backoffMs(state.failures + 1, random));
  }
}

/** Somebody saw the server answer, and showed it: say again what the next poll finds. */
export const woken = (state) => ({ ...state, phase: 'connecting' });

/** Does an event concern something that follows `[type, resource]` pairs? A null on either side
 *  means all of them. */
export const concerns = (follows, event) =>
  follows.some(
    ([type, resource]) =>
      type === event.type &&
      (resource == null || event.resource_id == null || resource === event.resource_id),
  );
