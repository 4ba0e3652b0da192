// Many users at once: pasted, looked at, sent; and how far the list that is being made got.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import {
  AT_ONCE_MAX, COMPARED_MAX, USERS_MAX, bodies, compared, heading, parse, preview, refusal,
} from '../logic/bulk.js';
import { count, plural } from '../logic/format.js';
import { to } from '../logic/route.js';
import { bulkOrg, jobProgress, jobState } from '../logic/work.js';
import { Field } from '../parts/field.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { Progress } from '../parts/gauge.js';
import { html, useEffect, useMemo, useState } from '../parts/html.js';
import { Icon } from '../parts/icon.js';
import { Card, Notice, Page, useGo } from '../parts/page.js';
import { note } from '../parts/toast.js';

const PREVIEW_MAX = 200;

const LINES = {
  name: 'text', kind: 'area', label: 'Names', required: true,
  placeholder: 'alice\nbob, bob@example.org\nCarol <carol@example.org>',
  hint: 'One user per line: a name, or a name and an e-mail address. Paste from a spreadsheet or ' +
    `an address book; up to ${count(USERS_MAX)} in one go.`,
};

const GROUPS = [{
  name: 'groups', kind: 'list', label: 'Groups', optional: true,
  hint: 'For all of them. Separate with commas.',
}];

/** The job that makes users of an organization, as long as this page has seen one. */
function useBulkJob(org) {
  const listed = useData(data.jobs()).value?.find((job) =>
    bulkOrg(job) === org && job.state !== 'failed');
  const [id, setId] = useState(null);
  useEffect(() => {
    if (listed) setId(listed.id);
  }, [listed?.id]);
  const job = useData(id ? data.job(id) : null).value;
  return job ?? listed;
}

const Under = ({ job }) => html`
  <p>You may leave: it goes on by itself. <a href=${to.work()}>All work</a></p>
  <${Progress} ...${jobProgress(job) ?? { of: 0, words: 'Waiting' }} />`;

const Stopped = ({ job }) => html`
  <p>${jobState(job).word ?? 'Failed'}: ${job.error}. What was made stays.
    <a href=${to.work()}>Go on from there</a></p>`;

/** Live, on every page that shows users, until it is over and the page left. `sent`: how many were
 *  handed over here; few are made before anybody could look. */
export function BulkProgress({ org, sent }) {
  const job = useBulkJob(org);
  const state = job?.state ?? (sent ? 'done' : null);
  if (!state) return null;
  const over = state === 'done' || state === 'failed';
  return html`
    <${Card} title=${over ? 'The list of users' : 'Users are being made'} class="bulk">
      <div role="status">
        ${state === 'done' && html`<p class="calm"><${Icon} name="good" />
          All ${count(job?.total || sent)} are made.</p>`}
        ${state === 'failed' && html`<${Stopped} job=${job} />`}
      </div>
      ${!over && html`<${Under} job=${job} />`}
    <//>`;
}

const Row = ({ row }) => html`
  <li class="preview-row">
    <span class="soft preview-line">${row.line}</span>
    <span dir="auto" class="preview-name">${row.saved ?? row.name}</span>
    <span dir="auto" class="soft">${row.email}</span>
    ${row.problem && html`<p class="field-problem">${row.problem}</p>`}
    ${row.saved && html`<p class="field-hint">from “${row.name}”: some signs are removed</p>`}
    ${row.twin && html`<p class="field-hint">exists already: this will be a second one</p>`}
  </li>`;

function Preview({ rows, headed }) {
  const shown = preview(rows, PREVIEW_MAX);
  const wrong = rows.filter((row) => row.problem).length;
  return html`
    <${Card} title="Preview" actions=${html`<span class="soft" role="status">
      ${plural(rows.length, 'user')}${wrong > 0 && `, ${plural(wrong, 'problem')}`}</span>`}>
      ${rows.length === 0 && html`<p class="soft">What you paste is shown here as it will be made,
        lines with problems first.</p>`}
      ${headed && html`<p class="soft">The first line, “${headed}”, is a heading and is left out.
      </p>`}
      <ol class="preview" tabindex=${rows.length > 0 ? 0 : undefined} aria-label="Users to be made">
        ${shown.map((row) => html`<${Row} key=${row.line} row=${row} />`)}
      </ol>
      ${rows.length > shown.length && html`
        <p class="soft">and ${count(rows.length - shown.length)} more.</p>`}
    <//>`;
}

/** Who is there already, where that can be had at once. */
function useKnown(organization) {
  const few = organization && organization.user_count <= COMPARED_MAX;
  return useData(few ? data.users(organization.id, {}) : null).value;
}

function Paste({ org, organization, onSent }) {
  const go = useGo();
  const draft = useDraft({ text: '', groups: [] });
  const { text, groups } = draft.value;
  const known = useKnown(text === '' ? null : organization);
  const rows = useMemo(() => compared(parse(text), known ?? []), [text, known]);
  const wrong = refusal(rows);
  const form = useSubmit(wrong ? { text: wrong } : {}, async () => {
    const reply = await api.createUsers(org, bodies(rows, { groups }));
    draft.reset();
    if (!Array.isArray(reply)) {
      await reload(data.jobs());
      return onSent(rows.length);
    }
    note(`${plural(reply.length, 'user')} created.`);
    go(to.users(org));
    return undefined;
  });
  const label = rows.length > 0 ? `Add ${plural(rows.length, 'user')}` : 'Add users';
  return html`
    <div class="halves">
      <${Card} title="Who">
        <form class="form many" ref=${form.form} onSubmit=${form.submit} novalidate>
          <${Refusal} refusal=${form.refusal} shown=${['text']} />
          <${Field} field=${LINES} value=${text} problem=${form.problemOf('text', text)}
            onChange=${(value) => draft.set('text', value)} />
          <${Fields} fields=${GROUPS} draft=${draft} problemOf=${form.problemOf} />
          ${rows.length > AT_ONCE_MAX && html`
            <p class="field-hint">So many are made in the background; you see how far it got.</p>`}
          <${Actions} label=${label} busyLabel="Sending…" busy=${form.busy}
            onCancel=${() => { location.hash = to.users(org); }} />
        </form>
      <//>
      <${Preview} rows=${rows} headed=${heading(text)} />
    </div>`;
}

export function ManyUsers({ org }) {
  const [sent, setSent] = useState(null);
  const organizations = useData(data.organizations());
  const organization = organizations.value?.find((one) => one.id === org);
  const title = organization?.name ?? 'Users';
  return html`
    <${Page} title="Add many users" back=${{ href: to.users(org), title }}>
      <${BulkProgress} org=${org} sent=${sent} />
      <${Paste} org=${org} organization=${organization} onSent=${setSent} />
      <${Notice}>They get no PIN; it is set on a user’s page, which also has the secret of the
        one-time codes and the profile to hand out.<//>
    <//>`;
}
