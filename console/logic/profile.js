// When profiles handed out before a change no longer do: they carry the address and the ciphers
// of a server, and whether the client asks for something to type.

const HAND_OUT = 'Hand out a new profile.';
const EACH = 'Each is on the page of its user.';
const ALL = `Hand out new profiles. ${EACH}`;

const has = (pin) => Boolean(pin);

/** What to say after a user was saved; null if old profiles still do. `sent` is the record: its
 *  PIN is a string when set anew, true when kept. */
export function afterUser(before, sent) {
  if (!before.servers?.length) return null;
  if (!has(before.pin) && has(sent.pin)) {
    return `${HAND_OUT} One made before may not ask for the PIN, and is then refused.`;
  }
  if (has(before.pin) && !has(sent.pin)) {
    return `${HAND_OUT} One made before still asks for the PIN.`;
  }
  if (before.bypass_secondary && !sent.bypass_secondary) {
    return `${HAND_OUT} One made before does not ask for a code, and is refused where a server `
      + 'wants one.';
  }
  return null;
}

/** The same after the policy of PINs was saved. */
export function afterPolicy(before, sent) {
  if (before.pin_mode === sent.pin_mode) return null;
  if (sent.pin_mode === 'required') {
    return 'Users without a PIN are refused from now on. Whoever gets one needs a new profile.';
  }
  const switched = [before.pin_mode, sent.pin_mode].includes('disabled');
  return switched ? `Users who have a PIN need new profiles. ${EACH}` : null;
}

// Options that both ends must agree on, as people call them.
const SHARED = { port: 'port', protocol: 'protocol', cipher: 'cipher', hash: 'hash' };

/** The same after a server was saved. */
export function afterServer(before, sent) {
  if (!before.otp_auth && sent.otp_auth) {
    return `${ALL} Those made before may not ask for a one-time code, and are then refused.`;
  }
  const changed = Object.keys(SHARED).filter((name) => before[name] !== sent[name]);
  if (changed.length > 0) {
    const names = changed.map((name) => SHARED[name]).join(' and ');
    return `${ALL} Those made before have the old ${names}.`;
  }
  if (before.otp_auth && !sent.otp_auth) {
    return `${ALL} Those made before still ask for a one-time code.`;
  }
  return null;
}
