// The icons: strokes on a 20 × 20 grid, always beside words or inside a labelled button.

import { html } from './html.js';

const PATHS = {
  dashboard: 'M3 3h6v8H3zM11 3h6v4h-6zM11 9h6v8h-6zM3 13h6v4H3z',
  organizations: 'M3 17V7l6-4 6 4v10M1.5 17h17M7 17v-4h4v4M7 9h.01M11 9h.01',
  users: 'M7.5 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 17c0-3 2.4-5 5.5-5s5.5 2 5.5 5M13 3.4a3 3 0 0 1 0 5.2M15 12.4c1.9.7 3 2.4 3 4.6',
  servers: 'M3 3.5h14v5H3zM3 11.5h14v5H3zM6 6h.01M6 14h.01M9.5 6H14M9.5 14H14',
  hosts: 'M5 5h10v10H5zM8 8h4v4H8zM8 2v3M12 2v3M8 15v3M12 15v3M2 8h3M2 12h3M15 8h3M15 12h3',
  work: 'M10 2v3M10 15v3M2 10h3M15 10h3M4.3 4.3l2.2 2.2M13.5 13.5l2.2 2.2M4.3 15.7l2.2-2.2M13.5 6.5l2.2-2.2M10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  account: 'M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3.5 17.5c0-3.3 2.9-5 6.5-5s6.5 1.7 6.5 5',
  menu: 'M3 5.5h14M3 10h14M3 14.5h14',
  close: 'M5 5l10 10M15 5L5 15',
  search: 'M8.5 14a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM12.5 12.5L17 17',
  plus: 'M10 4v12M4 10h12',
  trash: 'M3.5 5.5h13M8 5V3h4v2M5 5.5l.8 11.5h8.4L15 5.5M8.3 8.5v5.5M11.7 8.5v5.5',
  edit: 'M4 13l-.8 3.8L7 16 16.3 6.7a1.6 1.6 0 0 0 0-2.3l-.7-.7a1.6 1.6 0 0 0-2.3 0zM11.5 5.5l3 3',
  play: 'M6 3.8v12.4L16 10z',
  stop: 'M5 5h10v10H5z',
  pause: 'M6.5 4v12M13.5 4v12',
  restart: 'M16.5 10a6.5 6.5 0 1 1-2-4.7M16.5 2.5v3.6h-3.6',
  download: 'M10 3v9.5M6 9l4 4 4-4M3.5 16.5h13',
  key: 'M7 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10.5 10H18M15 10v3.5M18 10v2.5',
  leave: 'M8 3H3.5v14H8M12.5 6l4 4-4 4M16.5 10H7.5',
  good: 'M4 10.5l4 4 8-9',
  bad: 'M10 3l7.5 13.5h-15zM10 8v4M10 14.2h.01',
  wait: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l2.5 2',
  off: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM6.5 10h7',
  info: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 9v4.5M10 6.4h.01',
  next: 'M8 4.5l5.5 5.5L8 15.5',
  back: 'M12 4.5L6.5 10l5.5 5.5',
  copy: 'M7 7h9.5v9.5H7zM4.5 13H3.5V3.5H13v1',
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 20 20" width="18" height="18" aria-hidden="true" fill="none"
    stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">
    <path d=${PATHS[name]} />
  </svg>`;
