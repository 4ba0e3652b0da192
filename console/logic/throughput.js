// Bytes of connected clients over time to rates. Counters belong to a connection: one that is
// new counts from its first sight, one that went away simply stops counting.

const POINTS_MAX = 240;

export const begin = () => ({ at: null, seen: new Map(), points: [], perClient: new Map() });

function deltas(before, clients, seconds) {
  const perClient = new Map();
  let received = 0;
  let sent = 0;
  for (const client of clients) {
    const last = before.get(client.id);
    const down = last ? Math.max(0, client.bytes_sent - last.bytes_sent) / seconds : 0;
    const up = last ? Math.max(0, client.bytes_received - last.bytes_received) / seconds : 0;
    perClient.set(client.id, { down, up });
    received += up;
    sent += down;
  }
  return { perClient, received, sent };
}

/** One more sample, `at` in seconds. `received` and `sent` are the server's side. */
export function sample(history, clients, at) {
  const seen = new Map(clients.map((client) => [client.id, client]));
  if (history.at === null) return { ...history, at, seen };
  const seconds = at - history.at;
  if (seconds < 0.5) return history;
  const { perClient, received, sent } = deltas(history.seen, clients, seconds);
  const points = [...history.points, { at, received, sent }].slice(-POINTS_MAX);
  return { at, seen, points, perClient };
}

/** First and last moment on the axis. Too little to draw is shown in the window that ends now. */
export function span(times, nowS, windowS) {
  if (times.length < 2) return [nowS - windowS, nowS];
  return [Math.min(times[0], times.at(-1) - windowS), times.at(-1)];
}

/** Columns as the chart takes them: times, to clients, from clients. */
export const columns = ({ points }) => [
  points.map((point) => point.at),
  points.map((point) => point.sent),
  points.map((point) => point.received),
];
