/** Connections to a real server, over a wire that works. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { NodeWebSocket } from '../src/node/index.js';
import { BoardPlayer, follow, positionAt, SeanceClient, SeanceError, type JoinOptions } from '../src/index.js';
import { check, until, Witness } from './support/checker.js';
import { Server } from './support/server.js';

let server: Server;
let client: SeanceClient;
before(async () => {
  server = await Server.start();
  client = new SeanceClient({ baseUrl: server.url });
});
after(() => server.stop());

const room = (mode: 'open' | 'off' = 'off') =>
  client.sessions.create({ name: 'Room', spirit: { mode, pace: 'brisk' } }).then(({ session, hostToken }) => ({
    id: session.id,
    host: { token: hostToken!, name: 'Host' } satisfies JoinOptions,
  }));

for (const [name, options] of Object.entries({ 'the platform': {}, Node: { WebSocket: NodeWebSocket } })) {
  test(`two people talk over the WebSocket of ${name}`, async () => {
    const { id } = await room();
    const [ada, bob] = ['Ada', 'Bob'].map((who) => client.connect(id, { name: who, ...options }));
    const seen = [new Witness(ada!), new Witness(bob!)];
    await Promise.all([ada!.ready, bob!.ready]);
    await until(() => ada!.state.participants.length === 2, 'both are there');
    bob!.typing();
    await until(() => ada!.state.typing.some((one) => one.name === 'Bob'), 'Bob types');
    await Promise.all([seen[0]!.say('hello'), seen[1]!.say('é'.repeat(300)), seen[0]!.say('third')]);
    const history = await check(server, id, seen);
    assert.equal(history.length, 3);
    assert.deepEqual(ada!.state.messages.map((one) => one.text), history.map((one) => one.text));
    assert.ok(ada!.clock.errorMs < 1_000 && Math.abs(ada!.clock.offsetMs) < 1_000);
    await bob!.leave();
    assert.equal(bob!.state.status, 'closed');
    await until(() => ada!.state.participants.length === 1, 'Bob has left');
    ada!.close();
  });
}

test('a guest with the same secret is the same participant', async () => {
  const { id } = await room();
  const first = client.connect(id, { name: 'Ada' });
  await first.ready;
  first.close();
  const again = client.connect(id, { name: 'Ada', userId: first.userId! });
  await again.ready;
  assert.equal(again.state.self!.user_id, first.state.self!.user_id);
  assert.equal(again.state.participants.length, 1);
  await again.leave();
});

test('the pace of messages is kept, and nothing is lost or overtaken', async () => {
  const { id } = await room();
  const ada = client.connect(id, { name: 'Ada' });
  const seen = new Witness(ada);
  let limited = 0;
  ada.on('error', (error) => (limited += error.code === 'RATE_LIMITED' ? 1 : 0));
  await Promise.all(Array.from({ length: 8 }, (_, i) => seen.say(`word ${i}`)));
  await check(server, id, [seen]);
  assert.ok(limited > 0);
  assert.deepEqual(ada.state.pending, []);
  await ada.leave();
});

test('what cannot be sent is refused, and the next goes', async () => {
  const { id } = await room();
  const ada = client.connect(id, { name: 'Ada' });
  const [long, blank, good] = await Promise.allSettled([ada.send('x'.repeat(501)), ada.send('  '), ada.send('good')]);
  assert.equal(long.status === 'rejected' && (long.reason as SeanceError).code, 'MESSAGE_TOO_LONG');
  assert.equal(blank.status === 'rejected' && (blank.reason as SeanceError).code, 'EMPTY_MESSAGE');
  assert.equal(good.status, 'fulfilled');
  const [same, twin] = [ada.send('once', { clientMsgId: 'x' }), ada.send('once', { clientMsgId: 'x' })];
  assert.equal(same, twin);
  assert.equal((await same).duplicate, false);
  assert.equal((await ada.send('once', { clientMsgId: 'x' })).duplicate, true);
  await assert.rejects(ada.send('other', { clientMsgId: 'x' }), { code: 'IDEMPOTENCY_CONFLICT' });
  await ada.leave();
  await assert.rejects(ada.send('late'), { code: 'CONNECTION_CLOSED' });
});

test('commands resolve when done and reject when refused', async () => {
  const { id, host } = await room();
  const mary = client.connect(id, host);
  const ada = client.connect(id, { name: 'Ada' });
  await Promise.all([mary.ready, ada.ready]);
  await assert.rejects(ada.updateSession({ name: 'Mine' }), { code: 'FORBIDDEN' });
  await mary.updateSession({ name: 'Attic' });
  await until(() => ada.state.session?.name === 'Attic', 'the name is told');
  const { id: message } = await ada.send('oops');
  await mary.deleteMessage(message);
  await until(() => ada.state.messages.length === 0, 'the message is gone');
  const late = client.connect(id, { name: 'Late' });
  await late.ready;
  assert.deepEqual(late.state.messages, []);
  const closed = new Promise<SeanceError | null>((resolve) => ada.on('closed', resolve));
  await mary.endSession();
  assert.deepEqual([(await closed)?.code, ada.state.closeCode, ada.state.session?.is_active], ['SESSION_ENDED', 4505, false]);
  await assert.rejects(client.connect(id, { name: 'Too late' }).ready, { code: 'SESSION_ENDED' });
});

test('the host sends somebody away, mutes somebody, and invites', async () => {
  const { id, host } = await room();
  const token = { token: host.token };
  const mary = client.connect(id, host);
  const ada = client.connect(id, { name: 'Ada' });
  const bob = client.connect(id, { name: 'Bob' });
  await Promise.all([mary.ready, ada.ready, bob.ready]);
  await client.sessions.mute(id, ada.state.self!.id, true, token);
  await assert.rejects(ada.send('mm'), { code: 'FORBIDDEN' });
  const sent = new Promise<SeanceError | null>((resolve) => bob.on('closed', resolve));
  await mary.kick(bob.state.self!.user_id);
  assert.deepEqual([(await sent)?.code, bob.state.closeCode], ['FORBIDDEN', 4503]);
  await until(() => mary.state.participants.length === 2, 'Bob is gone');
  await mary.updateSession({ access: 'invite' });
  await assert.rejects(client.connect(id, { name: 'Eve' }).ready, { code: 'SESSION_NOT_FOUND' });
  const { code: invite } = await client.sessions.createInvite(id, { max_uses: 1 }, token);
  assert.equal((await client.sessions.get(id, { invite })).id, id);
  const guest = client.connect(id, { name: 'Guest', invite });
  await guest.ready;
  await client.sessions.revokeInvite(id, invite, token);
  for (const connection of [mary, ada, guest]) connection.close();
});

test('into a locked room nobody new comes, and whoever sat there comes back', async () => {
  const { id, host } = await room();
  const mary = client.connect(id, host);
  const ada = client.connect(id, { name: 'Ada', userId: 'ada-who-was-there' });
  await Promise.all([mary.ready, ada.ready]);
  await assert.rejects(ada.updateSession({ is_locked: true }), { code: 'FORBIDDEN' });
  await mary.updateSession({ is_locked: true });
  await until(() => ada.state.session?.is_locked === true, 'the lock is told');
  assert.equal((await client.sessions.get(id)).is_locked, true);
  for (const role of ['participant', 'observer'] as const) {
    await assert.rejects(client.connect(id, { name: 'Eve', role }).ready, { code: 'FORBIDDEN', closeCode: 4501 });
  }
  await ada.leave();
  const again = client.connect(id, { name: 'Ada', userId: 'ada-who-was-there' });
  await again.ready;
  await mary.updateSession({ is_locked: false });
  const eve = client.connect(id, { name: 'Eve' });
  await eve.ready;
  for (const connection of [mary, again, eve]) connection.close();
});

test('a join that is refused for good says why', async () => {
  const nowhere = client.connect('00000000-0000-4000-8000-000000000000');
  await assert.rejects(nowhere.ready, { code: 'SESSION_NOT_FOUND', closeCode: 4506 });
  const { id } = await room();
  await assert.rejects(client.connect(id, { token: 'not.a.token' }).ready, { code: 'UNAUTHORIZED', closeCode: 4500 });
  await assert.rejects(client.connect(id, { name: 'n'.repeat(60) }).ready, { code: 'VALIDATION_ERROR' });
});

test('a token is renewed on the open socket, and before coming back', async () => {
  const { id } = await room();
  const own = new SeanceClient({ baseUrl: server.url });
  const { access, refresh } = await own.auth.guest('Ada');
  await own.setTokens({ access: `${access}x`, refresh }); // no longer good: 4500, renewed, back
  const ada = own.connect(id);
  await ada.ready;
  assert.notEqual((await own.tokens())!.access, `${access}x`);
  assert.equal(ada.state.self!.name, 'Ada');
  await ada.leave();
});

test('the frames come as an async iterator until the end', async () => {
  const { id, host } = await room();
  const mary = client.connect(id, host);
  const events: string[] = [];
  const reading = (async () => {
    for await (const frame of mary) events.push(frame.event);
  })();
  await mary.send('one');
  await mary.endSession();
  await reading;
  assert.deepEqual(
    events.filter((event) => event !== 'heartbeat'),
    ['user_joined', 'welcome', 'message_received', 'ack', 'session_ended'],
  );
});

test('the spirit answers, and every screen spells the same, a late one too', async () => {
  const { id } = await room('open');
  const look = (name: string) => {
    const connection = client.connect(id, { name });
    const player = new BoardPlayer({ now: () => connection.clock.now(), onFrame: ({ spelt: text }) => (last[name] = text) });
    follow(connection, player);
    return { connection, player };
  };
  const last: Record<string, string> = {};
  const ada = look('Ada');
  const phases: string[] = [];
  for (const event of ['spirit_thinking', 'spirit_move', 'spirit_response'] as const) {
    ada.connection.on(event, () => phases.at(-1) === event || phases.push(event));
  }
  const { seq } = await ada.connection.send('Will it rain?');
  await until(() => (ada.connection.state.spirit.board?.moves.length ?? 0) > 0, 'the planchette moves');
  const bob = look('Bob');
  await bob.connection.ready;
  await until(() => bob.player.position() !== null, 'the late one has moves');
  const now = [ada, bob].map(({ player }) => player.position()!.spelt);
  assert.ok(now[0]!.startsWith(now[1]!) || now[1]!.startsWith(now[0]!), `${now}`);
  await until(() => ada.connection.state.messages.some((one) => one.is_spirit), 'the answer is there');
  const answer = ada.connection.state.messages.find((one) => one.is_spirit)!;
  assert.ok('board_script' in answer && answer.seq > seq);
  const whole = positionAt(answer.board_script, Number.POSITIVE_INFINITY).spelt;
  await until(() => last['Ada'] === whole && last['Bob'] === whole, `both have spelt ${whole}`, 20_000);
  assert.equal(ada.connection.state.spirit.turn, null);
  assert.equal(phases[0], 'spirit_thinking');
  assert.ok(phases.includes('spirit_response'));
  await Promise.all([ada.connection.leave(), bob.connection.leave()]);
});
