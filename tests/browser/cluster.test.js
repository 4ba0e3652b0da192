// A cluster of three hosts, seen from the console of h1: hosts die and return, jobs get on, tasks
// run, the connection and the database go away and come back; nothing is ever loaded anew. The
// server `office` may run on h2 and h3.
//
// What happens to hosts and database is done by whoever runs this: the test writes
// `ask-1.json` ({act, host}), `ask-2.json` and so on into WARREN_EXCHANGE, and waits for `done-1`.
// Acts: `kill` and `start` (a host, by number), `away` and `back` (the database), `fail` (a job).

import assert from 'node:assert/strict';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { EXCHANGE, enter, launch, look, lookBoth, visit } from './support.js';

// Three times what is promised: 4.5 s until a host counts as dead, then a start of OpenVPN.
const MOVED_MS = 30_000;
const STARTED_MS = 40_000;
const BULK = 200;

let browser;
let asked = 0;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

async function ask(act, host) {
  asked += 1;
  const file = join(EXCHANGE, `ask-${asked}.json`);
  writeFileSync(`${file}.part`, JSON.stringify({ act, host }));
  renameSync(`${file}.part`, file);
  const end = Date.now() + STARTED_MS;
  while (!existsSync(join(EXCHANGE, `done-${asked}`))) {
    assert.ok(Date.now() < end, `${act} was not done`);
    await pause(50);
  }
}

const mark = (page) => page.evaluate(() => {
  window.sameDocument = true;
});

/** It was never loaded anew, and complained of nothing but calls that met nobody. */
async function leave(page) {
  assert.equal(await page.evaluate(() => window.sameDocument), true);
  assert.deepEqual(page.complaints.filter((text) => !/net::ERR_/.test(text)), []);
  await page.context().close();
}

const card = (page, host) => page.locator('.host').filter({ hasText: new RegExp(`^${host}`) });
const row = (page, text) => page.getByRole('row').filter({ hasText: text });
const banner = (page) => page.locator('.banner');

test('a host that dies and the move of its server are seen without reloading', async () => {
  const [page, server] = [await enter(browser), await enter(browser)];
  await visit(page, '#/hosts');
  await mark(page);
  await page.getByText('3 online').waitFor();
  const runner = page.locator('.host').filter({ has: page.getByRole('link', { name: 'office' }) });
  const from = (await runner.locator('h2').innerText()).trim();
  assert.match(from, /^h[23]$/);
  const other = from === 'h2' ? 'h3' : 'h2';
  await visit(server, '#/servers');
  await server.getByRole('link', { name: 'office' }).click();
  await mark(server);
  const standing = (host) => server.locator('.attached li').filter({ hasText: host });
  await standing(from).getByText('Runs here').waitFor();
  await standing(other).getByText('Stands by').waitFor();

  await ask('kill', Number(from[1]) - 1);
  await card(page, from).getByText('Offline').waitFor({ timeout: MOVED_MS });
  await card(page, from).getByText('Last seen').waitFor();
  await page.getByText('2 online, 1 offline').waitFor();
  await card(page, other).getByRole('link', { name: 'office' }).waitFor({ timeout: MOVED_MS });
  await standing(from).getByText('Offline').waitFor();
  await standing(other).getByText('Runs here').waitFor({ timeout: MOVED_MS });
  await lookBoth(page, 'cluster-hosts');
  await visit(page, '#/');
  await page.getByText(`Host ${from} is offline.`).waitFor();
  await look(page, 'cluster-dashboard');

  await ask('start', Number(from[1]) - 1);
  await page.getByText(`Host ${from} is offline.`).waitFor({ state: 'detached' });
  await leave(page);
  await leave(server);
});

/** Pastes as people do; typing so many lines would take Chromium long. */
async function paste(page, names) {
  await visit(page, '#/users');
  await page.getByRole('link', { name: 'Add many' }).click();
  await page.getByLabel('Names').waitFor();
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.evaluate((text) => navigator.clipboard.writeText(text), names.join('\n'));
  await page.getByLabel('Names').focus();
  await page.keyboard.press('Control+v');
  await page.getByRole('button', { name: `Add ${names.length} users` }).click();
}

test('a job moves on before one’s eyes, and a failed one is tried again', async () => {
  const [page, work] = [await enter(browser), await enter(browser)];
  await visit(work, '#/work');
  await mark(work);
  await paste(page, Array.from({ length: BULK }, (_, n) => `crew-${n}`));
  await mark(page);
  const job = row(work, 'New users');
  await job.getByText('Running').waitFor();
  await job.getByText(/^h[123]$/).waitFor();
  const words = job.locator('.progress-words');
  const first = await words.innerText();
  assert.match(first, new RegExp(`^\\d+ of ${BULK}$`));
  await work.waitForFunction((before) => {
    const now = document.querySelector('.progress-words')?.textContent;
    return now !== undefined && now !== before;
  }, first);
  await page.getByText(`All ${BULK} are made.`).waitFor({ timeout: STARTED_MS });
  await job.waitFor({ state: 'detached' });

  await ask('fail');
  const failed = row(work, 'no space left');
  await failed.getByText('Failed').waitFor();
  await look(work, 'cluster-work');
  await failed.getByRole('button', { name: 'Try again: RSA key, 2048 bit' }).click();
  await work.getByText('It is tried again.').waitFor();
  await failed.waitFor({ state: 'detached', timeout: STARTED_MS });
  await leave(page);
  await leave(work);
});

test('a task that somebody wants says who ran it and when', async () => {
  const page = await enter(browser);
  await visit(page, '#/work');
  await mark(page);
  const task = row(page, 'addresses');
  await task.getByText('Done').waitFor();
  const before = await task.locator('time').first().getAttribute('datetime');
  await task.getByRole('button', { name: 'Run now: addresses' }).click();
  await page.getByText('addresses runs now.').waitFor();
  await task.locator(`time:not([datetime="${before}"])`).first().waitFor();
  await task.locator('[data-label=By]').getByText(/^h[123]$/).waitFor();
  await task.locator('[data-label=Took]').getByText(/ms$/).waitFor();
  await leave(page);
});

test('with its host the connection is lost, other consoles are named, and it goes on', async () => {
  const page = await enter(browser);
  await visit(page, '#/organizations');
  await mark(page);
  await page.getByRole('link', { name: 'acme' }).waitFor();
  await ask('kill', 0);
  await banner(page).getByText('Connection lost.').waitFor();
  const links = banner(page).getByRole('link');
  assert.deepEqual(await links.allInnerTexts(), ['h2', 'h3']);
  assert.equal(await links.first().getAttribute('href'), 'https://10.77.0.12/#/organizations');
  await look(page, 'cluster-lost');
  await ask('start', 0);
  await banner(page).waitFor({ state: 'detached' });
  const other = await enter(browser);
  await visit(other, '#/organizations');
  await other.getByRole('button', { name: 'New organization' }).click();
  await other.getByLabel('Name', { exact: true }).fill('after');
  await other.keyboard.press('Enter');
  await page.getByRole('link', { name: 'after' }).waitFor();
  await other.context().close();
  await leave(page);
});

test('while the database is away, it is said what goes on and what does not', async () => {
  const page = await enter(browser);
  await visit(page, '#/hosts');
  await mark(page);
  await page.getByText('3 online').waitFor();
  await ask('away');
  await banner(page).getByText('The database is away.').waitFor({ timeout: MOVED_MS });
  await banner(page).getByText('Tunnels go on').waitFor();
  await page.getByText('3 online').waitFor();
  await look(page, 'cluster-away');
  await ask('back');
  await banner(page).waitFor({ state: 'detached', timeout: MOVED_MS });
  await leave(page);
});
