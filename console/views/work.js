// What the cluster does by itself: keys in store, jobs and the calendar of repairs. Read only.

import { useData } from '../cache.js';
import * as data from '../data.js';
import { count } from '../logic/format.js';
import { html } from '../parts/html.js';
import { List } from '../parts/list.js';
import { Card, Loaded, Page } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Ago, Until } from '../parts/time.js';

const Level = ({ depth, target }) => html`
  <span class="level"><meter min="0" max=${Math.max(target, 1)} value=${Math.min(depth, target)}
    aria-hidden="true" />${count(depth)} of ${count(target)}</span>`;

const POOLS = [
  { title: 'Kind', class: 'main-cell', cell: (pool) => pool.kind },
  { title: 'In store', cell: (pool) => html`<${Level} ...${pool} />` },
  { title: 'In the making', class: 'number', cell: (pool) => count(pool.making) },
  { title: 'Taken in 10 min', class: 'number', cell: (pool) => count(pool.taken_10min) },
];

const progress = (job) => (job.progress === null ? null : `${Math.round(job.progress * 100)} %`);

const JOBS = [
  { title: 'Kind', class: 'main-cell', cell: (job) => job.kind },
  { title: 'State', cell: (job) => html`<${Status} of=${job.state} />` },
  { title: 'Urgency', cell: (job) => job.urgency },
  { title: 'Progress', class: 'number', cell: progress },
  { title: 'Attempts', class: 'number', cell: (job) => count(job.attempts) },
  { title: 'Host', cell: (job) => job.holder },
  { title: 'Error', cell: (job) => job.error },
  { title: 'Since', cell: (job) => html`<${Ago} at=${job.created} />` },
];

const TASKS = [
  { title: 'Task', class: 'main-cell', cell: (task) => task.name },
  { title: 'State', cell: (task) => html`<${Status} of=${task.error ? 'failed'
    : task.holder ? 'running' : 'done'} />` },
  { title: 'Last done', cell: (task) => html`<${Ago} at=${task.done_at} />` },
  { title: 'Took', class: 'number',
    cell: (task) => (task.duration_ms === null ? null : `${count(task.duration_ms)} ms`) },
  { title: 'Found', class: 'number', cell: (task) => count(task.found) },
  { title: 'Mended', class: 'number', cell: (task) => count(task.mended) },
  { title: 'Next', cell: (task) => html`<${Until} at=${task.next_due} />` },
  { title: 'Error', cell: (task) => task.error },
];

const Part = ({ title, why, data: source, keyOf, columns, none }) => html`
  <${Card} title=${title}>
    <p class="soft card-why">${why}</p>
    <${Loaded} data=${source}>${(rows) => html`
      <${List} caption=${title} rows=${rows} keyOf=${keyOf} columns=${columns}
        empty=${html`<p class="calm">${none}</p>`} />`}
    <//>
  <//>`;

export function Work() {
  return html`
    <${Page} title="Work">
      <div class="stack">
        <${Part} title="Pools" data=${useData(data.pools())} keyOf=${(pool) => pool.kind}
          why="Keys made ahead of time, so that nobody waits for them." columns=${POOLS}
          none="No pools." />
        <${Part} title="Jobs" data=${useData(data.jobs())} keyOf=${(job) => job.id}
          why="Expensive work, shared evenly between the hosts." columns=${JOBS}
          none="Nothing to do." />
        <${Part} title="Tasks" data=${useData(data.tasks())} keyOf=${(task) => task.name}
          why="Repairs that run by themselves, on whichever host is first." columns=${TASKS}
          none="No tasks." />
      </div>
    <//>`;
}
