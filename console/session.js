// Who is signed in, and the ways a session begins, lapses, is renewed and ends.
// phase: starting → ready | password (the first one must be changed) | unreachable | away (the
//        database is)
//        ready → expired (a dialog asks for the password; calls wait) → ready

import * as api from './api.js';
import { renewAll } from './cache.js';
import { cell } from './cell.js';
import { handle, refreshState } from './http.js';
import { connection, resume } from './live.js';

export const session = cell({ phase: 'starting' });

let renewed = null;

/** As typed at the last sign-in. */
export const knownName = () => sessionStorage.getItem('username') ?? '';

const enter = (phase) => session.set({ phase });

handle({
  expired() {
    if (session.get().phase === 'starting') {
      location.replace(`/login${location.hash}`);
      return new Promise(() => {});
    }
    enter('expired');
    return new Promise((resolve) => {
      renewed = resolve;
    });
  },
  passwordDue: () => enter('password'),
});

/** Another page of this browser may have noticed the end of the session, or renewed it. */
connection.watch((phase) => {
  const known = session.get().phase;
  if (phase === 'refused' && known === 'ready') api.getStatus().then(resume, () => {});
  if (phase === 'live' && known === 'expired') refreshState().then(goOn, () => {});
});

function goOn() {
  enter('ready');
  renewed?.();
  renewed = null;
}

export async function start() {
  try {
    await refreshState();
    const settings = await api.getSettings();
    if (settings.default) return enter('password');
    enter('ready');
  } catch (error) {
    if (error.status === 401) {
      location.replace(`/login${location.hash}`);
    } else if (error.id === 'password_change_required') {
      enter('password');
    } else {
      enter(error.status === 503 ? 'away' : 'unreachable');
      setTimeout(start, error.retryMs ?? 3000);
    }
  }
}

/** From the dialog over the page: `{status, answer}`; on success the waiting calls go on. */
export async function signInAgain(credentials) {
  const result = await api.signIn(credentials);
  if (result.status === 200) {
    goOn();
    if (result.answer.default) enter('password');
  }
  return result;
}

export async function changeFirstPassword(username, password) {
  await api.putSettings({ username, password });
  // Until now every call and the poll for events were refused.
  renewAll();
  resume();
  await start();
}

export async function signOut() {
  await api.signOut().catch(() => {});
  location.assign('/login');
}
