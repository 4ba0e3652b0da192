// The form of a server, from the table of options: common ones first, the rest folded away.

import { GROUPS, FIELDS, problems, record } from '../logic/server.js';
import { Actions, Fields, Refusal, useDraft, useSubmit } from '../parts/form.js';
import { html } from '../parts/html.js';
import { Card } from '../parts/page.js';

const SHOWN = FIELDS.map((field) => field.name);

const Group = ({ group, ...rest }) =>
  group.advanced
    ? html`<${Card} class="folded"><details>
        <summary><h2>${group.title}</h2></summary>
        <${Fields} fields=${group.fields} ...${rest} /></details><//>`
    : html`<${Card} title=${group.title}><${Fields} fields=${group.fields} ...${rest} /><//>`;

/** `fixed`: the server runs, so only what may change meanwhile is open. */
export function ServerForm({
  base, fixed, label, busyLabel, notice, save, onCancel, children,
}) {
  const draft = useDraft(base);
  const form = useSubmit(problems(draft.value), async () => {
    await save(record(draft.value));
    draft.reset();
  });
  const disabled = (field) => Boolean(fixed && !field.live);
  return html`
    <form class="form form-wide" ref=${form.form} onSubmit=${form.submit} novalidate>
      <${Refusal} refusal=${form.refusal} shown=${SHOWN} />
      ${GROUPS.map((group, i) => html`
        <${Group} key=${group.title} group=${group} draft=${draft}
          problemOf=${form.problemOf} disabled=${disabled} />
        ${i === 0 && children}`)}
      <${Actions} label=${label} busyLabel=${busyLabel} busy=${form.busy}
        idle=${base.id && !draft.dirty} notice=${notice}
        onCancel=${onCancel ?? (draft.dirty && draft.reset)} />
    </form>`;
}
