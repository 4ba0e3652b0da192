// Names as the server keeps them: letters and digits of any script and a few signs; the rest is
// removed (contract 1.4). Said while it is typed, so that nobody wonders about it later.

const REMOVED = /[^\p{Alphabetic}\p{N}\-=_@.:/!#$&*+?^|~]/gu;
const NAMED_MAX = 5;

export const filtered = (text) => text.replace(REMOVED, '');

const named = (sign) => {
  if (/\s/u.test(sign)) return 'spaces';
  return /[\p{C}\p{M}]/u.test(sign) ? 'invisible characters' : sign;
};

/** `“ac me” is saved as “acme”`: which signs will be removed, or null if none. */
export function removal(text) {
  const signs = [...new Set((text.match(REMOVED) ?? []).map(named))];
  if (signs.length === 0) return null;
  const shown = signs.slice(0, NAMED_MAX).join(' ') + (signs.length > NAMED_MAX ? ' …' : '');
  const rest = filtered(text);
  return rest === '' ? `Removed: ${shown}` : `Saved as “${rest}”. Removed: ${shown}`;
}

/** Why `text` is no name, or null if it is one. */
export function nameProblem(text) {
  if (!text?.trim()) return 'This is required.';
  return filtered(text) === '' ? 'Use letters or digits.' : null;
}
