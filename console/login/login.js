// The login page: asks for a name and a password, then for the second factor if the server
// wants one. It stands alone (no library, nothing of the console) because it is all that a
// stranger may load. What was typed stays in place whatever the server answers.

const find = (id) => document.getElementById(id);
const form = find('form');
const fields = ['username', 'password', 'code', 'key'].map(find);
const [username, password, code, key] = fields;

const REASONS = {
  auth_invalid: 'The name, the password or the code is wrong.',
  auth_invalid_username: 'The name, the password or the code is wrong.',
  auth_too_many: 'Too many attempts. Wait ten minutes, then try again.',
  auth_disabled: 'This account is disabled. Ask another administrator.',
};

function show(text, culprit) {
  const problem = find('problem');
  problem.textContent = text;
  problem.hidden = !text;
  for (const field of fields) {
    field.toggleAttribute('aria-invalid', false);
  }
  if (culprit) {
    culprit.setAttribute('aria-invalid', 'true');
    culprit.focus();
    culprit.select();
  }
}

function askSecondFactor(answer) {
  const wantsCode = Boolean(answer.otp_auth || answer.local_otp_auth) || !answer.yubico_auth;
  find('code-field').hidden = !wantsCode;
  find('key-field').hidden = !answer.yubico_auth;
  find('code-hint').textContent = answer.local_otp_auth
    ? 'The code printed by the command on the server.'
    : 'The six digits shown by your authenticator app.';
  const missed = (wantsCode ? code : key).value !== '';
  show(missed ? 'The code was not accepted. Try the next one.' : '', wantsCode ? code : key);
}

async function signIn() {
  const reply = await fetch('/auth/session', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      username: username.value,
      password: password.value,
      otp_code: code.value,
      yubico_key: key.value,
    }),
  });
  const answer = await reply.json().catch(() => ({}));
  if (reply.ok) {
    // Spares typing it again where the console asks for it.
    sessionStorage.setItem('username', username.value);
    location.assign(answer.redirect ?? `/${location.hash}`);
  } else if (reply.status === 402) {
    askSecondFactor(answer);
  } else if (reply.status === 503) {
    show('The database can not be reached right now. Try again in a moment.');
  } else {
    const text = REASONS[answer.error] ?? answer.error_msg;
    show(text ?? `The server refused with status ${reply.status}.`, password);
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const empty = [username, password].find((field) => !field.value);
  if (empty) {
    show(empty === username ? 'Type your user name.' : 'Type your password.', empty);
    return;
  }
  const button = find('submit');
  button.disabled = true;
  button.textContent = 'Signing in…';
  await signIn().catch(() => show('The server can not be reached. Is the network up?'));
  button.disabled = false;
  button.textContent = 'Sign in';
});
