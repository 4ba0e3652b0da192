// Quick search: which of the known pages and things match what was typed.

const folded = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();

const rank = (title, words) => {
  const text = folded(title);
  if (!words.every((word) => text.includes(word))) return 0;
  return text.startsWith(words[0] ?? '') ? 2 : 1;
};

/** The best matches of `entries` (`{title, ...}`), at most `limit`, in a stable order. */
export function find(entries, typed, limit = 12) {
  const words = folded(typed).split(/\s+/).filter(Boolean);
  return entries
    .map((entry) => ({ entry, score: rank(entry.title, words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map(({ entry }) => entry);
}

/** Lines that contain every word, with their numbers and, where known, their times. */
export function matchingLines(lines, typed, times = []) {
  const words = folded(typed).split(/\s+/).filter(Boolean);
  return lines
    .map((text, number) => ({ text, number, at: times[number] ?? null }))
    .filter(({ text }) => words.every((word) => folded(text).includes(word)));
}
