// What the browser tests share: a Chromium, pages that complain, looks at them in both themes.
//
// From the environment:
//   WARREN_URL        where the console answers, for example https://10.0.0.1:443
//   WARREN_USER, WARREN_PASSWORD    the first credentials, as printed by the server
//   WARREN_EXCHANGE   a folder in which a test asks for a real VPN client (see flow.test.js)
//   WARREN_PORT       the port of the server that the tests make; chosen by Warren if missing
//   WARREN_OUTPUT     where screenshots go; test-output/browser if missing

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const URL_ROOT = process.env.WARREN_URL ?? 'https://localhost';
export const FIRST = {
  username: process.env.WARREN_USER ?? 'admin',
  password: process.env.WARREN_PASSWORD ?? '',
};
export const PASSWORD = 'four words of mine';
export const EXCHANGE = process.env.WARREN_EXCHANGE;
export const PORT = process.env.WARREN_PORT ?? '';
export const OUTPUT = process.env.WARREN_OUTPUT ?? join(ROOT, 'test-output', 'browser');

export const SIZES = [[360, 760], [1440, 900], [2560, 1300]];
const PHONE = { width: 360, height: 760 };
const WIDE = 2_000;
const WAIT_MS = 15_000;

mkdirSync(OUTPUT, { recursive: true });

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--ignore-certificate-errors',
    ],
  });

// Statuses the tests provoke; the browser logs each of them as an error.
const EXPECTED = /status of (400|401|402|403|404|429|500|503)/;

/** A page of its own browser profile. `page.complaints` gathers what must stay empty. */
export async function open(browser, [width, height] = [1440, 900]) {
  const context = await browser.newContext({
    viewport: { width, height },
    ignoreHTTPSErrors: true,
    acceptDownloads: true,
  });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(`exception: ${error.stack}`));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !EXPECTED.test(text)) page.complaints.push(text);
  });
  page.on('dialog', (dialog) => {
    page.complaints.push(`a script opened a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return page;
}

export async function signIn(page, { username, password }) {
  await page.goto(`${URL_ROOT}/login`);
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** A page of somebody who has signed in. */
export async function enter(browser, size) {
  const page = await open(browser, size);
  await signIn(page, { username: FIRST.username, password: PASSWORD });
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
  return page;
}

export async function visit(page, hash) {
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
  await page.locator('h1').waitFor();
}

async function violations(page) {
  await page.evaluate(`${AXE};0`);
  const { violations: found } = await page.evaluate(() => axe.run(document));
  return found.map(({ id, nodes }) => `${id} at ${nodes[0].target.join(' ')}`);
}

/** A screenshot and an accessibility check in both themes, and nothing wider than the screen. */
export async function look(page, name) {
  const { width } = page.viewportSize();
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(OUTPUT, `${name}-${width}-${colorScheme}.png`) });
    // Beyond the width of a desk, dark differs by nothing that was not looked at before.
    const known = width > WIDE && colorScheme === 'dark';
    if (!known) assert.deepEqual(await violations(page), [], `${name}, ${colorScheme}`);
  }
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${name} is ${over} px wider than ${width} px`);
}

/** The same on a phone and as it was. */
export async function lookBoth(page, name) {
  const size = page.viewportSize();
  await look(page, name);
  await page.setViewportSize(PHONE);
  await look(page, name);
  await page.setViewportSize(size);
}

export const state = (page) => page.locator('.page-title .status');

export async function untilState(page, word) {
  await state(page).filter({ hasText: word }).waitFor();
}
