// Buttons: one that says what it does, and says so while it does it.

import { html, useState } from './html.js';
import { Icon } from './icon.js';

const classes = (kind, ...more) =>
  ['button', kind && `button-${kind}`, ...more].filter(Boolean).join(' ');

/** `busy`: the words shown while it works; the button is inert meanwhile.
 *  `word`: shown beside the icon only where a list is made of cards. */
export const Button = ({
  kind, icon, busy, label, word, children, class: more, disabled, ...rest
}) => html`
  <button type="button" class=${classes(kind, !children && 'button-icon', more)} aria-label=${label}
    title=${label} aria-busy=${busy ? 'true' : undefined} disabled=${Boolean(busy || disabled)}
    ...${rest}>
    ${busy && html`<span class="spinner" aria-hidden="true" />`}
    ${!busy && icon && html`<${Icon} name=${icon} />`}
    ${busy || children}${word && html`<span class="row-word">${word}</span>`}
  </button>`;

export const LinkButton = ({ kind, icon, children, ...rest }) => html`
  <a class=${classes(kind)} ...${rest}>${icon && html`<${Icon} name=${icon} />`}${children}</a>`;

export function CopyButton({ text, what }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<${Button} icon=${copied ? 'good' : 'copy'} onClick=${copy}
    label=${copied ? `${what} copied` : `Copy ${what}`} />`;
}
