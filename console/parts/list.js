// The keyed list: a table on wide screens, a card per row on narrow ones. The roles are written
// out because cards take the table layout away and with it the meaning.

import { html } from './html.js';
import { Icon } from './icon.js';

/** A cell without a value shows a dash in a table and is left out of a card. */
function Cell({ column, row }) {
  const value = column.cell(row);
  const none = value === null || value === undefined || value === '';
  return html`
    <td role="cell" data-label=${column.title} data-none=${none ? 'yes' : undefined}
      class=${column.class}>${none ? !column.hidden && '–' : value}</td>`;
}

/** `columns`: `{title, cell(row), class?}`; a column without visible title says `hidden: true`. */
export const List = ({ caption, rows, keyOf, columns, empty }) =>
  rows.length === 0
    ? empty
    : html`
      <table class="list" role="table">
        <caption class="unseen">${caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            ${columns.map((column) => html`
              <th key=${column.title} role="columnheader" scope="col" class=${column.class}>
                ${column.hidden ? html`<span class="unseen">${column.title}</span>` : column.title}
              </th>`)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${rows.map((row) => html`
            <tr role="row" key=${keyOf(row)}>
              ${columns.map((column) => html`
                <${Cell} key=${column.title} column=${column} row=${row} />`)}
            </tr>`)}
        </tbody>
      </table>`;

export const Empty = ({ title, icon, children, action }) => html`
  <div class="empty">
    ${icon && html`<span class="empty-icon"><${Icon} name=${icon} /></span>`}
    <h2>${title}</h2>
    <p>${children}</p>
    ${action}
  </div>`;
