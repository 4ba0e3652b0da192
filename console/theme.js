// The theme of this browser: `system`, `light` or `dark`. login/theme.js applies it at load.

import { cell } from './cell.js';

export const theme = cell(localStorage.getItem('theme') ?? 'system');

export function chooseTheme(choice) {
  if (choice === 'system') {
    localStorage.removeItem('theme');
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem('theme', choice);
    document.documentElement.dataset.theme = choice;
  }
  theme.set(choice);
}
