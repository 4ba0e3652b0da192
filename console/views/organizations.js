// Organizations: create, rename, delete.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { count, plural } from '../logic/format.js';
import { to } from '../logic/route.js';
import { nameProblem } from '../logic/text.js';
import { Button, LinkButton } from '../parts/button.js';
import { Confirm, Dialog } from '../parts/dialog.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { html, useState } from '../parts/html.js';
import { Empty, List } from '../parts/list.js';
import { Card, Loaded, Page } from '../parts/page.js';
import { note } from '../parts/toast.js';

const NAME = [{
  name: 'name', kind: 'text', label: 'Name', required: true, filtered: true,
  hint: 'Letters, digits and - _ . without spaces. It appears in profiles.',
}];

function NameDialog({ title, base, label, busyLabel, save, onClose }) {
  const draft = useDraft(base);
  const wrong = nameProblem(draft.value.name);
  const problems = wrong ? { name: wrong } : {};
  const form = useSubmit(problems, async () => {
    await save(draft.value);
    onClose();
  });
  return html`
    <${Dialog} title=${title} onClose=${form.busy ? undefined : onClose}>
      <form class="form" ref=${form.form} onSubmit=${form.submit} novalidate>
        <${Refusal} refusal=${form.refusal} shown=${['name']} />
        <${Fields} fields=${NAME} draft=${draft} problemOf=${form.problemOf} />
        <${Actions} label=${label} busyLabel=${busyLabel} busy=${form.busy} onCancel=${onClose} />
      </form>
    <//>`;
}

async function create(organization) {
  const made = await api.createOrganization({ name: organization.name, auth_api: false });
  await reload(data.organizations());
  note(`${made.name} was created.`);
}

async function rename({ id, name, auth_api }) {
  await api.putOrganization(id, { name, auth_api, auth_token: false, auth_secret: false });
  await reload(data.organizations());
  note('Renamed.');
}

async function remove({ id, name }) {
  await api.deleteOrganization(id);
  await reload(data.organizations());
  note(`${name} is gone.`);
}

const Delete = ({ organization, onClose }) => html`
  <${Confirm} title=${`Delete ${organization.name}?`} label="Delete organization"
    busyLabel="Deleting…" onConfirm=${() => remove(organization)} onClose=${onClose}>
    <p>Its certificate authority and ${plural(organization.user_count, 'user')} go with it, and
      all their profiles stop working for good. Servers it is attached to are stopped.</p>
  <//>`;

const columns = (open) => [
  { title: 'Name', class: 'main-cell',
    cell: (org) => html`<a dir="auto" href=${to.users(org.id)}>${org.name}</a>` },
  { title: 'Users', class: 'number', cell: (org) => count(org.user_count) },
  { title: 'Valid until', class: 'date', cell: (org) => org.expiration?.slice(0, 10) },
  { title: 'Actions', hidden: true, class: 'row-actions', cell: (org) => html`
      <${LinkButton} kind="quiet" icon="users" href=${to.users(org.id)}>Users<//>
      <${Button} kind="quiet" icon="edit" word="Rename" label=${`Rename ${org.name}`}
        onClick=${() => open({ what: 'rename', org })} />
      <${Button} kind="quiet" icon="trash" word="Delete" label=${`Delete ${org.name}`}
        onClick=${() => open({ what: 'delete', org })} />` },
];

export function Organizations() {
  const organizations = useData(data.organizations());
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  const add = html`<${Button} kind="primary" icon="plus" onClick=${() => setOpen({ what: 'new' })}>
    New organization<//>`;
  return html`
    <${Page} title="Organizations" actions=${add}>
      <${Card}>
        <${Loaded} data=${organizations}>${(list) => html`
          <${List} caption="Organizations" rows=${list} keyOf=${(org) => org.id}
            columns=${columns(setOpen)}
            empty=${html`<${Empty} title="No organization yet" icon="organizations">
              An organization holds users and signs their certificates. Most teams need one.
            <//>`} />`}
        <//>
      <//>
      ${open?.what === 'new' && html`<${NameDialog} title="New organization" base=${{ name: '' }}
        label="Create" busyLabel="Making its authority…" save=${create} onClose=${close} />`}
      ${open?.what === 'rename' && html`<${NameDialog} title="Rename organization"
        base=${open.org} label="Rename" busyLabel="Saving…" save=${rename} onClose=${close} />`}
      ${open?.what === 'delete' && html`
        <${Delete} organization=${open.org} onClose=${close} />`}
    <//>`;
}
