// The first password must be changed before anything else.

import { changeFirstPassword, knownName } from '../session.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { html } from '../parts/html.js';
import { Page } from '../parts/page.js';
import { NEW_PASSWORD, passwordProblems } from '../logic/password.js';

const USERNAME = {
  name: 'username', kind: 'text', label: 'User name', required: true, autocomplete: 'username',
  hint: 'What you sign in with from now on.',
};

const FIELDS = [USERNAME, ...NEW_PASSWORD];

export function FirstPassword() {
  const draft = useDraft({ username: knownName(), password: '', again: '' });
  const form = useSubmit(passwordProblems(draft.value), () =>
    changeFirstPassword(draft.value.username, draft.value.password));
  return html`
    <main class="alone">
      <${Page} title="Choose your password" narrow>
        <section class="card">
          <p class="soft">The password you signed in with was made by Warren for one visit only.
            Choose one of your own to go on.</p>
          <form class="form" ref=${form.form} onSubmit=${form.submit} novalidate>
            <${Refusal} refusal=${form.refusal} shown=${['username', 'password']} />
            <${Fields} fields=${FIELDS} draft=${draft} problemOf=${form.problemOf} />
            <${Actions} label="Save and go on" busyLabel="Saving…" busy=${form.busy} />
          </form>
        </section>
      <//>
    </main>`;
}
