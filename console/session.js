// Who is signed in, and the ways a session begins, lapses, is renewed and ends.
// phase: starting → ready | password (the first one must be changed) | unreachable
//        ready → expired (a dialog asks for the password; calls wait) → ready

import * as api from './api.js';
import { cell } from './cell.js';
import { handle, refreshState } from './http.js';

export const session = cell({ phase: 'starting', superUser: false });

let renewed = null;

/** As typed at the last sign-in. */
export const knownName = () => sessionStorage.getItem('username') ?? '';

const enter = (phase) => session.set({ ...session.get(), phase });

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

export async function start() {
  try {
    const state = await refreshState();
    session.set({ phase: 'starting', superUser: state.super_user });
    const settings = await api.getSettings();
    if (settings.default) return enter('password');
    enter('ready');
  } catch (error) {
    if (error.status === 401) {
      location.replace(`/login${location.hash}`);
    } else if (error.id === 'password_change_required') {
      enter('password');
    } else {
      enter('unreachable');
      setTimeout(start, error.retryMs ?? 3000);
    }
  }
}

/** From the dialog over the page: `{status, answer}`; on success the waiting calls go on. */
export async function signInAgain(credentials) {
  const result = await api.signIn(credentials);
  if (result.status === 200) {
    enter(result.answer.default ? 'password' : 'ready');
    renewed?.();
    renewed = null;
  }
  return result;
}

export async function changeFirstPassword(username, password) {
  await api.putSettings({ username, password });
  await start();
}

export async function signOut() {
  await api.signOut().catch(() => {});
  location.assign('/login');
}
