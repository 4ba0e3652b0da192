// Many users at once: pasted and looked at, made in the background, cancelled and tried again.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { enter, launch, look, lookBoth, visit } from './support.js';

const PEOPLE = ['anna', 'bela', 'chen', 'dilip', 'elif', 'femi', 'goran', 'hana', 'ivo', 'juno'];

// Keys that are not in store are made first, by a machine with other things to do.
const KEYS_MS = 45_000;

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** Adds many users to the organization that is there from the beginning. */
async function paste(page, lines) {
  await visit(page, '#/users');
  await page.getByLabel('Organization').selectOption({ label: 'acme' });
  await page.getByRole('link', { name: 'Add many' }).click();
  await page.getByLabel('Names').fill(lines.join('\n'));
  await page.getByRole('button', { name: /^Add [\d,]+ users$/ }).click();
}

test('a few users are pasted; what is wrong is said at its line', async () => {
  const page = await enter(browser);
  const lines = PEOPLE.map((name) => `${name}, ${name}@example.org`);
  await paste(page, [...lines.slice(2), 'alice', 'nobody, at all']);
  await page.locator('.preview-row').first().filter({ hasText: 'no e-mail address' }).waitFor();
  await page.locator('.preview-row').nth(1).filter({ hasText: 'exists already' }).waitFor();
  await page.getByText('One line needs mending.').waitFor();
  await lookBoth(page, 'users-many');
  await page.getByLabel('Names').fill(lines.join('\n'));
  await page.getByLabel('Groups').fill('ops');
  await page.getByRole('button', { name: 'Add 10 users' }).click();
  await page.getByText('10 users created.').waitFor();
  await page.getByText('11 in acme').waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('more than a few are made in the background, with live progress', async () => {
  const page = await enter(browser);
  await paste(page, Array.from({ length: 15 }, (_, n) => `crew-${n}`));
  await page.getByText('All 15 are made.').waitFor({ timeout: KEYS_MS });
  await look(page, 'users-made');
  await visit(page, '#/users');
  await page.getByLabel('Search users').fill('crew-14');
  await page.getByRole('link', { name: 'crew-14' }).waitFor();
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('a long list is cancelled, tried again and cancelled for good', async () => {
  const page = await enter(browser);
  await paste(page, Array.from({ length: 500 }, (_, n) => `army-${n}`));
  await page.getByRole('heading', { name: 'Users are being made' }).waitFor();
  await page.locator('.bulk').getByText(/of 500/).waitFor();
  await lookBoth(page, 'users-making');
  const other = await enter(browser);
  await paste(other, PEOPLE.concat('one-too-many'));
  await other.locator('.form-error').filter({ hasText: 'Wait until that list' }).waitFor();
  await visit(page, '#/work');
  await page.getByRole('button', { name: 'Cancel: New users' }).click();
  await page.getByRole('dialog').waitFor();
  await look(page, 'work-cancel');
  await page.getByRole('button', { name: 'Cancel job' }).click();
  const row = page.getByRole('row').filter({ hasText: 'New users' });
  await row.getByText('Cancelled', { exact: true }).waitFor();
  await lookBoth(page, 'work-cancelled');
  await row.getByRole('button', { name: 'Try again: New users' }).click();
  await row.getByText('Cancelled', { exact: true }).waitFor({ state: 'detached' });
  await row.getByRole('button', { name: 'Cancel: New users' }).click();
  await page.getByRole('button', { name: 'Cancel job' }).click();
  await row.getByRole('button', { name: 'Remove: New users' }).click();
  await row.waitFor({ state: 'detached' });
  assert.deepEqual([...page.complaints, ...other.complaints], []);
  await page.context().close();
  await other.context().close();
});
