// What the cluster does by itself: things in store, jobs and the calendar of repairs; and what an
// administrator may do about them.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { explain } from '../logic/errors.js';
import { count, duration } from '../logic/format.js';
import {
  arranged, isCancelled, jobActions, jobProgress, jobState, jobTitle, milliseconds, poolLevel,
  poolState, poolTitle, poolUse, poolWanted, pooled, sampled, summary, taskResult, taskState,
  taskWhy,
} from '../logic/work.js';
import { Button } from '../parts/button.js';
import { Confirm } from '../parts/dialog.js';
import { Refusal } from '../parts/form.js';
import { Gauge, Progress } from '../parts/gauge.js';
import { html, useState } from '../parts/html.js';
import { List } from '../parts/list.js';
import { Card, Loaded, Page } from '../parts/page.js';
import { Spark } from '../parts/spark.js';
import { Status, Tone } from '../parts/status.js';
import { Ago, Until } from '../parts/time.js';
import { note } from '../parts/toast.js';

/** `{refusal, busy, act(key, call, source, done)}`: one call at a time for each row. */
function useActs() {
  const [busy, setBusy] = useState({});
  const [refusal, setRefusal] = useState(null);
  const act = async (key, call, source, done) => {
    setBusy((now) => ({ ...now, [key]: true }));
    setRefusal(null);
    try {
      await call();
      note(done);
    } catch (error) {
      setRefusal(explain(error));
    }
    await reload(source);
    setBusy((now) => ({ ...now, [key]: false }));
  };
  return { act, busy, refusal };
}

// What was seen of each pool while the console is open: it outlives the page.
const histories = new Map();

function history(pool, at) {
  const points = sampled(histories.get(pool.kind) ?? [], pool, at);
  histories.set(pool.kind, points);
  return points;
}

function Pool({ pool, at }) {
  const { tone, word, why } = poolState(pool);
  const points = history(pool, at / 1000);
  return html`
    <li class="pool">
      <div class="pool-head"><h3>${poolTitle(pool.kind)}</h3><${Tone} tone=${tone}>${word}<//></div>
      <p class="pool-level"><strong>${count(pool.depth)}</strong>${' '}
        <span class="soft">${poolWanted(pool)}</span></p>
      <${Gauge} ...${poolLevel(pool)} />
      <${Spark} points=${points}
        label=${`In store over the last ${duration(at / 1000 - points[0].at)}`} />
      <p class="soft pool-why">${[why, poolUse(pool)].filter(Boolean).join('. ')}.</p>
    </li>`;
}

function Pools() {
  const pools = useData(data.pools());
  return html`
    <${Card} title="Pools">
      <p class="soft card-why">Made ahead of time, so that nobody waits for them.
        The chart shows how many were there since you came; dashed is how many should be.</p>
      <${Loaded} data=${pools}>${(list) => {
        const { shown, idle } = pooled(list);
        return html`
          <ul class="pools">
            ${shown.map((pool) => html`
              <${Pool} key=${pool.kind} pool=${pool} at=${pools.at} />`)}
          </ul>
          ${idle.length > 0 && html`
            <p class="soft pool-why">Made only when needed: ${idle.join('; ')}.</p>`}`;
      }}
      <//>
    <//>`;
}

const WORDS = {
  retry: { icon: 'restart', word: 'Try again', done: 'It is tried again.' },
  cancel: { icon: 'close', word: 'Cancel' },
  remove: { icon: 'trash', word: 'Remove', done: 'Removed.' },
};

const RowActions = ({ job, busy, onAct }) => jobActions(job).map((name) => html`
  <${Button} key=${name} kind="quiet" icon=${WORDS[name].icon} word=${WORDS[name].word}
    disabled=${busy} label=${`${WORDS[name].word}: ${jobTitle(job.kind)}`}
    onClick=${() => onAct(name, job)} />`);

function State({ state }) {
  return html`<${Status} of=${state.of}>${state.word}<//>`;
}

const jobColumns = (busy, onAct) => [
  { title: 'Job', class: 'main-cell', cell: (job) => html`
    ${jobTitle(job.kind)}${job.error && !isCancelled(job) && html`
      <p class="row-error">${job.error}</p>`}` },
  { title: 'State', class: 'state-cell', cell: (job) => html`<${State} state=${jobState(job)} />` },
  { title: 'Progress', cell: (job) => {
    const got = jobProgress(job);
    return got && html`<${Progress} ...${got} />`;
  } },
  { title: 'Urgency', class: 'minor', cell: (job) => job.urgency },
  { title: 'Attempts', class: 'number minor', cell: (job) => count(job.attempts) },
  { title: 'Host', cell: (job) => job.holder },
  { title: 'Since', class: 'date', cell: (job) => html`<${Ago} at=${job.created} />` },
  { title: 'Actions', hidden: true, class: 'row-actions', cell: (job) => html`
    <${RowActions} job=${job} busy=${busy[job.id]} onAct=${onAct} />` },
];

function JobList({ jobs }) {
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState(null);
  const { act, busy, refusal } = useActs();
  const { rows, more } = arranged(jobs, all);
  const onAct = (name, job) => {
    if (name === 'cancel') return setAsked(job);
    const call = name === 'retry' ? api.retryJob : api.deleteJob;
    return act(job.id, () => call(job.id), data.jobs(), WORDS[name].done);
  };
  const cancel = async () => {
    await api.deleteJob(asked.id);
    await reload(data.jobs());
    note('Cancelled.');
  };
  return html`
    <${Refusal} refusal=${refusal} />
    <${List} caption="Jobs" rows=${rows} keyOf=${(job) => job.id}
      columns=${jobColumns(busy, onAct)} empty=${html`<p class="calm">Nothing to do.</p>`} />
    ${more > 0 && html`
      <div class="pager"><${Button} onClick=${() => setAll(true)}>
        Show ${count(more)} more that wait<//></div>`}
    ${asked && html`
      <${Confirm} title=${`Cancel “${jobTitle(asked.kind)}”?`} label="Cancel job"
        busyLabel="Cancelling…" stay="Keep it" onConfirm=${cancel}
        onClose=${() => setAsked(null)}>
        <p>What is done of it already stays. It can be tried again from here.</p><//>`}`;
}

function Jobs() {
  const jobs = useData(data.jobs());
  return html`
    <${Card} title="Jobs"
      actions=${jobs.value && html`<span class="soft">${summary(jobs.value)}</span>`}>
      <p class="soft card-why">Expensive work, shared evenly between the hosts.</p>
      <${Loaded} data=${jobs}>${(list) => html`<${JobList} jobs=${list} />`}<//>
    <//>`;
}

const taskColumns = (busy, onRun) => [
  { title: 'Task', class: 'main-cell', cell: (task) => html`
    ${task.name}<p class="row-why">${taskWhy(task.name)}</p>
    ${task.error && html`<p class="row-error">${task.error}</p>`}` },
  { title: 'State', class: 'state-cell',
    cell: (task) => html`<${State} state=${taskState(task)} />` },
  { title: 'Last run', class: 'date', cell: (task) => html`<${Ago} at=${task.done_at} />` },
  { title: 'By', cell: (task) => task.holder ?? task.done_by },
  { title: 'Took', class: 'number', cell: (task) => milliseconds(task.duration_ms) },
  { title: 'Result', class: 'date', cell: taskResult },
  { title: 'Next', class: 'date', cell: (task) => html`<${Until} at=${task.next_due} />` },
  { title: 'Actions', hidden: true, class: 'row-actions', cell: (task) => html`
    <${Button} kind="quiet" icon="play" word="Run now" label=${`Run now: ${task.name}`}
      disabled=${busy[task.name] || Boolean(task.holder)} onClick=${() => onRun(task)} />` },
];

function Tasks() {
  const tasks = useData(data.tasks());
  const { act, busy, refusal } = useActs();
  const run = (task) =>
    act(task.name, () => api.runTask(task.name), data.tasks(), `${task.name} runs now.`);
  return html`
    <${Card} title="Tasks">
      <p class="soft card-why">Repairs that run by themselves, on whichever host is first.</p>
      <${Refusal} refusal=${refusal} />
      <${Loaded} data=${tasks}>${(list) => html`
        <${List} caption="Tasks" rows=${list} keyOf=${(task) => task.name}
          columns=${taskColumns(busy, run)} empty=${html`<p class="calm">No tasks.</p>`} />`}
      <//>
    <//>`;
}

export const Work = () => html`
  <${Page} title="Work">
    <div class="stack"><${Pools} /><${Jobs} /><${Tasks} /></div>
  <//>`;
