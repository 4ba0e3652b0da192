// The form vocabulary: one component for every kind of field, driven by the tables in logic/.
// kinds: text, password, integer, select, toggle, list (comma separated), area, dns.

import { CHOICES, choiceOf, chosen, isOpen, typedList } from '../logic/dns.js';
import { removal } from '../logic/text.js';
import { html, useEffect, useId, useState } from './html.js';

const items = (text) => text.split(/[\s,]+/).filter(Boolean);

const toNumber = (text) => (text.trim() === '' ? null : Number(text));

/** Text that stands for a value which is not text: what was typed stays as typed. */
function useTyped(value, toText, parse, onChange) {
  const [typed, setTyped] = useState(toText(value));
  useEffect(() => {
    if (JSON.stringify(parse(typed)) !== JSON.stringify(value ?? parse(''))) {
      setTyped(toText(value));
    }
  }, [value]);
  const input = (event) => {
    setTyped(event.target.value);
    onChange(parse(event.target.value));
  };
  return [typed, input];
}

const common = (field, ids, problem, disabled) => ({
  id: ids.field,
  name: field.name,
  disabled,
  required: field.required,
  placeholder: field.placeholder,
  autocomplete: field.autocomplete ?? 'off',
  'aria-invalid': problem ? 'true' : undefined,
  'aria-describedby': ids.described,
});

const Text = ({ field, value, onChange, attributes }) => html`
  <input ...${attributes} type=${field.type ?? 'text'} inputmode=${field.inputmode}
    spellcheck=${false} value=${value ?? ''} onInput=${(e) => onChange(e.target.value)} />`;

const Password = ({ field, value, onChange, attributes }) => html`
  <input ...${attributes} type="password" inputmode=${field.inputmode} value=${value ?? ''}
    onInput=${(e) => onChange(e.target.value)} />`;

function Integer({ value, onChange, attributes }) {
  const toText = (number) => (number ? String(number) : '');
  const [typed, input] = useTyped(value || null, toText, toNumber, onChange);
  return html`<input ...${attributes} inputmode="numeric" value=${typed} onInput=${input} />`;
}

function List({ value, onChange, attributes }) {
  const [typed, input] = useTyped(value ?? [], (list) => list.join(', '), items, onChange);
  return html`<input ...${attributes} spellcheck=${false} value=${typed} onInput=${input} />`;
}

const Area = ({ value, onChange, attributes }) => html`
  <textarea ...${attributes} value=${value ?? ''} onInput=${(e) => onChange(e.target.value)} />`;

const Select = ({ field, value, onChange, attributes }) => html`
  <select ...${attributes} value=${value}
    onChange=${(e) => onChange(field.integer ? Number(e.target.value) : e.target.value)}>
    ${field.options.map(([key, label]) => html`
      <option key=${key} value=${key} selected=${key === value}>${label}</option>`)}
  </select>`;

const Toggle = ({ value, onChange, attributes }) => html`
  <input ...${attributes} type="checkbox" role="switch" class="toggle" checked=${Boolean(value)}
    onChange=${(e) => onChange(e.target.checked)} />`;

const listText = (list) => (isOpen(list) ? '' : list.join(', '));

/** Who is asked for names: a choice, and what it means; a list of one's own is typed. */
function Dns({ value, onChange, attributes }) {
  const list = value ?? [];
  const [own, setOwn] = useState(false);
  const [typed, input] = useTyped(list, listText, typedList, onChange);
  const found = choiceOf(list);
  // While it is typed, a list may happen to be a known one.
  const choice = own ? CHOICES.find(({ key }) => key === 'own') : found;
  const choose = (event) => {
    setOwn(event.target.value === 'own');
    onChange(chosen(event.target.value, list));
  };
  return html`
    <select ...${attributes} value=${choice.key} onChange=${choose}>
      ${CHOICES.map(({ key, label }) => html`
        <option key=${key} value=${key} selected=${key === choice.key}>${label}</option>`)}
    </select>
    ${choice.key === 'own' && html`
      <input aria-label="Addresses of DNS servers" placeholder="10.0.0.53, 10.0.1.53"
        spellcheck=${false} autocomplete="off" disabled=${attributes.disabled}
        aria-invalid=${attributes['aria-invalid']}
        aria-describedby=${attributes['aria-describedby']} value=${typed} onInput=${input} />`}
    <p class="field-hint">${choice.hint}</p>`;
}

const KINDS = {
  text: Text, password: Password, integer: Integer, select: Select, toggle: Toggle, list: List,
  area: Area, dns: Dns,
};

export function Field({ field, value, problem, disabled, onChange }) {
  const id = useId();
  const ids = {
    field: `${id}-field`,
    hint: `${id}-hint`,
    removed: `${id}-removed`,
    problem: `${id}-problem`,
  };
  const described = [
    field.hint && ids.hint, field.filtered && ids.removed, problem && ids.problem,
  ];
  ids.described = described.filter(Boolean).join(' ') || undefined;
  const Kind = KINDS[field.kind];
  const input = html`<${Kind} field=${field} value=${value} onChange=${onChange}
    attributes=${common(field, ids, problem, disabled)} />`;
  const label = html`
    <label for=${ids.field}>${field.label}</label>
    ${field.optional && html`<span class="field-optional">optional</span>`}`;
  return html`
    <div class=${`field field-${field.kind}`}>
      ${field.kind === 'toggle'
        ? [input, label]
        : [html`<div class="field-head">${label}</div>`, input]}
      ${field.hint && html`<p class="field-hint" id=${ids.hint}>${field.hint}</p>`}
      ${field.filtered && html`
        <p class="field-removed" id=${ids.removed} role="status" dir="auto">
          ${removal(value ?? '')}</p>`}
      ${problem && html`<p class="field-problem" id=${ids.problem}>${problem}</p>`}
    </div>`;
}
