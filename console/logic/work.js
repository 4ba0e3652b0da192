// Pools, jobs and tasks in words: their names, how they stand, what may be done about them.

import { count, duration, plural } from './format.js';

const TAKEN_SPAN_S = 600;
const WAITING_SHOWN = 5;

/** What the server says of a job that somebody cancelled. */
const CANCELLED = 'cancelled by an administrator';

const KEY = /^(rsa)(\d+)$/;
const DH = /^dh-?(\d+)$/;

/** `rsa2048` as people call it. Kinds of a newer server keep their name. */
export function poolTitle(kind) {
  const key = KEY.exec(kind);
  if (key) return `RSA keys, ${key[2]} bit`;
  const parameters = DH.exec(kind);
  return parameters ? `DH parameters, ${parameters[1]} bit` : kind;
}

const SAMPLES_MAX = 120;

/** One more sample of a pool's depth, `at` in seconds; as many are kept as ten minutes have. */
export function sampled(history, { depth, target }, at) {
  if (history.at(-1)?.at === at) return history;
  return [...history, { at, depth, target }].slice(-SAMPLES_MAX);
}

/** `{tone, word, cure}`; tones are those of states. */
export function poolState({ depth, target, making }) {
  if (target === 0) return { tone: 'off', word: 'Not kept', why: 'Made when they are needed.' };
  if (depth >= target) return { tone: 'good', word: 'Full', why: '' };
  const why = making > 0 ? `${count(making)} in the making` : 'Begins in a moment';
  if (depth === 0) return { tone: 'warn', word: 'Empty', why };
  return { tone: 'info', word: 'Filling', why };
}

/** What stands beside how many are there: a late job may bring one more than was wanted. */
export function poolWanted({ depth, target }) {
  const over = target > 0 && depth > target;
  return over ? `in store, ${count(target)} wanted` : `of ${count(target)} in store`;
}

/** Pools worth a picture, and the names of those that nothing is kept in: `{shown, idle}`. */
export function pooled(pools) {
  const isIdle = ({ depth, target, making }) => target === 0 && depth === 0 && making === 0;
  return {
    shown: pools.filter((pool) => !isIdle(pool)),
    idle: pools.filter(isIdle).map((pool) => poolTitle(pool.kind)),
  };
}

const part = (amount, whole) => Math.min(1, Math.max(0, amount / Math.max(1, whole)));

/** Shares of the target from 0 to 1: what is there, and what comes on top of it. */
export function poolLevel({ depth, target, making }) {
  const there = part(depth, target);
  return { there, coming: Math.min(1 - there, part(making, target)) };
}

/** One unit is exact enough for a guess. */
const rough = (seconds) => duration(seconds).split(' ').slice(0, 2).join(' ');

/** How fast a pool is used, and how long it would last at that rate with nobody refilling it. */
export function poolUse({ depth, taken_10min: taken }) {
  if (!taken) return 'None taken in 10 min';
  const rate = `${count(taken)} taken in 10 min`;
  return depth === 0 ? rate : `${rate}, lasts ${rough((depth / taken) * TAKEN_SPAN_S)}`;
}

const BULK = 'bulk-users';

/** The kind of a job, and what it is about; the id of an organization is no title. */
export function jobTitle(kind) {
  const [name, about = ''] = kind.split(' ');
  if (name === BULK) return 'New users';
  if (name === 'dh-params') return `DH parameters, ${about} bit`;
  const key = name === 'private-key' && KEY.exec(about);
  return key ? `RSA key, ${key[2]} bit` : kind;
}

/** The organization that a job makes many users of; null for other jobs. */
export const bulkOrg = ({ kind }) => (kind.startsWith(`${BULK} `) ? kind.split(' ')[1] : null);

/** `40 of 300`, of jobs that know, else a share; null for those of one step. */
export function jobProgress({ progress, position, total }) {
  const words = `${count(position)} of ${count(total)}`;
  if (total > 0) return { of: part(position, total), words };
  return progress == null ? null : { of: progress, words: `${Math.floor(progress * 100)} %` };
}

export const isCancelled = ({ state, error }) => state === 'failed' && error === CANCELLED;

/** `{of, word}` as a state is shown; without a word the usual one. */
export function jobState(job) {
  if (isCancelled(job)) return { of: 'disabled', word: 'Cancelled' };
  if (job.state === 'ready' && job.error) return { of: 'ready', word: 'Trying again' };
  return { of: job.state };
}

/** What may be done: `retry`, and `cancel` or `remove`. */
export function jobActions({ state, error }) {
  const open = state === 'ready' || state === 'running';
  const retry = state === 'failed' || (state === 'ready' && Boolean(error));
  return [retry && 'retry', open ? 'cancel' : 'remove'].filter(Boolean);
}

const ORDER = ['failed', 'running', 'ready', 'done'];

/** What needs care first; of many that only wait, a few: `{rows, more}`. */
export function arranged(jobs, all = false) {
  // Somebody's order is none of a crowd.
  const waits = (job) => job.state === 'ready' && !job.error && !(job.total > 0);
  const sorted = [...jobs].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
    waits(a) - waits(b) || a.created - b.created);
  const waiting = sorted.filter(waits);
  if (all || waiting.length <= WAITING_SHOWN + 1) return { rows: sorted, more: 0 };
  const dropped = new Set(waiting.slice(WAITING_SHOWN));
  return { rows: sorted.filter((job) => !dropped.has(job)), more: dropped.size };
}

/** `3 failed, 1 running, 56 waiting`: what is not there is left out. */
export function summary(jobs) {
  const words = { failed: 'failed', cancelled: 'cancelled', running: 'running', ready: 'waiting' };
  const states = jobs.map((job) => (isCancelled(job) ? 'cancelled' : job.state));
  return Object.entries(words)
    .map(([state, word]) => [states.filter((one) => one === state).length, word])
    .filter(([many]) => many > 0)
    .map(([many, word]) => `${count(many)} ${word}`)
    .join(', ');
}

const TASKS = {
  pools: 'Refills pools and drops reservations nobody asks for.',
  jobs: 'Gives jobs of lost hosts to others.',
  silent_hosts: 'Reports hosts that went silent without being noticed.',
  organizations: 'Completes deletions of organizations that were cut short.',
  replicas: 'Frees slots of dead hosts, and looks whether servers run.',
  clients: 'Forgets clients of instances that are gone.',
  dangling: 'Detaches organizations and hosts that no longer exist, and renews lost certificates.',
  users: 'Deletes users of organizations that are gone.',
  addresses: 'Frees lost addresses, and puts doubled and missing ones right.',
};

/** What a task does, in a sentence; none for one of a newer server. */
export const taskWhy = (name) => TASKS[name] ?? '';

export function taskState({ holder, error, done_at: doneAt }) {
  if (holder) return { of: 'running' };
  if (error) return { of: 'failed' };
  return doneAt == null ? { of: 'ready', word: 'Not yet run' } : { of: 'done' };
}

/** `mended 3 of 5`, or that there was nothing to do. */
export function taskResult({ done_at: doneAt, found, mended }) {
  if (doneAt == null) return null;
  if (found === 0) return 'nothing to do';
  if (mended === found) return `${count(mended)} mended`;
  return `${count(mended)} of ${plural(found, 'find')} mended`;
}

export const milliseconds = (ms) => {
  if (ms == null) return null;
  if (ms < 1) return '< 1 ms';
  return ms < 10_000 ? `${count(ms)} ms` : duration(ms / 1000);
};
