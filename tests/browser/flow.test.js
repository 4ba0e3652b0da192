// The whole way by clicking, as a new administrator goes it: first sign-in, own password,
// organization, user with PIN, server with one-time codes, start, a client that comes online
// without reloading, output, disconnect, stop. Steps build on each other.
//
// The VPN client is real and started by whoever runs this: the test writes `client.json`
// ({profile, pin, secret, user}) into WARREN_EXCHANGE once the server runs, and waits. Later it
// writes `restart.json` (stop the daemon), `seen.json` (start it again) and waits for
// `restart.txt`, then `reset.json` and waits for `reset.txt`, the password that `reset-password`
// has made.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import {
  EXCHANGE, FIRST, OUTPUT, PASSWORD, PORT, URL_ROOT, launch, look, lookBoth, open, signIn,
  untilState, visit,
} from './support.js';

const ORGANIZATION = 'acme';
const USER = 'alice';
const PIN = '246813';
const SERVER = 'office';
const CLIENT_MS = 60_000;
const RESET_MS = 30_000;
// A page asks again every two seconds; three times as much is the limit.
const BACK_MS = 6_000;

let browser;
let page;
let serverPage;
const client = {};
const FAILED = join(OUTPUT, 'flow-failed.png');

before(async () => {
  rmSync(FAILED, { force: true });
  browser = await launch();
  page = await open(browser);
});

after(() => browser?.close());

const button = (name, root = page) => root.getByRole('button', { name, exact: true });
const link = (name, root = page) => root.getByRole('link', { name, exact: true });
const field = (name, root = page) => root.getByLabel(name, { exact: true });
const option = (name) => page.getByRole('option', { name, exact: true });
const newProfile = () => page.locator('.form-notice').filter({ hasText: 'Hand out' });

async function until(condition, limitMs) {
  const end = Date.now() + limitMs;
  while (!condition()) {
    assert.ok(Date.now() < end, `waited in vain for ${condition}`);
    await page.waitForTimeout(50);
  }
}

let failed = null;

/** Later steps build on earlier ones: after one that failed they are skipped, so that the log ends
 *  with the step that matters and not with minutes of waiting. */
function step(name, ...given) {
  const run = given.pop();
  test(name, ...given, async (t) => {
    if (failed) return t.skip(`after: ${failed}`);
    try {
      await run();
    } catch (error) {
      failed = name;
      await page?.screenshot({ path: FAILED }).catch(() => {});
      t.diagnostic(`at ${page?.url()}; complaints: ${JSON.stringify(page?.complaints)}`);
      throw error;
    }
  });
}

const go = (name) => link(name, page.getByRole('navigation', { name: 'Main' })).click();

step('without a session there is only the login page', async () => {
  await page.goto(`${URL_ROOT}/#/servers`);
  assert.equal(new URL(page.url()).pathname, '/login');
  await look(page, 'login');
});

step('a wrong password says so and keeps what was typed', async () => {
  await signIn(page, { username: FIRST.username, password: 'not this one' });
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  assert.equal(await field('User name').inputValue(), FIRST.username);
  await look(page, 'login-wrong');
});

step('the first password must be changed before anything else', async () => {
  await signIn(page, FIRST);
  await page.getByRole('heading', { name: 'Choose your password' }).waitFor();
  await field('New password').fill('short');
  await field('New password again').fill('other');
  await button('Save and go on').click();
  assert.equal(await page.locator('[aria-invalid=true]').count(), 2);
  await look(page, 'first-password');
  await field('New password').fill(PASSWORD);
  await field('New password again').fill(PASSWORD);
  await button('Save and go on').click();
  await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
  await page.getByRole('heading', { name: 'First steps' }).waitFor();
  await look(page, 'first-steps');
});

step('an organization, seen at once by another browser', async () => {
  const other = await open(browser);
  await signIn(other, { username: FIRST.username, password: PASSWORD });
  await other.getByRole('heading', { name: 'Dashboard' }).waitFor();
  await visit(other, '#/organizations');
  await other.getByText('No organization yet').waitFor();
  await link('Create an organization').click();
  await button('New organization').click();
  await field('Name').fill('ac me');
  await page.getByText('Saved as “acme”. Removed: spaces').waitFor();
  await look(page, 'organization-new');
  await page.keyboard.press('Enter');
  await link(ORGANIZATION).waitFor();
  await link(ORGANIZATION, other).waitFor();
  await look(page, 'organizations');
  assert.deepEqual(other.complaints, []);
  await other.context().close();
});

step('a user with a PIN; a bad one is refused next to its field', async () => {
  await link(ORGANIZATION).click();
  await link('New user').first().click();
  await field('Name').fill(USER);
  await field('PIN').fill('12ab');
  await button('Create user').click();
  await page.locator('.field-problem').filter({ hasText: 'digits' }).waitFor();
  assert.equal(await field('Name').inputValue(), USER);
  await look(page, 'user-new');
  await field('PIN').fill(PIN);
  await button('Create user').click();
  await page.getByRole('heading', { name: USER }).waitFor();
});

step('a user without a PIN, disabled, then deleted', async () => {
  await link(ORGANIZATION).click();
  await link('New user').first().click();
  await field('Name').fill('printer');
  await button('Create user').click();
  await page.getByRole('heading', { name: 'printer' }).waitFor();
  assert.equal(await field('PIN').inputValue(), '');
  await field('Disabled').check();
  await button('Save').click();
  await untilState(page, 'Disabled');
  await button('Delete user').click();
  await button('Delete user', page.getByRole('dialog')).click();
  await link(USER).waitFor();
  await link('printer').waitFor({ state: 'detached' });
});

step('quick search finds users of all organizations; the first Escape closes it', async () => {
  await go('Dashboard');
  await page.keyboard.press('Control+k');
  await page.keyboard.type('ALI');
  await option(`${USER} User in ${ORGANIZATION}`).waitFor();
  await lookBoth(page, 'palette');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('Control+k');
  await page.keyboard.type('nobody has this');
  await page.getByText('Nothing has this name.').waitFor();
  await page.getByRole('combobox').fill(USER);
  await option(`${USER} User in ${ORGANIZATION}`).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: USER }).waitFor();
});

step('a server with one-time codes', async () => {
  await go('Servers');
  await link('New server').first().click();
  await button('Cancel').click();
  await page.getByText('No server yet').waitFor();
  await link('New server').first().click();
  await field('Name').fill(SERVER);
  await field('Tunnel network').fill('10.30.1.0/16');
  await field('Port').fill(PORT);
  await field('Require one-time codes').check();
  await button('Create server').click();
  await page.locator('.field-problem').filter({ hasText: '10.30.0.0/16' }).waitFor();
  await look(page, 'server-new');
  await field('Tunnel network').fill('10.30.1.0/24');
  const dns = field('DNS while connected');
  assert.equal(await dns.inputValue(), 'keep');
  await dns.selectOption('google');
  await page.getByText('learns every name').waitFor();
  await dns.selectOption('own');
  await button('Create server').click();
  await page.locator('.field-problem').filter({ hasText: 'at least one address' }).waitFor();
  await field('Addresses of DNS servers').fill('10.99.0.2');
  await field(ORGANIZATION).uncheck();
  await button('Create server').click();
  await page.getByRole('heading', { name: SERVER }).waitFor();
  await page.getByText('Attach an organization first').waitFor();
});

step('attach, detach and attach again; a route more and one less', async () => {
  await button('Attach').first().click();
  await button(`Detach ${ORGANIZATION}`).click();
  await page.getByText('nobody may connect yet').waitFor();
  await button('Attach').first().click();
  await button(`Detach ${ORGANIZATION}`).waitFor();
  await link('Routes').click();
  await field('Network').fill('10.88.0.0/16');
  await button('Add route').click();
  await page.getByText('Route added').waitFor();
  await look(page, 'routes');
  await button('Delete 10.88.0.0/16').click();
  await button('Delete route').click();
  await button('Delete 10.88.0.0/16').waitFor({ state: 'detached' });
});

step('start shows progress and ends online', async () => {
  await link('Overview').click();
  await button('Start').click();
  await untilState(page, 'Online');
  await look(page, 'server-online');
  serverPage = page.url();
});

step('the profile and the second factor of the user', async () => {
  await go('Users');
  await link(USER).click();
  await button('Show secret').click();
  await page.getByRole('img', { name: `QR code of the secret of ${USER}` }).waitFor();
  client.secret = (await page.locator('.otp-secret').innerText()).replace(/\s/g, '');
  assert.match(client.secret, /^[A-Z2-7]{16}$/);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    link(`${SERVER}.ovpn`).click(),
  ]);
  client.profile = join(EXCHANGE ?? OUTPUT, 'profile.ovpn');
  await download.saveAs(client.profile);
  assert.match(readFileSync(client.profile, 'utf8'), /^remote /m);
  await look(page, 'user');
});

step('a client is seen online without reloading', { skip: !EXCHANGE }, async () => {
  await page.goto(serverPage);
  await page.getByText('Nobody is connected').waitFor();
  await page.evaluate(() => {
    window.sameDocument = true;
  });
  const request = { ...client, user: USER, pin: PIN };
  const file = join(EXCHANGE, 'client.json');
  writeFileSync(`${file}.part`, JSON.stringify(request));
  renameSync(`${file}.part`, file);
  const clients = page.locator('.clients');
  await link(USER, clients).waitFor({ timeout: CLIENT_MS });
  assert.equal(await page.evaluate(() => window.sameDocument), true);
  await lookBoth(page, 'server-client');
  await go('Users');
  await page.getByRole('row').filter({ hasText: USER }).getByText('Online').waitFor();
  await look(page, 'users-online');
});

step('output can be searched, held and cleared', async () => {
  await page.goto(serverPage);
  await link('Output').click();
  const lines = page.locator('.output-line');
  await lines.filter({ hasText: 'Initialization Sequence Completed' }).first().waitFor();
  await field('Search the output').fill('nothing says this');
  await page.getByText('No lines.').waitFor();
  await field('Search the output').fill('COMPLETED initialization');
  await lines.filter({ hasText: 'Initialization Sequence Completed' }).first().waitFor();
  await look(page, 'output');
  await button('Pause').click();
  await button('Go on').click();
  await field('Search the output').fill('');
  await button('Clear').click();
  await page.getByText('Output cleared').waitFor();
});

step('disconnecting a client takes it off the list', { skip: !EXCHANGE }, async () => {
  await link('Overview').click();
  await button(`Disconnect ${USER}`).click();
  await button('Disconnect', page.getByRole('dialog')).click();
  await button(`Disconnect ${USER}`).waitFor({ state: 'detached' });
});

step('a PIN taken away or set says that a new profile is needed', async () => {
  await go('Users');
  await link(USER).click();
  await field('E-mail').fill('alice@example.org');
  await button('Save').click();
  await page.getByText('Saved.').waitFor();
  assert.equal(await newProfile().count(), 0);
  await button('Remove PIN').click();
  await button('Save').click();
  await newProfile().filter({ hasText: 'still asks' }).waitFor();
  await field('PIN').fill(PIN);
  await button('Save').click();
  await newProfile().filter({ hasText: 'refused' }).waitFor();
  await look(page, 'user-new-profile');
  await page.goto(serverPage);
});

step('a session that ended is renewed over the page, and nothing typed is lost', async () => {
  await link('Settings').click();
  await field('Name').fill(`${SERVER}-2`);
  await page.context().clearCookies();
  await button('Save').click();
  const dialog = page.getByRole('dialog', { name: 'Sign in again' });
  await field('User name', dialog).fill(FIRST.username);
  await field('Password', dialog).fill(PASSWORD);
  await look(page, 'sign-in-again');
  await button('Sign in', dialog).click();
  await page.getByRole('heading', { name: `${SERVER}-2` }).waitFor();
});

step('stop ends offline, and what changed is allowed again', async () => {
  await button('Stop').click();
  await untilState(page, 'Offline');
  await field('Port').fill('1');
  assert.equal(await field('Port').isEnabled(), true);
  await look(page, 'server-settings');
  await button('Cancel').click();
  await field('Require one-time codes').uncheck();
  await button('Save').click();
  await newProfile().filter({ hasText: 'still ask' }).waitFor();
  await look(page, 'server-new-profiles');
});

step('a stopped server can be deleted', async () => {
  await button('Delete server').click();
  await button('Delete server', page.getByRole('dialog')).click();
  await page.getByText('No server yet').waitFor();
  await look(page, 'servers-empty');
});

step('a lost connection is said, and that it is back', { skip: !EXCHANGE }, async () => {
  await go('Users');
  await link(USER).waitFor();
  writeFileSync(join(EXCHANGE, 'restart.json'), '{}');
  const banner = page.locator('.banner').filter({ hasText: 'Connection lost' });
  await banner.waitFor({ timeout: RESET_MS });
  await look(page, 'connection-lost');
  writeFileSync(join(EXCHANGE, 'seen.json'), '{}');
  await until(() => existsSync(join(EXCHANGE, 'restart.txt')), RESET_MS);
  await banner.waitFor({ state: 'detached', timeout: BACK_MS });
  // Calls met a closed port, as they should.
  page.complaints = page.complaints.filter((text) => !/net::ERR_/.test(text));
});

step('after reset-password all pages load again', { skip: !EXCHANGE }, async () => {
  await go('Users');
  await link(USER).waitFor();
  writeFileSync(join(EXCHANGE, 'reset.json'), '{}');
  const dialog = page.getByRole('dialog', { name: 'Sign in again' });
  await dialog.waitFor({ timeout: RESET_MS });
  await field('User name', dialog).fill(FIRST.username);
  const made = join(EXCHANGE, 'reset.txt');
  await until(() => existsSync(made), RESET_MS);
  await field('Password', dialog).fill(readFileSync(made, 'utf8'));
  await button('Sign in', dialog).click();
  await page.getByRole('heading', { name: 'Choose your password' }).waitFor();
  await field('New password').fill(PASSWORD);
  await field('New password again').fill(PASSWORD);
  await button('Save and go on').click();
  await link(USER).waitFor();
  assert.equal(await page.locator('.form-error').count(), 0);
  // And events are heard again.
  const other = await open(browser);
  await signIn(other, { username: FIRST.username, password: PASSWORD });
  await other.getByRole('heading', { name: 'Dashboard' }).waitFor();
  await visit(other, '#/users');
  await link('New user', other).first().click();
  await field('Name', other).fill('bob');
  await button('Create user', other).click();
  await link('bob').waitFor();
  await other.context().close();
});

step('signing out ends the session', async () => {
  await button('Sign out').click();
  await page.waitForURL('**/login');
  await page.goto(`${URL_ROOT}/`);
  assert.equal(new URL(page.url()).pathname, '/login');
});

step('nothing complained on the way', () => {
  assert.deepEqual(page.complaints, []);
  assert.ok(!EXCHANGE || existsSync(join(EXCHANGE, 'client.json')));
});
