// The second factor of a user: secret and QR code, hidden until asked for.

import * as api from '../api.js';
import { reload } from '../cache.js';
import * as data from '../data.js';
import { otpAddress, spaced } from '../logic/user.js';
import { Button, CopyButton } from '../parts/button.js';
import { Confirm } from '../parts/dialog.js';
import { html, useState } from '../parts/html.js';
import { Card } from '../parts/page.js';
import { Qr } from '../parts/qr.js';
import { note } from '../parts/toast.js';

export function Otp({ org, user }) {
  const [shown, setShown] = useState(false);
  const [renewing, setRenewing] = useState(false);
  const renew = async () => {
    await api.renewOtpSecret(org, user.id);
    await reload(data.user(org, user.id));
    note('The old codes no longer work.');
  };
  return html`
    <${Card} title="One-time codes">
      <p class="soft">Asked for by servers that require them. Scan the code with an authenticator
        app.</p>
      ${shown && html`
        <div class="otp">
          <${Qr} text=${otpAddress(user)} label=${`QR code of the secret of ${user.name}`} />
          <div class="inline">
            <code class="otp-secret" aria-label="Secret">${spaced(user.otp_secret)}</code>
            <${CopyButton} text=${user.otp_secret} what="secret" />
          </div>
        </div>`}
      <div class="form-actions">
        <${Button} icon="key" aria-expanded=${String(shown)} onClick=${() => setShown(!shown)}>
          ${shown ? 'Hide secret' : 'Show secret'}<//>
        <${Button} icon="restart" onClick=${() => setRenewing(true)}>New secret<//>
      </div>
      ${renewing && html`
        <${Confirm} title="Make a new secret?" label="Make new secret" busyLabel="Making…"
          onConfirm=${renew} onClose=${() => setRenewing(false)}>
          <p>The authenticator app of ${user.name} shows wrong codes until the new QR code is
            scanned.</p><//>`}
    <//>`;
}
