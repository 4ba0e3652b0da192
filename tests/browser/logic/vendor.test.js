// What the console is made of: vendored files are the pinned ones, the page preloads exactly the
// modules it needs, and nothing is inline.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('../../../console/', import.meta.url));
const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const filesIn = (folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(ROOT.length));

const ours = filesIn('.').filter((path) => !path.startsWith('vendor/'));

test('every vendored file has the pinned sum, and there is no other', () => {
  const rows = read('vendor/MANIFEST').split('\n').filter((row) => row && !row.startsWith('#'))
    .map((row) => row.split(/\s+/));
  for (const [sum, name] of rows) {
    const found = createHash('sha256').update(readFileSync(join(ROOT, 'vendor', name)));
    assert.equal(found.digest('hex'), sum, name);
  }
  const listed = rows.map(([, name]) => `vendor/${name}`).concat('vendor/MANIFEST').sort();
  assert.deepEqual(filesIn('vendor').sort(), listed);
});

const IMPORT = /(?:from|import)\s*["'](\.[^"']+)["']/g;

function closure(path, seen = new Set()) {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const [, target] of read(path).matchAll(IMPORT)) {
    closure(normalize(join(dirname(path), target)), seen);
  }
  return seen;
}

test('the page preloads exactly the modules it imports', () => {
  const preloaded = [...read('index.html').matchAll(/modulepreload" href="\/s\/([^"]+)"/g)]
    .map(([, path]) => path);
  const needed = [...closure('main.js')].filter((path) => path !== 'main.js');
  assert.deepEqual(preloaded.sort(), needed.sort());
});

test('every module and style is used', () => {
  const lazy = [
    'vendor/uplot.js', 'vendor/lean-qr.js', 'views/account.js', 'views/server-new.js',
  ];
  const used = new Set(['main.js', 'worker.js', ...lazy].flatMap((path) => [...closure(path)]));
  const pages = read('index.html') + read('login/index.html');
  for (const path of ours.filter((one) => /\.(js|css|svg)$/.test(one))) {
    assert.ok(used.has(path) || pages.includes(`/s/${path}"`), `${path} is not used`);
  }
});

test('the login page loads nothing but its own folder', () => {
  const links = [...read('login/index.html').matchAll(/(?:href|src)="([^"]+)"/g)];
  for (const [, link] of links) assert.match(link, /^\/s\/login\//);
});

test('nothing is inline and nothing writes HTML', () => {
  for (const path of ours.filter((one) => one.endsWith('.html'))) {
    assert.doesNotMatch(read(path), /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/, path);
  }
  for (const path of ours.filter((one) => one.endsWith('.js'))) {
    assert.doesNotMatch(read(path), /innerHTML|insertAdjacentHTML|document\.write|eval\(/, path);
  }
});

test('lines have at most 100 columns, files at most 300 lines', () => {
  for (const path of ours.filter((one) => /\.(js|css|html)$/.test(one))) {
    const lines = read(path).split('\n');
    assert.ok(lines.length <= 300, path);
    // Drawings are paths that can not be broken.
    const long = lines.findIndex((line) => line.length > 100 && !/'M\d/.test(line));
    assert.equal(long, -1, `${path}:${long + 1}`);
  }
});

test('the first page stays below 100 kB compressed', () => {
  const styles = [...read('index.html').matchAll(/href="\/s\/([^"]+\.css)"/g)].map(([, p]) => p);
  const size = [...closure('main.js'), ...styles, 'index.html']
    .reduce((sum, path) => sum + gzipSync(readFileSync(join(ROOT, path))).length, 0);
  assert.ok(size < 100_000, `${size} bytes`);
});
