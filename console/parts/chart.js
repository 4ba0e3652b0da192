// Line charts: uPlot, loaded when the first one is shown, in the colours of the theme.

import { useCell } from '../cell.js';
import { rate } from '../logic/format.js';
import { span } from '../logic/throughput.js';
import { scheme } from '../theme.js';
import { html, useEffect, useRef } from './html.js';

const HEIGHT = 212;
const WINDOW_S = 180;
const TICKS_S = [60, 120, 300, 600];
// Labels stand in the middle of their tick: the last one needs half of itself beside the chart.
const ROOM_PX = [8, 34, 0, 0];

const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { timeStyle: 'short' });

const round = (value) => rate(value).replace('.0', '');

/** Canvas knows no custom properties: let an element resolve them. */
function colours(box) {
  const probe = box.appendChild(document.createElement('span'));
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    accent: of('accent'), fill: of('accent-faint'), info: of('info'), soft: of('ink-soft'),
    line: of('line'),
  };
  probe.remove();
  return found;
}

function options(box, series) {
  const paint = colours(box);
  const font = '12px system-ui, sans-serif';
  const axis = { stroke: paint.soft, font, grid: { stroke: paint.line, width: 1 },
    ticks: { stroke: paint.line, width: 1 } };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    padding: ROOM_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (plot) => span(plot.data[0], Date.now() / 1000, WINDOW_S) },
      y: { range: (_, low, high) => [0, Math.max(high * 1.15, 1000)] },
    },
    axes: [
      { ...axis, space: 70, size: 32, incrs: TICKS_S, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 86, values: (_, ticks) => ticks.map(round) },
    ],
    series: [{}, ...series.map((label, i) => ({
      label, stroke: i === 0 ? paint.accent : paint.info, width: 2, dash: i === 0 ? [] : [5, 4],
      fill: i === 0 ? paint.fill : undefined,
      points: { show: false },
    }))],
  };
}

async function draw(box, series, data) {
  const { default: Plot } = await import('../vendor/uplot.js');
  return box.isConnected ? new Plot(options(box, series), data, box) : null;
}

/** `columns`: times in seconds, then one column per entry of `series` (at most two). */
export function Chart({ columns, series, label }) {
  const box = useRef(null);
  const plot = useRef(null);
  const latest = useRef(columns);
  const painted = useCell(scheme);
  latest.current = columns;
  useEffect(() => {
    let wanted = true;
    const frame = box.current;
    const watcher = new ResizeObserver(() =>
      plot.current?.setSize({ width: frame.clientWidth, height: HEIGHT }));
    watcher.observe(frame);
    draw(frame, series, latest.current).then((drawn) => {
      if (!wanted) return drawn?.destroy();
      plot.current = drawn;
      drawn?.setData(latest.current);
    });
    return () => {
      wanted = false;
      watcher.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [painted]);
  useEffect(() => plot.current?.setData(columns), [columns]);
  return html`
    <div class="chart" ref=${box} role="img" aria-label=${label}>
      ${columns[0].length < 2 && html`<p class="chart-wait">Measuring…</p>`}
    </div>`;
}
