// What to say about an error of the API: which field it belongs to and what to do about it.
// The server's own sentence, where it sends one, says what happened; the cure is ours, and empty
// where that sentence says what to do already.

const RULES = {
  missing_params: { field: 'name', cure: 'Fill in what is required.' },
  network_invalid: {
    field: 'network',
    cure: 'Use a private network such as 10.20.0.0/16, without host bits.',
  },
  network_in_use: {
    field: 'network',
    cure: 'Choose another; a new server that leaves it empty gets a free one.',
  },
  port_invalid: { field: 'port', cure: '' },
  port_protocol_in_use: { field: 'port', cure: 'Change either of them.' },
  protocol_invalid: { field: 'protocol', cure: '' },
  cipher_invalid: { field: 'cipher', cure: 'Choose one of the list.' },
  hash_invalid: { field: 'hash', cure: 'Choose one of the list.' },
  dh_param_bits_invalid: { field: 'dh_param_bits', cure: 'Choose one of the list.' },
  dns_server_invalid: { field: 'dns_servers', cure: 'List IP addresses, not names.' },
  server_domain_no_dns: { field: 'dns_servers', cure: 'Name one, or leave the domain empty.' },
  ping_interval_too_high: { field: 'ping_interval', cure: '' },
  server_not_offline: { cure: '' },
  server_route_online: { cure: '' },
  server_route_invalid: {
    field: 'network',
    cure: 'Use a network such as 10.0.0.0/8, without host bits.',
  },
  server_route_virtual_nat: { field: 'nat', cure: 'Switch NAT off.' },
  server_route_net_gateway_nat: {
    field: 'net_gateway',
    cure: 'Switch NAT off.',
  },
  server_route_non_nat_netmap: { field: 'nat_netmap', cure: 'Switch NAT on, or clear it.' },
  pin_not_digits: { field: 'pin', cure: '' },
  pin_too_short: { field: 'pin', cure: 'Use at least 6 digits.' },
  pin_disabled: { field: 'pin', cure: 'Whoever may change Account can allow them.' },
  pin_bypass_secondary: {
    field: 'pin',
    cure: 'Clear one of the two.',
  },
  admin_username_exists: { field: 'username', cure: 'Choose another name.' },
  no_admins_enabled: { cure: 'Make someone else a super user first.' },
  password_too_short: { field: 'password', cure: '' },
  password_too_long: { field: 'password', cure: '' },
  password_unchanged: { field: 'password', cure: '' },
  no_super_users: { cure: 'Make someone else a super user first.' },
  requires_super_user: { cure: 'Ask a super user to do this.' },
  password_change_required: { cure: 'Choose a new password first.' },
  job_not_failed: { cure: 'Look at its state again.' },
  users_background_busy: { cure: 'Wait until that list is done, then send this one.' },
  auth_invalid: { field: 'password', cure: 'Type it again.' },
  auth_too_many: { cure: 'Wait ten minutes, then try again.' },
};

const BY_STATUS = {
  0: ['The server can not be reached.', 'Check the network; what you typed is kept.'],
  404: ['It does not exist any more.', 'Someone may have deleted it. Go back to the list.'],
  413: ['That is too much at once.', 'Send less in one go.'],
  429: ['Too many requests.', 'Wait a moment, then try again.'],
  500: ['The server failed.', 'The log of the host has the details.'],
  503: ['The database can not be reached.', 'Try again in a moment; what you typed is kept.'],
};

/** Facts of a failed call to words: `{text, cure, field}`; `field` is null for the whole form. */
export function explain({ status, id, message }) {
  const rule = RULES[id] ?? {};
  const [text, cure] = BY_STATUS[status] ?? [`The server refused with status ${status}.`, ''];
  return {
    text: message || text,
    cure: rule.cure ?? (message ? '' : cure),
    field: rule.field ?? null,
  };
}
