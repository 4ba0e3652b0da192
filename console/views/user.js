// One user: the form, the PIN, the second factor, profiles and connections.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { afterUser } from '../logic/profile.js';
import { to } from '../logic/route.js';
import { FIELDS, PIN, connections, fresh, problems, record } from '../logic/user.js';
import { Button, LinkButton } from '../parts/button.js';
import { Danger } from '../parts/danger.js';
import { Field } from '../parts/field.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { html, useState } from '../parts/html.js';
import { List } from '../parts/list.js';
import { Card, Loaded, Page, useGo } from '../parts/page.js';
import { Status } from '../parts/status.js';
import { Since } from '../parts/time.js';
import { note } from '../parts/toast.js';
import { Otp } from './otp.js';
import { ManyUsers } from './users-many.js';

const SHOWN = [...FIELDS, PIN].map((field) => field.name);

/** A PIN is never sent back: it is kept, replaced or removed. */
function PinField({ draft, had, problem }) {
  const { pin } = draft.value;
  const mode = useData(data.settings()).value?.pin_mode;
  const pinField = { ...PIN, optional: mode === 'optional' && !had };
  if (pin === true) {
    return html`
      <div class="field"><span class="field-label">PIN</span>
        <div class="inline"><${Status} of="online">Set<//>
          <${Button} onClick=${() => draft.set('pin', '')}>Change PIN<//>
          <${Button} onClick=${() => draft.set('pin', null)}>Remove PIN<//></div>
        ${problem && html`<p class="field-problem">${problem}</p>`}
      </div>`;
  }
  return html`<${Field} field=${pinField} value=${pin || ''} problem=${problem}
    onChange=${(value) => draft.set('pin', value)} />`;
}

function UserForm({ base, label, busyLabel, notice, save, onCancel }) {
  const draft = useDraft(base);
  const form = useSubmit(problems(draft.value, base.pin === true), async () => {
    await save(record(draft.value));
    draft.reset();
  });
  return html`
    <form class="form form-two" ref=${form.form} onSubmit=${form.submit} novalidate>
      <${Refusal} refusal=${form.refusal} shown=${SHOWN} />
      <${Fields} fields=${FIELDS.slice(0, 3)} draft=${draft} problemOf=${form.problemOf}>
        <${PinField} draft=${draft} had=${base.pin === true}
          problem=${form.problemOf('pin', draft.value.pin)} />
      <//>
      <${Fields} fields=${FIELDS.slice(3)} draft=${draft} problemOf=${form.problemOf} />
      <${Actions} label=${label} busyLabel=${busyLabel} busy=${form.busy}
        idle=${base.id && !draft.dirty} notice=${notice}
        onCancel=${onCancel ?? (draft.dirty && draft.reset)} />
    </form>`;
}

function NewUser({ org }) {
  const go = useGo();
  const organizations = useData(data.organizations());
  const name = organizations.value?.find((one) => one.id === org)?.name;
  const save = async (user) => {
    const [made] = await api.createUser(org, user);
    note(`${made.name} was created.`);
    go(to.user(org, made.id));
  };
  return html`
    <${Page} title="New user" narrow toFill back=${{ href: to.users(org), title: name ?? 'Users' }}>
      <${Card}>
        <${UserForm} base=${fresh()} label="Create user" busyLabel="Creating…"
          save=${save} onCancel=${() => { location.hash = to.users(org); }} />
      <//>
    <//>`;
}

const Profiles = ({ org, user }) => html`
  <${Card} title="Profiles">
    ${(user.servers ?? []).length === 0
      ? html`<p class="soft">No server yet has this organization attached. Attach it on the
          page of a server, then the profile can be downloaded here.</p>`
      : html`
        <p class="soft">Import one in any OpenVPN client. Whoever has the file, and the PIN if
          there is one, can connect: hand it over safely. Asked for a user name, type any.</p>
        <ul class="links">
          ${profilesOf(user).map((server) => html`
            <li key=${server.server_id}>
              <${LinkButton} icon="download" download
                href=${api.profileHref(org, user.id, server.server_id)}>${server.name}.ovpn<//>
            </li>`)}
          <li><${LinkButton} icon="download" download
            href=${api.archiveHref(org, user.id)}>All as one archive<//></li>
        </ul>`}
  <//>`;

/** One entry per server, however many devices are connected to it. */
const profilesOf = (user) => [
  ...new Map(user.servers.map((server) => [server.server_id, server])).values(),
];

const CONNECTION_COLUMNS = [
  { title: 'Server', class: 'main-cell',
    cell: (one) => html`<a href=${to.server(one.server_id)}>${one.name}</a>` },
  { title: 'Address', cell: (one) => html`<code>${one.virt_address ?? '–'}</code>` },
  { title: 'From', cell: (one) => html`<code>${one.real_address ?? '–'}</code>` },
  { title: 'Device', cell: (one) => one.device_name || one.platform },
  { title: 'For', class: 'number', cell: (one) => html`<${Since} at=${one.connected_since} />` },
];

const Connections = ({ user }) => html`
  <${Card} title="Connections">
    <${List} caption="Connections" rows=${connections(user)} keyOf=${(one) => one.id}
      columns=${CONNECTION_COLUMNS} empty=${html`<p class="soft">Not connected.</p>`} />
  <//>`;

function Known({ org, id }) {
  const go = useGo();
  const user = useData(data.user(org, id));
  const [notice, setNotice] = useState(null);
  const save = async (changed) => {
    const before = user.value;
    setNotice(null);
    await api.putUser(org, id, { ...changed, send_key_email: false });
    await reload(data.user(org, id));
    setNotice(afterUser(before, changed));
    note('Saved.');
  };
  const remove = async () => {
    await api.deleteUser(org, id);
    note('Deleted.');
    go(to.users(org));
  };
  const shown = user.value;
  return html`
    <${Page} title=${shown?.name ?? 'User'}
      back=${{ href: to.users(org), title: shown?.organization_name ?? 'Users' }}
      status=${shown && html`<${Status} of=${shown.disabled ? 'disabled'
        : shown.status ? 'online' : 'offline'} />`}>
      <${Loaded} data=${user}>${(now) => html`
        <div class="columns">
          <div class="stack">
            <${Card} title="User"><${UserForm} base=${now} label="Save"
              busyLabel="Saving…" notice=${notice} save=${save} /><//>
            <${Danger} noun="user" name=${now.name} onDelete=${remove}
              hint="To shut somebody out for a while, disable the user instead."
              consequence="Running connections are cut and the profile stops working for good." />
          </div>
          <div class="stack">
            <${Profiles} org=${org} user=${now} />
            <${Connections} user=${now} />
            <${Otp} org=${org} user=${now} />
          </div>
        </div>`}
      <//>
    <//>`;
}

export const User = ({ org, user }) => {
  if (user === 'new') return html`<${NewUser} org=${org} />`;
  if (user === 'many') return html`<${ManyUsers} org=${org} />`;
  return html`<${Known} org=${org} id=${user} />`;
};
