// The theme of this browser: `system`, `light` or `dark`. login/theme.js applies it at load.

import { cell } from './cell.js';

export const theme = cell(localStorage.getItem('theme') ?? 'system');

const system = matchMedia('(prefers-color-scheme: dark)');

const shown = (choice) => (choice === 'system' ? (system.matches ? 'dark' : 'light') : choice);

/** What is on the screen, `light` or `dark`: for those who paint by themselves. */
export const scheme = cell(shown(theme.get()));

system.addEventListener('change', () => scheme.set(shown(theme.get())));

export function chooseTheme(choice) {
  if (choice === 'system') {
    localStorage.removeItem('theme');
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem('theme', choice);
    document.documentElement.dataset.theme = choice;
  }
  theme.set(choice);
  scheme.set(shown(choice));
}
