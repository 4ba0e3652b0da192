// Many users at once, from pasted text: one per line, a name alone or with an e-mail address, as
// people have them in spreadsheets and address books.

import { filtered, nameProblem } from './text.js';

export const USERS_MAX = 10_000;
/** Up to as many are made while one waits; more become a job. */
export const AT_ONCE_MAX = 10;

/** Of an organization with more, the names are not fetched to be compared. */
export const COMPARED_MAX = 1_000;
/** As many characters of a name are kept. */
const NAME_MAX = 128;
const TOO_LONG = `A name has ${NAME_MAX} characters at most.`;

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
  if ([...filtered(name)].length > NAME_MAX) return TOO_LONG;
  if (email !== '' && !/^[^\s@]+@[^\s@]+$/.test(email)) return 'This is no e-mail address.';
  const first = seen.get(filtered(name));
  return first ? `The same name as in line ${first}.` : null;
}

const HEADING = [/^(full |user |login )?names?$|^user$/i, /^e-?mails?( address(es)?)?$/i];

/** The first line as a spreadsheet's columns are headed; null if it is a user as any other. */
export function heading(text) {
  const typed = text.trimStart().split(/\r?\n/, 1)[0].trim();
  const { name, email, rest } = split(typed);
  const isOne = rest.length === 0 && HEADING[0].test(name) && HEADING[1].test(email);
  return isOne ? typed : null;
}

/** Rows `{line, name, email, saved, problem}` of everything but empty lines and a heading. `saved`
 *  is the name as it will be, where signs are removed from it. */
export function parse(text) {
  const seen = new Map();
  const rows = [];
  let headed = heading(text) !== null;
  text.split(/\r?\n/).forEach((raw, i) => {
    const typed = raw.trim();
    if (typed === '') return;
    if (headed) {
      headed = false;
      return;
    }
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

/** `rows` with `twin` where the organization has a user of that name already. */
export function compared(rows, users) {
  const names = new Set(users.map((user) => user.name));
  if (names.size === 0) return rows;
  return rows.map((row) => ({ ...row, twin: !row.problem && names.has(row.saved ?? row.name) }));
}

/** Why `rows` can not be sent as a whole; null if they can. */
export function refusal(rows) {
  if (rows.length === 0) return 'Paste at least one name.';
  if (rows.length > USERS_MAX) return `At most ${USERS_MAX} in one go.`;
  const wrong = rows.filter((row) => row.problem).length;
  if (wrong === 0) return null;
  return wrong === 1 ? 'One line needs mending.' : `${wrong} lines need mending.`;
}

const weight = (row) => (row.problem ? 0 : row.saved || row.twin ? 1 : 2);

/** What to show of many rows: those with problems first, then those that surprise by
 *  another name than was typed or by a twin, in the order of lines each. */
export const preview = (rows, limit) =>
  [...rows].sort((a, b) => weight(a) - weight(b)).slice(0, limit);

/** The bodies of the API; only what is set, for the whole must stay small. */
export const bodies = (rows, { groups = [] } = {}) =>
  rows.map(({ name, email }) => ({
    name,
    ...(email && { email }),
    ...(groups.length > 0 && { groups }),
  }));
