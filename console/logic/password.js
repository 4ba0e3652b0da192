// Choosing a password: the fields and checks of the first one and of every later one.

export const NEW_PASSWORD = [
  { name: 'password', kind: 'password', label: 'New password', autocomplete: 'new-password',
    hint: 'At least 8 characters; a few unrelated words are good.' },
  { name: 'again', kind: 'password', label: 'New password again', autocomplete: 'new-password' },
];

export function passwordProblems({ username, password, again }) {
  const found = {};
  if (!username?.trim()) found.username = 'This is required.';
  if (!password) found.password = 'This is required.';
  else if ([...password].length < 8) found.password = 'Use at least 8 characters.';
  if (password !== again) found.again = 'The two are not the same.';
  return found;
}
