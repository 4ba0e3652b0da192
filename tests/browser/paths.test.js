// Ways through the console beside the long one of flow.test.js, each on its own: names that try
// to break out, leaving while something is saved, work, and the keyboard alone.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { FIRST, PASSWORD, URL_ROOT, enter, launch, look, open, visit } from './support.js';

const NASTY = `"><img/src=x/onerror=alert(1)>'مرحبا🐇${'x'.repeat(70)}`;
// As long as a page waits before it looks whether something is still away.
const ASKS_AGAIN_MS = 2_000;
let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

test('names that try to break out stay names', async () => {
  const page = await enter(browser);
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

test('who leaves a page while it saves is not fetched back', async () => {
  const page = await enter(browser);
  await visit(page, '#/users');
  await page.getByRole('link', { name: 'New user' }).first().click();
  // The first field waits for whoever came to fill the form.
  await page.locator('input[name=name]:focus').waitFor();
  await page.keyboard.type('slow');
  let answered = () => {};
  const asked = new Promise((resolve) => {
    page.route('**/user/*', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      const gate = new Promise((open) => {
        answered = open;
      });
      resolve();
      await gate;
      return route.continue();
    });
  });
  await page.getByRole('button', { name: 'Create user' }).click();
  await asked;
  await visit(page, '#/hosts');
  answered();
  await page.getByText('slow was created.').waitFor();
  await page.getByRole('heading', { name: 'Hosts' }).waitFor();
  assert.equal(new URL(page.url()).hash, '#/hosts');
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a task runs when somebody wants it', async () => {
  const page = await enter(browser);
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

test('a call that was lost is not the last word', async () => {
  const page = await enter(browser);
  await visit(page, '#/servers');
  const hash = await page.locator('.main-cell a').first().getAttribute('href');
  await visit(page, `${hash}/output`);
  const clear = page.getByRole('button', { name: 'Clear' });
  await clear.waitFor();
  // Whatever else is asked meanwhile would say at once that all is well.
  await page.route('**/*', (route) => route.abort());
  const lost = page.locator('.banner').filter({ hasText: 'Connection lost' });
  await clear.click();
  await lost.waitFor();
  await page.unroute('**/*');
  // Nothing on this page asks by itself, and the poll for events never failed.
  await lost.waitFor({ state: 'detached', timeout: 3 * ASKS_AGAIN_MS });
  await page.context().close();
});

test('no key is lost to a dialog that is about to open', async () => {
  const page = await enter(browser);
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
