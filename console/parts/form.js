// A form over a draft: checks while typing, sends, and shows what the server refused next to the
// field it belongs to. What was typed stays until it is saved.

import { begin, edit, isDirty, merge } from '../logic/draft.js';
import { explain } from '../logic/errors.js';
import { Button } from './button.js';
import { Field } from './field.js';
import { Notice } from './page.js';
import { html, useRef, useState } from './html.js';

/** `{value, set, reset, dirty}` over the record `base`, live where untouched. */
export function useDraft(base) {
  const [changes, setChanges] = useState(begin());
  return {
    value: merge(base, changes),
    dirty: isDirty(changes),
    set: (name, value) => setChanges((now) => edit(now, base, name, value)),
    reset: () => setChanges(begin()),
  };
}

/** Nobody has typed into it yet: not worth a problem before the first try. */
const isBlank = (value) => value == null || String(value) === '';

function focusFirstProblem(form) {
  requestAnimationFrame(() => {
    const wrong = form.querySelector('[aria-invalid=true]');
    wrong?.closest('details')?.setAttribute('open', '');
    (wrong ?? form.querySelector('.form-error'))?.focus();
  });
}

/** State of sending: `problemOf(name)` merges local checks and the server's refusal. */
export function useSubmit(problems, send) {
  const form = useRef(null);
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const [refusal, setRefusal] = useState(null);
  const submit = async (event) => {
    event?.preventDefault();
    setTried(true);
    setRefusal(null);
    if (Object.keys(problems).length > 0) return focusFirstProblem(form.current);
    setBusy(true);
    try {
      await send();
      setTried(false);
    } catch (error) {
      setRefusal(explain(error));
      if (form.current) focusFirstProblem(form.current);
    }
    setBusy(false);
  };
  const problemOf = (name, value) => {
    if (refusal?.field === name) return `${refusal.text} ${refusal.cure}`.trim();
    const wrong = problems[name];
    return wrong && (tried || !isBlank(value)) ? wrong : null;
  };
  return { form, busy, refusal, submit, problemOf };
}

/** `children`: a field of another make, last in the same grid. */
export const Fields = ({ fields, draft, problemOf, disabled, children }) => html`
  <div class="fields">
    ${fields.map((field) => html`
      <${Field} key=${field.name} field=${field} value=${draft.value[field.name]}
        problem=${problemOf(field.name, draft.value[field.name])}
        disabled=${disabled?.(field)} onChange=${(value) => draft.set(field.name, value)} />`)}
    ${children}
  </div>`;

/** The refusal that belongs to no field shown here. */
export const Refusal = ({ refusal, shown = [] }) =>
  refusal && !shown.includes(refusal.field) && html`
    <div class="form-error" role="alert" tabindex="-1">
      <strong>${refusal.text}</strong> ${refusal.cure}
    </div>`;

/** `notice`: what follows from what was just saved, said where it happened. */
export const Actions = ({ label, busyLabel, busy, idle, notice, onCancel, children }) => html`
  <div class="form-actions">
    ${notice !== undefined && html`
      <div class="form-notice" role="status">
        ${notice && html`<${Notice}>${notice}<//>`}</div>`}
    <${Button} kind="primary" type="submit" busy=${busy && busyLabel} disabled=${busy || idle}>
      ${label}<//>
    ${onCancel && html`<${Button} onClick=${onCancel}>Cancel<//>`}
    ${children}
  </div>`;
