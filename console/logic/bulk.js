// Many users at once, from pasted text: one per line, a name alone or with an e-mail address, as
// people have them in spreadsheets and address books.

import { filtered, nameProblem } from './text.js';

export const USERS_MAX = 10_000;
/** Up to as many are made while one waits; more become a job. */
export const AT_ONCE_MAX = 10;

const NAMED = /^(.*?)\s*<([^<>]*)>$/;

/** Name and address of a line; quotes of spreadsheets are dropped. */
function split(line) {
  const named = NAMED.exec(line);
  const parts = named ? [named[1], named[2]] : line.split(/[,;\t]/);
  const [name = '', email = '', ...rest] = parts.map((part) =>
    part.trim().replace(/^(["'])(.*)\1$/, '$2'));
  return { name, email, rest: rest.filter(Boolean) };
}

function problemOf({ name, email, rest }, seen) {
  if (rest.length > 0) return 'A name and an e-mail address at most, please.';
  const wrong = nameProblem(name);
  if (wrong) return name === '' ? 'The name is missing.' : wrong;
  if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email)) return 'This is no e-mail address.';
  const first = seen.get(filtered(name));
  return first ? `The same name as in line ${first}.` : null;
}

/** Rows `{line, name, email, saved, problem}` of everything but empty lines. `saved` is the name
 *  as it will be, where signs are removed from it. */
export function parse(text) {
  const seen = new Map();
  const rows = [];
  text.split(/\r?\n/).forEach((raw, i) => {
    const typed = raw.trim();
    if (typed === '') return;
    const parts = split(typed);
    const problem = problemOf(parts, seen);
    const name = filtered(parts.name);
    if (!problem) seen.set(name, i + 1);
    rows.push({
      line: i + 1, name: parts.name, email: parts.email, problem,
      saved: problem || name === parts.name ? null : name,
    });
  });
  return rows;
}

/** Why `rows` can not be sent as a whole; null if they can. */
export function refusal(rows) {
  if (rows.length === 0) return 'Paste at least one name.';
  if (rows.length > USERS_MAX) return `At most ${USERS_MAX} in one go.`;
  const wrong = rows.filter((row) => row.problem).length;
  if (wrong === 0) return null;
  return wrong === 1 ? 'One line needs mending.' : `${wrong} lines need mending.`;
}

/** What to show of many rows: those with problems first, in the order of lines each. */
export function preview(rows, limit) {
  const wrong = rows.filter((row) => row.problem);
  return [...wrong, ...rows.filter((row) => !row.problem)].slice(0, limit);
}

/** The bodies of the API; only what is set, for the whole must stay small. */
export const bodies = (rows, { groups = [] } = {}) =>
  rows.map(({ name, email }) => ({
    name,
    ...(email && { email }),
    ...(groups.length > 0 && { groups }),
  }));
