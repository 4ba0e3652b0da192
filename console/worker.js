// The SharedWorker: one long poll per browser, its messages to every open page.

import { nap, pump } from './pump.js';

const ports = new Set();
const rest = nap();
let latest = { kind: 'connection', phase: 'connecting' };
let running = false;

function post(message) {
  if (message.kind === 'connection') latest = message;
  for (const port of ports) port.postMessage(message);
}

async function run() {
  if (running) return;
  running = true;
  await pump(post, rest);
  running = false;
}

self.onconnect = ({ ports: [port] }) => {
  ports.add(port);
  port.onmessage = ({ data }) => {
    if (data === 'bye') ports.delete(port);
    else {
      rest.end();
      run();
    }
  };
  port.postMessage(latest);
  run();
};
