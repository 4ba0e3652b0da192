// The session ended while somebody worked: ask for the password over the page and go on. What
// was typed underneath stays, and the call that was refused is repeated.

import { knownName, signInAgain } from '../session.js';
import { resume } from '../live.js';
import { Dialog } from './dialog.js';
import { Actions } from './form.js';
import { Field } from './field.js';
import { html, useState } from './html.js';

const USERNAME = { name: 'username', kind: 'text', label: 'User name', autocomplete: 'username' };
const PASSWORD = {
  name: 'password', kind: 'password', label: 'Password', autocomplete: 'current-password',
};
const CODE = {
  name: 'otp_code', kind: 'text', label: 'One-time code', autocomplete: 'one-time-code',
  inputmode: 'numeric',
};

export function SignIn() {
  const [typed, setTyped] = useState({ username: knownName(), password: '', otp_code: '' });
  const [wantsCode, setWantsCode] = useState(false);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const set = (name) => (value) => setTyped((now) => ({ ...now, [name]: value }));
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    const { status, answer } = await signInAgain({ ...typed, yubico_key: '' })
      .catch(() => ({ status: 0, answer: { error_msg: 'The server can not be reached.' } }));
    setBusy(false);
    if (status === 200) return resume();
    if (status === 402) setWantsCode(true);
    setProblem(status === 402 && !wantsCode ? null : answer.error_msg ?? 'That was not accepted.');
  };
  const fields = wantsCode ? [USERNAME, PASSWORD, CODE] : [USERNAME, PASSWORD];
  return html`
    <${Dialog} title="Sign in again">
      <p>Your session has ended. Nothing you typed is lost.</p>
      <form class="form" onSubmit=${submit}>
        ${problem && html`<p class="form-error" role="alert">${problem}</p>`}
        ${fields.map((field) => html`
          <${Field} key=${field.name} field=${field} value=${typed[field.name]}
            onChange=${set(field.name)} />`)}
        <${Actions} label="Sign in" busyLabel="Signing in…" busy=${busy} />
      </form>
    <//>`;
}
