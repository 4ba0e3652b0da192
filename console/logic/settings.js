// Settings and administrators: PUT replaces the whole record, so what was read goes back with
// the change in it.

/** What PUT /admin takes, from what GET /settings says about the caller. */
export const adminRecord = (me, change) => ({
  username: me.username,
  password: '',
  yubikey_id: me.yubikey_id ?? '',
  otp_auth: Boolean(me.otp_auth),
  otp_secret: false,
  auth_api: Boolean(me.auth_api),
  token: '',
  secret: '',
  disabled: Boolean(me.disabled),
  super_user: Boolean(me.super_user),
  ...change,
});

export const settingsRecord = (settings, change) => ({
  ...settings,
  username: '',
  password: '',
  ...change,
});
