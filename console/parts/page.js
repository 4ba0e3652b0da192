// The frame of a page: title, actions, and the states of its data.

import { explain } from '../logic/errors.js';
import { html, useEffect, useRef } from './html.js';
import { Icon } from './icon.js';

/** A page's head takes the focus, so that keyboards and screen readers start at its top; on a page
 *  that is there `toFill`, its first field does. */
export function Page({ title, back, status, actions, children, narrow, toFill }) {
  const head = useRef(null);
  const whole = useRef(null);
  useEffect(() => {
    const field = toFill && whole.current.querySelector('form input');
    (field || head.current)?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    document.title = `${title} · Warren`;
  }, [title]);
  return html`
    <div class=${narrow ? 'page page-narrow' : 'page'} ref=${whole}>
      <header class="page-head">
        ${back && html`<a class="page-back" href=${back.href}>
          <${Icon} name="back" />${back.title}</a>`}
        <div class="page-title">
          <h1 ref=${head} tabindex="-1" dir="auto">${title}</h1>${status}
        </div>
        ${actions && html`<div class="page-actions">${actions}</div>`}
      </header>
      ${children}
    </div>`;
}

/** `go(href)` after something was saved: only while its page is still there, for who left it
 *  meanwhile is somewhere else on purpose. */
export function useGo() {
  const here = useRef(true);
  useEffect(() => () => {
    here.current = false;
  }, []);
  return (href) => {
    if (here.current) location.replace(href);
  };
}

export const Card = ({ title, actions, children, class: more = '' }) => html`
  <section class=${`card ${more}`}>
    ${(title || actions) && html`
      <header class="card-head">${title && html`<h2>${title}</h2>`}
        ${actions && html`<div class="card-actions">${actions}</div>`}</header>`}
    ${children}
  </section>`;

/** Something to know before going on. */
export const Notice = ({ children }) => html`
  <p class="notice"><${Icon} name="info" /><span>${children}</span></p>`;

function Failure({ error }) {
  const { text, cure } = explain(error);
  return html`<div class="form-error" role="alert"><strong>${text}</strong> ${cure}</div>`;
}

/** Of a renewal that failed because something is away, the banner over the page speaks. */
const speaks = (error) => error && error.status !== 0 && error.status !== 503;

/** Shows `children(value)` once there is one; what failed to renew stays on the screen. */
export function Loaded({ data, children }) {
  if (data.value !== undefined) {
    return html`
      ${speaks(data.error) && html`<${Failure} error=${data.error} />`}${children(data.value)}`;
  }
  if (data.error) return html`<${Failure} error=${data.error} />`;
  return html`<div class="loading" role="status"><span class="spinner" />
    <span class="unseen">Loading</span></div>`;
}

export const Facts = ({ rows }) => html`
  <dl class="facts">
    ${rows.filter(Boolean).map(([term, value]) => html`
      <div key=${term}><dt>${term}</dt><dd dir="auto">${value ?? '–'}</dd></div>`)}
  </dl>`;
