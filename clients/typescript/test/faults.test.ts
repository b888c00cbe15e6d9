/** What can go wrong between a client and a server, on a real wire, with the checker at the end of each. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SeanceClient, type JoinOptions } from '../src/index.js';
import { NodeWebSocket } from '../src/node/index.js';
import { check, judge, until, Witness } from './support/checker.js';
import { Proxy } from './support/proxy.js';
import { Server } from './support/server.js';

const FAST: JoinOptions = { backoff: { minMs: 20, maxMs: 200 }, ackTimeoutMs: 1_000, silenceMs: 500, joinTimeoutMs: 2_000 };

let server: Server;
let wire: Proxy;
let straight: SeanceClient;
let open: Witness[] = [];
before(async () => {
  const settings = { RATE_LIMITS_ENABLED: 'false', HEARTBEAT_SECONDS: '1', RESUME_MAX_EVENTS: '20', DRAIN_SECONDS: '2' };
  server = await Server.start(settings);
  straight = new SeanceClient({ baseUrl: server.url });
});
after(() => server.stop());
beforeEach(async () => {
  wire = await Proxy.start(server.port);
});
afterEach(async () => {
  for (const { connection } of open) connection.close();
  open = [];
  await wire.stop();
});

/** A room, one person on the wire that breaks, and one on a wire that holds. */
async function room(options: JoinOptions = FAST) {
  const { session } = await straight.sessions.create({ name: 'Room', spirit: { mode: 'off' } });
  const broken = new SeanceClient({ baseUrl: wire.url });
  const ada = new Witness(broken.connect(session.id, { name: 'Ada', ...options }));
  const bob = new Witness(straight.connect(session.id, { name: 'Bob', ...FAST }));
  open = [ada, bob];
  await Promise.all(open.map(({ connection }) => connection.ready));
  return { id: session.id, ada, bob };
}

for (const [name, how] of Object.entries({ 'the platform': {}, Node: { WebSocket: NodeWebSocket } })) {
  test(`an ack that is cut off does not store a message twice, on the WebSocket of ${name}`, async () => {
    const { id, ada, bob } = await room({ ...FAST, ...how });
    for (let i = 0; i < 20; i += 1) {
      // The first in half of the rounds is the message's own event, in the others the ack behind it.
      wire.cutBefore = i % 2 ? '"event":"ack"' : '"event":"message_received"';
      const { cuts } = wire;
      await Promise.all([ada.say(`word ${i}`), bob.say(`answer ${i}`)]);
      if (i % 2) await until(() => wire.cuts > cuts, 'the wire was cut');
      await until(() => ada.connection.state.status === 'open', 'back again');
    }
    assert.equal((await check(server, id, [ada, bob])).length, 40);
    assert.ok(wire.cuts >= 10, `${wire.cuts} cuts, ${ada.duplicates} duplicates`);
  });
}

test('the judge sees what is lost, doubled, out of order, or acknowledged in vain', async () => {
  const { id, ada, bob } = await room();
  for (let i = 0; i < 4; i += 1) await Promise.all([ada.say(`a ${i}`), bob.say(`b ${i}`)]);
  await check(server, id, [ada, bob]);
  const { receipts, acks } = ada;
  const doctored = async (name: string, harm: () => void) => {
    const kept = [[...receipts], [...acks]] as const;
    harm();
    assert.notEqual(await judge(server, id, [ada, bob]), '', `${name} went through`);
    await assert.rejects(check(server, id, [ada, bob]), name);
    receipts.splice(0, receipts.length, ...kept[0]);
    acks.splice(0, acks.length, ...kept[1]);
  };
  await doctored('lost', () => receipts.splice(2, 1));
  await doctored('doubled', () => receipts.splice(2, 0, receipts[2]!));
  await doctored('out of order', () => receipts.splice(2, 2, receipts[3]!, receipts[2]!));
  await doctored('another text', () => (receipts[3] = [receipts[3]![0], receipts[3]![1], receipts[3]![2], receipts[3]![3], 'no']));
  await doctored('acknowledged in vain', () => (acks[0] = { ...acks[0]!, seq: acks[0]!.seq + 1 }));
  await check(server, id, [ada, bob]);
});

test('a connection that breaks in the middle of a burst misses nothing', async () => {
  const { id, ada, bob } = await room({ ...FAST, batch: true });
  for (let round = 0; round < 8; round += 1) {
    wire.cutAfterBytes = 200 + Math.floor(Math.random() * 2_500);
    await Promise.all(Array.from({ length: 12 }, (_, i) => (i % 4 ? bob : ada).say(`${round}.${i}`)));
  }
  assert.equal((await check(server, id, [ada, bob])).length, 96);
  assert.ok(wire.cuts >= 4, `${wire.cuts} cuts`);
});

test('a slow wire keeps the order', async () => {
  const { id, ada, bob } = await room({ ...FAST, ackTimeoutMs: 100 });
  wire.delayMs = 150; // each message is sent again before its ack can be here
  await Promise.all(Array.from({ length: 12 }, (_, i) => (i % 2 ? ada : bob).say(`word ${i}`)));
  wire.delayMs = 0;
  await sleep(200);
  assert.ok(ada.duplicates > 0, 'nothing was sent twice');
  await check(server, id, [ada, bob]);
});

test('a dead line is noticed, and made anew', async () => {
  const { id, ada, bob } = await room();
  wire.isBlocked = true;
  const waits = Promise.all([ada.say('into the void'), bob.say('out here')]);
  await until(() => ada.connection.state.status !== 'open', 'the silence is noticed', 6_000);
  wire.cut();
  wire.isBlocked = false;
  await waits;
  await check(server, id, [ada, bob]);
});

test('a server that is killed and started again on its database loses nothing', async () => {
  const { id, ada, bob } = await room();
  const talk = async (who: Witness, name: string) => {
    for (let i = 0; i < 30; i += 1) await Promise.all([who.say(`${name} ${i}`), sleep(15)]);
  };
  const talking = Promise.all([talk(ada, 'Ada'), talk(bob, 'Bob')]);
  await sleep(200);
  await server.kill('SIGKILL');
  await until(() => ada.connection.state.status !== 'open' && bob.connection.state.status !== 'open', 'both noticed');
  await server.run();
  await talking;
  assert.equal((await check(server, id, [ada, bob])).length, 60);
});

test('what could not be sent before the session ended is not lost from sight', async () => {
  const { session, hostToken } = await straight.sessions.create({ name: 'Room', spirit: { mode: 'off' } });
  const ada = new Witness(new SeanceClient({ baseUrl: wire.url }).connect(session.id, { name: 'Ada', ...FAST }));
  open = [ada];
  await ada.connection.ready;
  await ada.say('before');
  wire.isDown = true;
  wire.cut();
  await until(() => ada.connection.state.status === 'waiting', 'the line is gone');
  const late = Promise.all([ada.say('too late'), ada.say('later still')]);
  await straight.sessions.end(session.id, { token: hostToken! });
  wire.isDown = false;
  await late;
  const { status, pending, unsent, error } = ada.connection.state;
  assert.deepEqual([status, pending, error?.code], ['closed', [], 'SESSION_ENDED']);
  assert.deepEqual(unsent.map(({ text }) => text), ['too late', 'later still']);
  assert.equal(ada.refused.length, 2);
  const { messages } = await straight.sessions.historyPage(session.id);
  assert.deepEqual(messages.map(({ text }) => text), ['before']);
});

test('a server that drains is obeyed, and come back to', async () => {
  const { id, ada, bob } = await room();
  const told: number[] = [];
  const waits: (number | null)[] = [];
  for (const { connection } of [ada, bob]) {
    connection.on('goodbye', ({ reconnect_after_ms }) => told.push(reconnect_after_ms));
    connection.on('disconnected', ({ code, retryInMs }) => code === 4006 && waits.push(retryInMs));
  }
  await ada.say('before');
  await server.kill('SIGTERM');
  assert.deepEqual([told.length, waits.toSorted()], [2, told.toSorted()]);
  await server.run();
  await Promise.all([ada.say('after'), bob.say('all')]);
  await check(server, id, [ada, bob]);
});

test('who missed more than can be replayed reads the history', async () => {
  const { id, ada, bob } = await room();
  const gone: string[] = [];
  await ada.say('first');
  const { id: shown } = await bob.connection.send('to be deleted');
  bob.sent.push('to be deleted');
  await until(() => ada.connection.state.messages.length === 2, 'both are here');
  let resync: unknown;
  ada.connection.on('resync', (what) => (resync = what));
  wire.isDown = true;
  wire.cut();
  for (let i = 0; i < 30; i += 1) await bob.say(`while away ${i}`);
  await bob.connection.deleteMessage(shown);
  wire.isDown = false;
  await ada.say('back');
  assert.deepEqual(resync, { reason: 'too_far_behind', complete: true });
  assert.ok(!ada.connection.state.messages.some((message) => message.id === shown));
  assert.deepEqual(
    ada.connection.state.messages.map((message) => message.text),
    bob.connection.state.messages.map((message) => message.text),
  );
  // The checker compares with the history, in which the deleted message is no more.
  for (const witness of [ada, bob]) {
    gone.push(...witness.heard.splice(witness.heard.findIndex((one) => one.id === shown), 1).map((one) => one.text));
    witness.sent.splice(0, witness.sent.length, ...witness.sent.filter((text) => text !== 'to be deleted'));
  }
  assert.deepEqual(gone, ['to be deleted', 'to be deleted']);
  await check(server, id, [ada, bob]);
});
