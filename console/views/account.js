// The own account, the API token, and how this browser shows the console.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import { useCell } from '../cell.js';
import * as data from '../data.js';
import { NEW_PASSWORD, passwordProblems } from '../logic/password.js';
import { afterPolicy } from '../logic/profile.js';
import { adminRecord, settingsRecord } from '../logic/settings.js';
import { chooseTheme, theme } from '../theme.js';
import { Button, CopyButton } from '../parts/button.js';
import { Confirm } from '../parts/dialog.js';
import { Field } from '../parts/field.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { html, useState } from '../parts/html.js';
import { Card, Facts, Loaded, Page } from '../parts/page.js';
import { note } from '../parts/toast.js';

const USERNAME = {
  name: 'username', kind: 'text', label: 'User name', required: true, autocomplete: 'username',
};

function Password({ settings }) {
  const draft = useDraft({ username: settings.username, password: '', again: '' });
  const form = useSubmit(passwordProblems(draft.value), async () => {
    const { username, password } = draft.value;
    await api.putSettings(settingsRecord(settings, { username, password }));
    draft.reset();
    note('Password changed.');
  });
  return html`
    <${Card} title="Password">
      <form class="form" ref=${form.form} onSubmit=${form.submit} novalidate>
        <${Refusal} refusal=${form.refusal} shown=${['username', 'password']} />
        <${Fields} fields=${[USERNAME, ...NEW_PASSWORD]} draft=${draft}
          problemOf=${form.problemOf} />
        <${Actions} label="Change password" busyLabel="Changing…" busy=${form.busy} />
      </form>
    <//>`;
}

const Secret = ({ value, what }) => html`
  <span class="inline"><code>${value}</code><${CopyButton} text=${value} what=${what} /></span>`;

const QUESTIONS = {
  off: ['Switch the API token off?', 'Switch off', 'Programs that use it are refused at once.'],
  renew: ['Make a new token and secret?', 'Make new ones',
    'Programs that use the old ones are refused until they are changed.'],
};

const CHANGES = {
  on: { auth_api: true },
  off: { auth_api: false },
  renew: { auth_api: true, token: 'new', secret: 'new' },
};

function Token({ settings }) {
  const [asking, setAsking] = useState(null);
  const [shown, setShown] = useState(false);
  const [busy, setBusy] = useState(false);
  const change = async (name) => {
    await api.putAdmin(settings.id, adminRecord(settings, CHANGES[name]));
    await reload(data.settings());
  };
  const turnOn = async () => {
    setBusy(true);
    await change('on').catch((error) => note(error.message || 'The token was not switched on.'));
    setBusy(false);
  };
  return html`
    <${Card} title="API token">
      <p class="soft">Lets programs act as you. Each request is signed with the secret, which
        never travels.</p>
      ${settings.auth_api && shown && html`<${Facts} rows=${[
        ['Token', html`<${Secret} value=${settings.token} what="token" />`],
        ['Secret', html`<${Secret} value=${settings.secret} what="secret" />`],
      ]} />`}
      <div class="form-actions">
        ${settings.auth_api
          ? html`
            <${Button} icon="key" aria-expanded=${String(shown)}
              onClick=${() => setShown(!shown)}>${shown ? 'Hide' : 'Show'}<//>
            <${Button} icon="restart" onClick=${() => setAsking('renew')}>New token<//>
            <${Button} onClick=${() => setAsking('off')}>Switch off<//>`
          : html`<${Button} busy=${busy && 'Switching on…'} onClick=${turnOn}>Switch on<//>`}
      </div>
      ${asking && html`
        <${Confirm} title=${QUESTIONS[asking][0]} label=${QUESTIONS[asking][1]}
          busyLabel="Changing…" onConfirm=${() => change(asking)}
          onClose=${() => setAsking(null)}><p>${QUESTIONS[asking][2]}</p><//>`}
    <//>`;
}

const PIN_MODE = [{
  name: 'pin_mode', kind: 'select', label: 'PINs of users',
  hint: 'A PIN is typed in front of the one-time code when connecting.',
  options: [['optional', 'Optional'], ['required', 'Required'], ['disabled', 'Switched off']],
}];

function Policy({ settings }) {
  const draft = useDraft(settings);
  const [notice, setNotice] = useState(null);
  const form = useSubmit({}, async () => {
    const { pin_mode } = draft.value;
    setNotice(null);
    await api.putSettings(settingsRecord(settings, { pin_mode }));
    setNotice(afterPolicy(settings, { pin_mode }));
    await reload(data.settings());
    draft.reset();
    note('Saved.');
  });
  return html`
    <${Card} title="Policy">
      <form class="form" ref=${form.form} onSubmit=${form.submit}>
        <${Refusal} refusal=${form.refusal} shown=${['pin_mode']} />
        <${Fields} fields=${PIN_MODE} draft=${draft} problemOf=${form.problemOf} />
        <${Actions} label="Save" busyLabel="Saving…" busy=${form.busy} idle=${!draft.dirty}
          notice=${notice} />
      </form>
    <//>`;
}

const THEME = {
  name: 'theme', kind: 'select', label: 'Theme', hint: 'Of this browser only.',
  options: [['system', 'As the system'], ['light', 'Light'], ['dark', 'Dark']],
};

const Appearance = () => html`
  <${Card} title="Appearance">
    <${Field} field=${THEME} value=${useCell(theme)} onChange=${chooseTheme} />
  <//>`;

export function Account() {
  const settings = useData(data.settings());
  return html`
    <${Page} title="Account">
      <${Loaded} data=${settings}>${(now) => html`
        <div class="cards cards-wide">
          <div class="stack">
            <${Password} settings=${now} />
            <${Appearance} />
          </div>
          <div class="stack">
            <${Policy} settings=${now} />
            <${Token} settings=${now} />
          </div>
        </div>`}
      <//>
    <//>`;
}
