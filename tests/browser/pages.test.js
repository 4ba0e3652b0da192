// Every page in every width and both themes, with long lists and names that try to break out: no
// accessibility violation, nothing too wide.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { SIZES, enter, launch, look, visit } from './support.js';

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

for (const size of SIZES) {
  test(`pages at ${size[0]} px`, async () => {
    const page = await enter(browser, size);
    for (const [name, hash] of PAGES) {
      await visit(page, hash);
      await page.locator('.loading').waitFor({ state: 'detached' });
      await look(page, name);
    }
    if (size[0] < 500) {
      await page.getByRole('button', { name: 'Open the menu' }).click();
      await look(page, 'menu');
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
