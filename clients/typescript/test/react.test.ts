/** The hooks in a real React, in strict mode, against a real server. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { JSDOM } from 'jsdom';
import { createElement, StrictMode } from 'react';
import { SeanceClient, type JoinOptions } from '../src/index.js';
import { usePlanchette, useSeance, type Seance } from '../src/react/index.js';
import { until } from './support/checker.js';
import { Server } from './support/server.js';

const { window } = new JSDOM('<div id="root"></div>');
Object.assign(globalThis, { window, document: window.document, navigator: window.navigator });
const { createRoot } = await import('react-dom/client'); // it looks for a document when it is loaded

let server: Server;
let client: SeanceClient;
before(async () => {
  server = await Server.start({ SEAT_GRACE_SECONDS: '30' });
  client = new SeanceClient({ baseUrl: server.url });
});
after(() => server.stop());

/** A component that shows what the hooks give, and hands it out. */
function mount(sessionId: string) {
  const root = createRoot(window.document.querySelector('#root')!);
  const shown: { seance?: Seance; spelt: string } = { spelt: '' };
  function Room({ id, ...options }: JoinOptions & { id: string | null }) {
    const seance = useSeance(client, id, options);
    usePlanchette(seance.connection, ({ spelt }) => (shown.spelt = spelt));
    shown.seance = seance;
    return createElement('ol', {}, ...seance.state.messages.map(({ id, text }) => createElement('li', { key: id }, text)));
  }
  const draw = (options: JoinOptions, id: string | null = sessionId): void =>
    root.render(createElement(StrictMode, null, createElement(Room, { ...options, id })));
  return { root, shown, draw };
}

const texts = (): (string | null)[] => [...window.document.querySelectorAll('li')].map((one) => one.textContent);

test('the hooks join once, render what happens, follow the board, and leave', async () => {
  const { session } = await client.sessions.create({ name: 'Room', spirit: { mode: 'open', pace: 'brisk' } });
  const bob = client.connect(session.id, { name: 'Bob' });
  await bob.ready;
  let joins = 0;
  bob.on('user_joined', ({ name }) => (joins += name === 'Ada' ? 1 : 0));
  const { root, shown, draw } = mount(session.id);

  draw({ name: 'Ada' });
  await until(() => shown.seance?.state.status === 'open', 'it is in');
  const first = shown.seance!.connection;
  draw({ name: 'Ada' });
  await shown.seance!.send('Will it rain?');
  await until(() => texts()[0] === 'Will it rain?' && texts().length === 2, 'question and answer are rendered');
  await until(() => shown.spelt !== '', 'the planchette spells', 20_000);
  assert.equal(shown.seance!.connection, first);
  assert.deepEqual([joins, bob.state.participants.length], [1, 2]);

  draw({ name: 'Grace' });
  await until(() => bob.state.participants.some((one) => one.name === 'Grace'), 'another name is another connection');
  assert.notEqual(shown.seance!.connection, first);
  await until(() => bob.state.participants.length === 2, 'the first has left');

  root.unmount();
  await until(() => bob.state.participants.length === 1, 'the seat is free at once');
  await bob.leave();
});

test('a session that was left and is wanted again is joined anew', async () => {
  const { session } = await client.sessions.create({ name: 'Room', spirit: { mode: 'open', pace: 'brisk' } });
  const bob = client.connect(session.id, { name: 'Bob' });
  await bob.ready;
  const { root, shown, draw } = mount(session.id);
  draw({ name: 'Ada' });
  await until(() => shown.seance?.state.status === 'open', 'it is in');
  const first = shown.seance!.connection;

  draw({ name: 'Ada' }, null);
  await until(() => shown.seance!.connection === null && bob.state.participants.length === 1, 'it has left');
  draw({ name: 'Ada' });
  await until(() => shown.seance!.state.status === 'open', 'it is in again');
  assert.notEqual(shown.seance!.connection, first);
  assert.equal(bob.state.participants.length, 2);

  root.unmount();
  await until(() => bob.state.participants.length === 1, 'the seat is free again');
  await bob.leave();
});
