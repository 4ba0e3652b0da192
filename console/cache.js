// Data of the API as views use it: shared between views, kept while shown, loaded again when an
// event concerns it, after a gap, and after a failure. A view names what it shows; it does not
// fetch.

import { useEffect, useState } from './vendor/preact-hooks.js';
import { concerns } from './logic/follow.js';
import { onMessage } from './live.js';

const KEEP_UNUSED_MS = 30_000;
const ENTRIES_MAX = 200;
const RETRY_MS = 1_500;
const COALESCE_MS = 150;

const entries = new Map();

class Entry {
  constructor(source) {
    this.source = source;
    this.snapshot = { value: undefined, error: null, loading: true, at: 0 };
    this.watchers = new Set();
    this.stale = true;
    this.running = null;
    this.timer = null;
  }

  publish(change) {
    this.snapshot = { ...this.snapshot, ...change };
    for (const watcher of [...this.watchers]) watcher(this.snapshot);
  }

  schedule(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), ms);
  }

  touch() {
    this.stale = true;
    if (this.watchers.size > 0 && !document.hidden && !this.running) this.schedule(COALESCE_MS);
  }

  async load() {
    if (this.running) return this.running;
    this.stale = false;
    this.running = this.fetch();
    await this.running;
    this.running = null;
    if (this.stale) this.touch();
  }

  /** A load under way may have asked before the change: another one follows it. */
  reload() {
    if (this.running) this.stale = true;
    return this.load();
  }

  async fetch() {
    this.publish({ loading: true });
    try {
      const value = await this.source.load();
      this.publish({ value, error: null, loading: false, at: Date.now() });
      if (this.source.everyMs) this.again(this.source.everyMs);
    } catch (error) {
      this.publish({ error, loading: false });
      if (error.status === 0 || error.status >= 500) this.again(error.retryMs ?? RETRY_MS);
    }
  }

  again(ms) {
    if (this.watchers.size > 0 && !document.hidden) this.schedule(ms);
    else this.stale = true;
  }

  watch(watcher) {
    this.watchers.add(watcher);
    if (this.stale) this.load();
    return () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) this.leave();
    };
  }

  leave() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.watchers.size === 0) entries.delete(this.source.key);
    }, KEEP_UNUSED_MS);
    if (this.source.everyMs) this.stale = true;
  }
}

function entryOf(source) {
  let entry = entries.get(source.key);
  if (!entry) {
    entry = new Entry(source);
    entries.set(source.key, entry);
    if (entries.size > ENTRIES_MAX) dropOldestUnused();
  }
  return entry;
}

function dropOldestUnused() {
  for (const [key, entry] of entries) {
    if (entry.watchers.size === 0) {
      entries.delete(key);
      return;
    }
  }
}

onMessage((message) => {
  for (const entry of entries.values()) {
    const hit =
      message.kind === 'gap' ||
      message.items?.some((event) => concerns(entry.source.follows ?? [], event));
    if (hit) entry.touch();
  }
});

document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  for (const entry of entries.values()) {
    if (entry.stale && entry.watchers.size > 0) entry.load();
  }
});

const NOTHING = { value: undefined, error: null, loading: false, at: 0 };

/** `{value, error, loading, at}` of a source (see data.js); a null source is nothing at all. */
export function useData(source) {
  const [, redraw] = useState(null);
  const key = source?.key;
  useEffect(() => (source ? entryOf(source).watch(redraw) : undefined), [key]);
  return source ? entryOf(source).snapshot : NOTHING;
}

/** As if nothing had been loaded: who signed in now may see what was refused before. */
export function renewAll() {
  for (const [key, entry] of entries) {
    if (entry.watchers.size === 0) {
      clearTimeout(entry.timer);
      entries.delete(key);
    } else {
      entry.publish({ error: null });
      entry.touch();
    }
  }
}

/** Load again now: after an own change, without waiting for its event. */
export const reload = (...sources) =>
  Promise.all(sources.map((source) => entries.get(source.key)?.reload()));
