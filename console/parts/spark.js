// A small chart beside a number: how it went lately. The words beside it say the rest.

import { html } from './html.js';

const WIDTH = 240;
const HEIGHT = 40;
const ROOM = 1.12;

/** `points`: `{at, depth, target}`, oldest first; the dashed line is the target. */
export function Spark({ points, label }) {
  if (points.length < 2) return html`<div class="spark"><p class="soft">Measuring…</p></div>`;
  const [first, last] = [points[0].at, points.at(-1).at];
  const top = Math.max(1, ...points.map((point) => Math.max(point.depth, point.target))) * ROOM;
  const x = (at) => (((at - first) / Math.max(1, last - first)) * WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - (value / top) * HEIGHT).toFixed(1);
  const line = (name) => points.map((point) => `${x(point.at)},${y(point[name])}`).join(' ');
  return html`
    <svg class="spark" role="img" aria-label=${label} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none">
      <polygon class="spark-fill" points=${`0,${HEIGHT} ${line('depth')} ${WIDTH},${HEIGHT}`} />
      <polyline class="spark-target" points=${line('target')} />
      <polyline class="spark-line" points=${line('depth')} />
    </svg>`;
}
