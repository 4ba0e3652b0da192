// Users: the fields of the form, the record of the API, and the second-factor address.

import { nameProblem } from './text.js';

const pinProblem = (pin) => {
  if (!/^\d*$/.test(pin)) return 'Use digits only.';
  return pin.length < 6 ? 'Use at least 6 digits.' : null;
};

export const FIELDS = [
  { name: 'name', kind: 'text', label: 'Name', required: true, filtered: true,
    hint: 'Letters, digits and - _ . @ without spaces.' },
  { name: 'email', kind: 'text', label: 'E-mail', type: 'email', optional: true },
  { name: 'groups', kind: 'list', label: 'Groups', optional: true,
    hint: 'Servers can be limited to groups. Separate with commas.' },
  { name: 'disabled', kind: 'toggle', label: 'Disabled',
    hint: 'Can not connect; running connections are cut at once.' },
  { name: 'bypass_secondary', kind: 'toggle', label: 'No second factor',
    hint: 'Connects with the certificate alone, even where a server wants codes. For machines.' },
];

export const PIN = { name: 'pin', kind: 'password', label: 'PIN', check: pinProblem,
  autocomplete: 'new-password', inputmode: 'numeric',
  hint: 'At least 6 digits. OpenVPN asks for it as the password, before a one-time code if any.' };

// Everything PUT and POST take; PUT clears what is missing.
const RECORD = {
  name: '', email: '', auth_type: '', yubico_id: '', groups: [], pin: null, disabled: false,
  network_links: [], bypass_secondary: false, client_to_client: false, mac_addresses: [],
  dns_servers: [], dns_suffix: '', port_forwarding: [],
};

export const fresh = () => ({ ...RECORD, pin: '' });

/** The whole record. `pin`: a string sets it, true keeps it, null removes it. */
export function record(user) {
  const entries = Object.entries(RECORD).map(([name, zero]) => [name, user[name] ?? zero]);
  const { pin, ...rest } = Object.fromEntries(entries);
  return { ...rest, pin: pin === '' || pin === false ? null : pin };
}

/** `hadPin`: an emptied PIN field of somebody who has one is not yet an answer. */
export function problems(user, hadPin = false) {
  const found = {};
  const name = nameProblem(user.name);
  if (name) found.name = name;
  const pin = typeof user.pin === 'string' && user.pin !== '' ? pinProblem(user.pin) : null;
  if (pin) found.pin = pin;
  if (hadPin && user.pin === '') found.pin = 'Type the new PIN, or cancel.';
  if (user.bypass_secondary && user.pin) {
    found.pin = 'A user without second factors has no PIN: clear one of the two.';
  }
  return found;
}

/** What authenticator apps read from the QR code. */
export function otpAddress(user) {
  const account = encodeURIComponent(`${user.name}@${user.organization_name}`);
  return `otpauth://totp/${account}?secret=${user.otp_secret}`;
}

/** Groups of four are easier to type from a screen. */
export const spaced = (secret) => secret?.match(/.{1,4}/g)?.join(' ') ?? '';

export const connections = (user) => (user.servers ?? []).filter((server) => server.status);
