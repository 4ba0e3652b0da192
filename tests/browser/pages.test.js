// Every page in every width and both themes: no accessibility violation, nothing too wide, names
// that try to break out stay names, and the keyboard is enough.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { FIRST, PASSWORD, SIZES, URL_ROOT, launch, look, open, signIn, visit } from './support.js';

const NASTY = `"><img/src=x/onerror=alert(1)>'مرحبا🐇${'x'.repeat(70)}`;
const PAGES = [
  ['dashboard', '#/'], ['organizations', '#/organizations'], ['users', '#/users'],
  ['servers', '#/servers'], ['server-form', '#/servers/new'], ['hosts', '#/hosts'],
  ['work', '#/work'], ['account', '#/account'], ['missing', '#/nowhere'],
];

// A page of the first thing in a list.
const INNER = [
  ['user', '#/users', ''], ['server', '#/servers', ''], ['server-routes', '#/servers', '/routes'],
  ['server-options', '#/servers', '/settings'],
];

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

async function enter(size) {
  const page = await open(browser, size);
  await signIn(page, { username: FIRST.username, password: PASSWORD });
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
  return page;
}

test('names that try to break out stay names', async () => {
  const page = await enter([1440, 900]);
  await visit(page, '#/organizations');
  await page.getByRole('button', { name: 'New organization' }).click();
  await page.getByLabel('Name', { exact: true }).fill(NASTY);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.locator('.main-cell').filter({ hasText: 'xxxxxxxx' }).waitFor();
  await look(page, 'nasty');
  assert.equal(await page.locator('img[src=x]').count(), 0);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

const PEOPLE = ['anna', 'bela', 'chen', 'dilip', 'elif', 'femi', 'goran', 'hana', 'ivo', 'juno'];

test('many users are pasted; what is wrong is said at its line', async () => {
  const page = await enter([1440, 900]);
  for (const team of ['ops', 'dev', 'sales']) {
    await visit(page, '#/users');
    await page.getByLabel('Organization').selectOption({ label: 'acme' });
    await page.getByRole('link', { name: 'Add many' }).click();
    const lines = PEOPLE.map((name) => `${name}-${team}, ${name}.${team}@example.org`);
    const names = page.getByLabel('Names');
    await names.fill([...lines.slice(1), 'nobody, at all'].join('\n'));
    await page.locator('.preview-row').first().filter({ hasText: 'no e-mail address' }).waitFor();
    await page.getByText('One line needs mending.').waitFor();
    if (team === 'ops') await look(page, 'users-many');
    await names.fill(lines.join('\n'));
    await page.getByLabel('Groups').fill(team);
    await page.getByRole('button', { name: 'Add 10 users' }).click();
    await page.getByText('10 users created.').waitFor();
  }
  await page.getByText('31 in acme').waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a task runs when somebody wants it', async () => {
  const page = await enter([1440, 900]);
  await visit(page, '#/work');
  const row = page.getByRole('row').filter({ hasText: 'addresses' });
  await row.getByText('Done').waitFor();
  const before = await row.locator('time').first().getAttribute('datetime');
  await row.getByRole('button', { name: 'Run now: addresses' }).click();
  await page.getByText('addresses runs now.').waitFor();
  await page.waitForFunction(([name, then]) => {
    const rows = [...document.querySelectorAll('tr')];
    const shown = rows.find((one) => one.textContent.includes(name));
    return shown.querySelector('time').getAttribute('datetime') !== then;
  }, ['addresses', before]);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

for (const size of SIZES) {
  test(`pages at ${size[0]} px`, async () => {
    const page = await enter(size);
    for (const [name, hash] of PAGES) {
      await visit(page, hash);
      await page.locator('.loading').waitFor({ state: 'detached' });
      await look(page, name);
    }
    for (const [name, list, tab] of size[0] > 2000 ? [] : INNER) {
      await visit(page, list);
      const hash = await page.locator('.main-cell a').first().getAttribute('href');
      await visit(page, hash + tab);
      await page.locator('.page-back').waitFor();
      await page.locator('.loading').first().waitFor({ state: 'detached' });
      await look(page, name);
    }
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });
}

test('no key is lost to a dialog that is about to open', async () => {
  const page = await enter([1440, 900]);
  const role = await page.evaluate(async () => {
    dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true }));
    // The soonest that another key could come.
    await new Promise((resolve) => setTimeout(resolve));
    return document.activeElement.getAttribute('role');
  });
  assert.equal(role, 'combobox');
  await page.context().close();
});

test('the keyboard alone goes everywhere', async () => {
  const page = await open(browser);
  await page.goto(`${URL_ROOT}/login`);
  await page.locator('input:focus').waitFor();
  await page.keyboard.type(FIRST.username);
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  const heading = (name) => page.getByRole('heading', { name, exact: true });
  await heading('Dashboard').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.type('hos');
  await page.keyboard.press('Enter');
  await heading('Hosts').waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await heading('Organizations').waitFor();
  await page.locator('h1:focus').waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()),
    'New organization');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  // A closed dialog has no role any more, a moment before the focus is back.
  await page.waitForFunction(() =>
    document.activeElement.textContent.trim() === 'New organization');
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});
