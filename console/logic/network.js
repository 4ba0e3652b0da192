// Checks of addresses and networks while they are typed. The server decides; these only spare
// a round trip, so they accept whatever they do not know.

const octets = (text) => {
  const parts = text.split('.');
  const good = parts.length === 4 && parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) <= 255);
  return good ? parts.map(Number) : null;
};

const toNumber = (parts) => parts.reduce((sum, part) => sum * 256 + part, 0);

const toText = (number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

const looksV6 = (text) => /^[0-9a-f:]+$/i.test(text) && text.split(':').length > 2;

export const isAddress = (text) => octets(text) !== null || looksV6(text);

/** Why `text` is no strict network, or null if it is one. */
export function networkProblem(text) {
  const [address, bits, ...rest] = text.trim().split('/');
  if (bits === undefined || rest.length > 0) return 'Add the prefix length, as in 10.0.0.0/8.';
  if (looksV6(address)) return Number(bits) <= 128 ? null : 'The prefix length is at most 128.';
  const parts = octets(address);
  if (!parts) return 'This is not an IP network.';
  if (!/^\d{1,2}$/.test(bits) || Number(bits) > 32) return 'The prefix length is at most 32.';
  const size = 2 ** (32 - Number(bits));
  const number = toNumber(parts);
  const base = number - (number % size);
  return base === number ? null : `Host bits are set. Did you mean ${toText(base)}/${bits}?`;
}

export const addressesProblem = (list) => {
  const wrong = list.find((text) => !isAddress(text));
  return wrong === undefined ? null : `${wrong} is not an IP address.`;
};

export const portProblem = (port) =>
  Number.isInteger(port) && port >= 1 && port <= 65_535 ? null : 'Use a number from 1 to 65535.';
