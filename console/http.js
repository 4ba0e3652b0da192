// The one place that talks HTTP: the CSRF token, JSON, errors as values with their facts, and a
// session that ended in the middle of something (the call waits for the new sign-in and is then
// repeated, so that nothing typed is lost).

const TIMEOUT_MS = 40_000;

class ApiError extends Error {
  constructor(status, { error, error_msg } = {}, retryMs = null) {
    super(error_msg || error || `status ${status}`);
    this.status = status;
    this.id = error ?? null;
    this.message = error_msg ?? '';
    this.retryMs = retryMs;
  }
}

let csrf = null;
let refreshing = null;
let signInAgain = null;
const handlers = { expired: null, passwordDue: null, trouble: null };

/** `expired` resolves once the session is good again; `passwordDue` is told when the API wants
 *  the first password changed; `trouble` hears after every call what is away: `lost` (the server),
 *  `away` (the database) or null. */
export function handle(given) {
  Object.assign(handlers, given);
}

const retryMsOf = (reply) => {
  const seconds = Number(reply.headers.get('Retry-After'));
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 2000;
};

async function send(method, path, body) {
  const headers = { Accept: 'application/json' };
  if (csrf) headers['Csrf-Token'] = csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const reply = await fetch(path, {
      method,
      headers,
      cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: limit,
    });
    handlers.trouble?.(reply.status === 503 ? 'away' : null);
    return reply;
  } catch {
    handlers.trouble?.('lost');
    throw new ApiError(0);
  }
}

async function decoded(reply) {
  const type = reply.headers.get('Content-Type') ?? '';
  const value = type.includes('json') ? await reply.json().catch(() => null) : null;
  if (reply.ok) return value;
  const retryMs = reply.status === 503 ? retryMsOf(reply) : null;
  throw new ApiError(reply.status, value ?? {}, retryMs);
}

/** A fresh CSRF token; answers the whole state. Calls at the same time share one request. */
export function refreshState() {
  refreshing ??= send('GET', '/state')
    .then(decoded)
    .then((state) => {
      csrf = state.csrf_token;
      return state;
    })
    .finally(() => {
      refreshing = null;
    });
  return refreshing;
}

async function recover() {
  csrf = null;
  try {
    await refreshState();
  } catch (error) {
    if (error.status !== 401) throw error;
    signInAgain ??= handlers.expired().finally(() => {
      signInAgain = null;
    });
    await signInAgain;
    await refreshState();
  }
}

export async function call(method, path, body) {
  if (!csrf && path !== '/state') await recover();
  let reply = await send(method, path, body);
  if (reply.status === 401) {
    await recover();
    reply = await send(method, path, body);
  }
  try {
    return await decoded(reply);
  } catch (error) {
    if (error.id === 'password_change_required') handlers.passwordDue?.();
    throw error;
  }
}

/** Without recovery: for signing in itself, where 401 and 402 are answers. */
export async function ask(method, path, body) {
  const reply = await send(method, path, body);
  return { status: reply.status, answer: await reply.json().catch(() => ({})) };
}
