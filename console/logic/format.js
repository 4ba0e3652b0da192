// Numbers and times in units people read, in the viewer's own language and zone.

const numbers = new Intl.NumberFormat();
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
// The same width for all, whatever the language.
const clocks = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

export const count = (value) => (value == null ? '–' : numbers.format(value));

/** `1 client`, `2 clients`. */
export const plural = (value, noun) => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

function scaled(value, step, units) {
  let rest = Math.max(0, value);
  let unit = 0;
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)} ${units[unit]}`;
}

export const bytes = (value) => scaled(value ?? 0, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);

/** Throughput is read in bits, as lines are sold. */
export const rate = (bytesPerSecond) =>
  scaled((bytesPerSecond ?? 0) * 8, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);

export function duration(seconds) {
  if (seconds == null) return null;
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first === 3 ? 4 : first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

export const moment = (unixSeconds) => moments.format(new Date(unixSeconds * 1000));

export const clockTime = (unixSeconds) => clocks.format(new Date(unixSeconds * 1000));

/** How long ago, with one unit: exact enough for a list, the exact moment is its title. */
export function ago(unixSeconds, nowSeconds) {
  const passed = nowSeconds - unixSeconds;
  if (passed < 5) return 'just now';
  return `${duration(passed).split(' ').slice(0, 2).join(' ')} ago`;
}
