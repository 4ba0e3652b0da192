// Dialogs: the browser's own, which keep the focus inside and close on Escape.

import { html, useId, useLayoutEffect, useRef, useState } from './html.js';
import { Button } from './button.js';
import { Refusal } from './form.js';
import { explain } from '../logic/errors.js';

export function Dialog({ title, onClose, children, wide }) {
  const dialog = useRef(null);
  const id = useId();
  // Not after the next paint: keys that follow the one which opened it belong to it already.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    shown.showModal();
    const empty = [...shown.querySelectorAll('input')].find((input) => !input.value);
    empty?.focus();
    return () => {
      // While it is open nothing behind it can take the focus.
      shown.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  const close = (event) => {
    event.preventDefault();
    onClose?.();
  };
  return html`
    <dialog class=${wide ? 'dialog dialog-wide' : 'dialog'} ref=${dialog} aria-labelledby=${id}
      onCancel=${close}>
      <h2 id=${id}>${title}</h2>
      ${children}
    </dialog>`;
}

/** Asks before something that can not be undone; shows why it failed in the same place. */
/** `stay`: what the way back is called where “Cancel” could mean the opposite. */
export function Confirm({
  title, children, label, busyLabel, stay = 'Cancel', onConfirm, onClose,
}) {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState(null);
  const confirm = async () => {
    setBusy(true);
    setRefusal(null);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setRefusal(explain(error));
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${title} onClose=${busy ? undefined : onClose}>
      <div class="dialog-body">${children}</div>
      <${Refusal} refusal=${refusal} />
      <div class="form-actions">
        <${Button} kind="danger" busy=${busy && busyLabel} onClick=${confirm}>${label}<//>
        <${Button} disabled=${busy} onClick=${onClose}>${stay}<//>
      </div>
    <//>`;
}
