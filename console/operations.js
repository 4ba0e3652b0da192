// Starts, stops and restarts under way or just failed: kept apart from the pages, so that one
// can leave a page and find its progress again.

import * as api from './api.js';
import { cell } from './cell.js';
import { explain } from './logic/errors.js';

/** By server: `{name, since}` while it runs, `{name, failure}` after it failed. */
export const operations = cell({});

const note = (server, operation) => operations.set({ ...operations.get(), [server]: operation });

export const dismiss = (server) => note(server, undefined);

export async function operate(server, name) {
  if (operations.get()[server]?.since) return;
  note(server, { name, since: Date.now() });
  try {
    await api.operateServer(server, name);
    note(server, undefined);
  } catch (error) {
    note(server, { name, failure: explain(error) });
  }
}
