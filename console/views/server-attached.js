// Which organizations may use a server and which hosts may run it.

import * as api from '../api.js';
import { reload, useData } from '../cache.js';
import * as data from '../data.js';
import { explain } from '../logic/errors.js';
import { standing } from '../logic/server.js';
import { Button } from '../parts/button.js';
import { html, useState } from '../parts/html.js';
import { Card, Loaded } from '../parts/page.js';
import { Status } from '../parts/status.js';

function Attach({ noun, rest, disabled, run }) {
  const [chosen, setChosen] = useState('');
  const id = rest.some((one) => one.id === chosen) ? chosen : rest[0].id;
  return html`
    <div class="inline attach">
      <div class="field"><select aria-label=${`${noun} to attach`} disabled=${disabled} value=${id}
        onChange=${(event) => setChosen(event.target.value)}>
        ${rest.map((one) => html`
          <option key=${one.id} value=${one.id} selected=${one.id === id}>${one.name}</option>`)}
      </select></div>
      <${Button} icon="plus" disabled=${disabled} onClick=${() => run('attach', id)}>Attach<//>
    </div>`;
}

const Standing = ({ state }) => html`<${Status} of=${state.of}>${state.word}<//>`;

function Attachments({
  title, noun, attached, all, disabled, advice, stateOf, attach, detach, empty,
}) {
  const [problem, setProblem] = useState(null);
  const run = async (name, id) => {
    setProblem(null);
    await (name === 'attach' ? attach : detach)(id).catch((error) => setProblem(explain(error)));
  };
  const has = new Set(attached.value?.map((one) => one.id));
  const rest = (all.value ?? []).filter((one) => !has.has(one.id));
  return html`
    <${Card} title=${title}>
      ${problem && html`<p class="form-error" role="alert">
        <strong>${problem.text}</strong> ${problem.cure}</p>`}
      <${Loaded} data=${attached}>${(list) => html`
        ${list.length === 0 && html`<p class="soft">${empty}</p>`}
        <ul class="attached">
          ${list.map((one) => html`
            <li key=${one.id}>
              <span dir="auto">${one.name}</span>
              ${stateOf && html`<${Standing} state=${stateOf(one.id)} />`}
              <${Button} kind="quiet" icon="close" label=${`Detach ${one.name}`}
                disabled=${disabled} onClick=${() => run('detach', one.id)} />
            </li>`)}
        </ul>
        ${rest.length > 0 && html`
          <${Attach} noun=${noun} rest=${rest} disabled=${disabled} run=${run} />`}
        ${advice?.(list) && html`<p class="field-hint">${advice(list)}</p>`}`}
      <//>
    <//>`;
}

export function Attached({ server }) {
  const online = server.status === 'online';
  const organizations = data.serverOrganizations(server.id);
  const hosts = data.serverHosts(server.id);
  const allHosts = useData(data.hosts());
  const change = (call, source) => async (id) => {
    await call(server.id, id);
    await reload(source, data.server(server.id));
  };
  return html`
    <${Attachments} title="Organizations" noun="Organization" attached=${useData(organizations)}
      all=${useData(data.organizations())} disabled=${online}
      advice=${() => online && 'Stop the server to change its organizations.'}
      attach=${change(api.attachOrganization, organizations)}
      detach=${change(api.detachOrganization, organizations)}
      empty="None: nobody may connect yet." />
    <${Attachments} title="Hosts" noun="Host" attached=${useData(hosts)}
      all=${allHosts} attach=${change(api.attachHost, hosts)}
      stateOf=${allHosts.value && ((id) =>
        standing(server, allHosts.value.find((host) => host.id === id)))}
      advice=${(list) => list.length === 1 && 'Only one: nothing can take over from it.'}
      detach=${change(api.detachHost, hosts)} empty="None: it can not run anywhere." />`;
}
