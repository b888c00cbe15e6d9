/** REST against a real server. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SeanceClient, SeanceError, type Tokens } from '../src/index.js';
import { Server } from './support/server.js';

let server: Server;
before(async () => {
  server = await Server.start({ RATE_LIMITS_ENABLED: 'false' });
});
after(() => server.stop());

const open = (tokens?: Tokens) => new SeanceClient({ baseUrl: server.url, ...(tokens ? { tokens } : {}) });
const refused = (code: string, status: number) => (error: unknown) =>
  error instanceof SeanceError && error.code === code && error.status === status;

test('a session is opened, changed, listed and ended', async () => {
  const client = open();
  await client.auth.guest('Ada');
  const { session, hostToken } = await client.sessions.create({ name: 'Parlour', is_listed: true, spirit: { mode: 'off' } });
  assert.equal(hostToken, undefined);
  assert.equal((await client.sessions.update(session.id, { name: 'Salon' })).name, 'Salon');
  const page = await client.sessions.list({ search: 'salon', per_page: 5 });
  assert.deepEqual([page.total, page.items[0]!.id, page.per_page], [1, session.id, 5]);
  assert.equal((await client.sessions.end(session.id)).is_active, false);
  await assert.rejects(client.sessions.update(session.id, { name: 'Late' }), refused('SESSION_ENDED', 409));
  assert.equal((await client.sessions.get(session.id)).name, 'Salon');
});

test('without a token a host token comes with the session, and is good for one call', async () => {
  const client = open();
  const { session, hostToken } = await client.sessions.create({ name: 'Open' });
  await assert.rejects(client.sessions.end(session.id), refused('UNAUTHORIZED', 401));
  assert.equal((await client.sessions.end(session.id, { token: hostToken! })).is_active, false);
});

test('the history is read to its end, piece by piece', async () => {
  const client = open();
  await client.auth.guest('Ada');
  const { session } = await client.sessions.create({ name: 'Long', spirit: { mode: 'off' } });
  for (let i = 0; i < 7; i += 1) await client.sessions.postMessage(session.id, { text: `word ${i}` });
  const texts: string[] = [];
  for await (const message of client.sessions.history(session.id, { limit: 3 })) texts.push(message.text);
  assert.deepEqual(texts, Array.from({ length: 7 }, (_, i) => `word ${i}`));
  const page = await client.sessions.historyPage(session.id, { limit: 2 });
  assert.deepEqual([page.messages.length, page.has_more, page.last_seq], [2, true, 7]);
});

test('a message is posted once, and deleted', async () => {
  const client = open();
  await client.auth.guest('Ada');
  const { session } = await client.sessions.create({ name: 'Once', spirit: { mode: 'off' } });
  const said = { text: 'hello', client_msg_id: 'one' };
  const first = await client.sessions.postMessage(session.id, said);
  const again = await client.sessions.postMessage(session.id, said);
  assert.deepEqual([first.duplicate, again.duplicate, again.message.id], [false, true, first.message.id]);
  const other = { text: 'other', client_msg_id: 'one' };
  await assert.rejects(client.sessions.postMessage(session.id, other), refused('IDEMPOTENCY_CONFLICT', 409));
  assert.match(await client.sessions.transcript(session.id), /hello/);
  assert.match(client.sessions.transcriptUrl(session.id, 'html'), /transcript\?format=html$/);
  assert.notEqual((await client.sessions.deleteMessage(session.id, first.message.id)).deleted_at, null);
  assert.deepEqual(await client.sessions.participants(session.id), []);
});

test('errors say what was wrong', async () => {
  const client = open();
  const error = await client.sessions.create({ name: ' ' }).catch((found: SeanceError) => found);
  assert.ok(error instanceof SeanceError);
  assert.deepEqual([error.code, error.status, error.retryable], ['VALIDATION_ERROR', 400, false]);
  assert.ok(Array.isArray(error.details['name']));
  assert.ok(error.requestId);
  await assert.rejects(client.sessions.get('nothing'), refused('SESSION_NOT_FOUND', 404));
  await assert.rejects(client.auth.me(), refused('UNAUTHORIZED', 401));
  const nowhere = new SeanceClient({ baseUrl: 'http://127.0.0.1:9' });
  await assert.rejects(nowhere.sessions.list(), refused('NETWORK_ERROR', 0));
  const gone = AbortSignal.abort();
  await assert.rejects(client.sessions.list({}, { signal: gone }), refused('ABORTED', 0));
});

test('an account registers, logs in, renames and erases itself', async () => {
  const client = open();
  const email = 'ada@example.org';
  const password = 'a long enough phrase';
  assert.equal((await client.auth.register({ email, password, name: 'Ada' }))?.user.is_guest, false);
  await client.auth.revoke();
  assert.equal(await client.tokens(), null);
  await assert.rejects(client.auth.logIn({ email, password: 'not this one' }), refused('UNAUTHORIZED', 401));
  await client.auth.logIn({ email, password });
  assert.equal((await client.auth.updateMe({ name: 'Countess' })).name, 'Countess');
  await client.auth.eraseMe();
  await assert.rejects(client.auth.logIn({ email, password }), refused('UNAUTHORIZED', 401));
});

test('many calls with an expired token renew it once', async () => {
  let renewals = 0;
  const counting: typeof fetch = (input, init) => {
    if (String(input).endsWith('/token/refresh')) renewals += 1;
    return fetch(input, init);
  };
  const client = new SeanceClient({ baseUrl: server.url, fetch: counting });
  const { refresh } = await client.auth.guest('Ada');
  await client.setTokens({ access: 'not.a.token', refresh });
  const names = await Promise.all(Array.from({ length: 10 }, async () => (await client.auth.me()).name));
  assert.deepEqual([new Set(names), renewals], [new Set(['Ada']), 1]);
  await client.auth.refresh();
  assert.equal(renewals, 2);
  // The first refresh token was used up: whoever tries it again loses everything that came of it.
  await client.setTokens({ access: 'not.a.token', refresh });
  await assert.rejects(client.auth.me(), refused('UNAUTHORIZED', 401));
  assert.equal(await client.tokens(), null);
});

test('spirits and boards are there', async () => {
  const client = open();
  const [first] = await client.spirits.list();
  assert.equal((await client.spirits.get(first!.slug)).slug, first!.slug);
  const layout = await client.layouts.get('classic-en@1');
  assert.deepEqual(layout.glyphs['G'], { x: 800, y: 300 });
});
