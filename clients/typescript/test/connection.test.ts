/** The life of a connection, with a clock and a server of the test's own. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeanceError } from '../src/index.js';
import { fakeConnection, FakeSocket, settle } from './support/fakes.js';

async function joined(seq = 0, options = {}) {
  const parts = fakeConnection(options);
  parts.connection.start();
  await settle();
  FakeSocket.last.welcome(seq);
  return parts;
}

test('it joins, and comes back with its position', async () => {
  const { connection, platform, heard } = await joined(4, { name: 'Ada', userId: 'secret' });
  assert.deepEqual(FakeSocket.last.sent[0], { event: 'join_session', ref: 'join', data: { user_id: 'secret', name: 'Ada' } });
  FakeSocket.last.message(5);
  FakeSocket.last.end(1006);
  assert.equal(connection.state.status, 'waiting');
  await platform.advance(750);
  assert.equal(FakeSocket.made.length, 2);
  const again = FakeSocket.last;
  again.welcome(9);
  assert.deepEqual(again.sent[0]!.data['resume'], { epoch: 'e', after_seq: 5 });
  assert.equal(connection.state.status, 'connecting');
  again.message(6);
  again.message(9); // 7 and 8 were deleted: a replay leaves them out
  again.say('resumed', { from: 5, to: 9, count: 2 });
  assert.equal(connection.state.status, 'open');
  again.message(10);
  assert.deepEqual(heard, [5, 6, 9, 10]);
});

test('a replay that is not whole is asked for again, and nothing of it is handed on', async () => {
  const { connection, platform, heard } = await joined(4);
  FakeSocket.last.end(1006);
  await platform.advance(1_000);
  const short = FakeSocket.last;
  short.welcome(7);
  short.message(5);
  short.message(5);
  short.message(7); // 6 was dropped on the way: it is no deleted one, since three were sent
  short.say('resumed', { from: 4, to: 7, count: 3 });
  assert.deepEqual([heard, short.closedWith], [[], 3000]);
  await platform.advance(2_000);
  const whole = FakeSocket.last;
  whole.welcome(7);
  assert.deepEqual(whole.sent[0]!.data['resume'], { epoch: 'e', after_seq: 4 });
  for (const seq of [6, 5, 7]) whole.message(seq);
  whole.say('resumed', { from: 4, to: 7, count: 3 });
  assert.deepEqual([heard, connection.state.status], [[5, 6, 7], 'open']);
});

test('a replay without an end, and events without a welcome, are given up', async () => {
  const { connection, platform, heard } = await joined(4, { joinTimeoutMs: 2_000 });
  FakeSocket.last.end(1006);
  await platform.advance(1_000);
  FakeSocket.last.welcome(6);
  await platform.advance(1_500);
  FakeSocket.last.message(5); // still alive
  await platform.advance(1_500);
  assert.equal(connection.state.status, 'connecting');
  await platform.advance(600);
  assert.equal(connection.state.status, 'waiting');
  await platform.advance(2_000);
  FakeSocket.last.message(5);
  assert.deepEqual([heard, FakeSocket.last.closedWith], [[], 3000]);
});

test('copies of the welcome and of the join change nothing', async () => {
  const { connection } = await joined(4);
  FakeSocket.last.welcome(9);
  FakeSocket.last.say('error', { code: 'FORBIDDEN', message: 'twice', retryable: false }, { ref: 'join' });
  assert.deepEqual([connection.state.status, connection.position.seq], ['open', 4]);
  FakeSocket.last.end(1006);
  assert.equal(connection.state.status, 'waiting');
});

test('in a circle a question out of turn is refused, and the next message goes', async () => {
  const { connection } = await joined(0);
  const [early, aside] = [connection.send('me first', { clientMsgId: 'a' }), connection.send('psst', { clientMsgId: 'b', offRecord: true })];
  FakeSocket.last.say('error', { code: 'NOT_YOUR_TURN', message: 'no', retryable: true }, { ref: 'a' });
  await assert.rejects(early, { code: 'NOT_YOUR_TURN', retryable: true });
  FakeSocket.last.say('ack', { id: 'i', seq: 1, client_msg_id: 'b', duplicate: false }, { ref: 'b' });
  await aside;
});

test('the snapshot knows whose turn it is, and which questions share an answer', async () => {
  const { connection } = fakeConnection();
  const spirit = () => connection.state.spirit;
  connection.start();
  await settle();
  const queue = [{ turn_id: 't3', message_id: 'm3', asker: { id: 'u', name: 'Ada' }, position: 1 }];
  const merged = [{ turn_id: 't5', message_id: 'm5', into: 't3' }];
  const circle = { user: { id: 'u', name: 'Grace' }, until: '2026-11-22T09:00:45Z' };
  FakeSocket.last.welcome(0, { spirit: { turn: null, queue, merged, circle } });
  assert.deepEqual([spirit().queue, spirit().merged, spirit().circle], [queue, merged, circle]);
  FakeSocket.last.say('circle_turn', { user: { id: 'u', name: 'Ada' }, until: '2026-11-22T09:00:45Z' });
  assert.equal(spirit().circle?.user.name, 'Ada');
  FakeSocket.last.say('session_updated', { session: { spirit: { mode: 'open' } } }, { seq: 1 });
  assert.equal(spirit().circle, null);
  FakeSocket.last.say('question_merged', { turn_id: 't2', message_id: 'm2', into: 't1' });
  FakeSocket.last.say('question_merged', { turn_id: 't4', message_id: 'm4', into: 't3' });
  FakeSocket.last.say('spirit_failed', { turn_id: 't1', message_id: 'm1', code: 'QUEUE_EXPIRED' }, { seq: 2 });
  assert.deepEqual(spirit().merged.map((one) => one.turn_id), ['t5', 't4']);
});

test('an event that is here already is dropped, and a hole makes it fetch', async () => {
  const { connection, platform, heard } = await joined(0);
  const gaps: unknown[] = [];
  connection.on('gap', (gap) => gaps.push(gap));
  const first = FakeSocket.last;
  first.message(1);
  first.message(1);
  first.message(4);
  assert.deepEqual([heard, gaps, first.closedWith], [[1], [{ after: 1, got: 4 }], 3000]);
  first.message(2); // nobody hears this socket any more
  await platform.advance(1_000);
  FakeSocket.last.welcome(4);
  for (const seq of [2, 3, 4]) FakeSocket.last.message(seq);
  FakeSocket.last.say('resumed', { from: 1, to: 4, count: 3 });
  assert.deepEqual(heard, [1, 2, 3, 4]);
});

test('a tail that never comes is noticed by the heartbeat', async () => {
  const { connection, platform } = await joined(3);
  const socket = FakeSocket.last;
  const [beat] = socket.of('heartbeat');
  assert.deepEqual(beat!.data, { last_seq: 3 });
  socket.say('heartbeat', { seq: 5, server_time: '2026-11-22T09:00:01Z' }, { ref: beat!.ref! });
  await platform.advance(2_900);
  assert.equal(connection.state.status, 'open');
  await platform.advance(200);
  assert.equal(connection.state.status, 'waiting');
});

test('it beats every heartbeat_ms, and silence ends the socket', async () => {
  const { connection, platform } = await joined(0);
  const socket = FakeSocket.last;
  for (let i = 0; i < 3; i += 1) {
    const beat = socket.of('heartbeat').at(-1)!;
    await platform.advance(20);
    socket.say('heartbeat', { seq: 0, server_time: '2026-11-22T09:00:01Z' }, { ref: beat.ref! });
    await platform.advance(14_980);
  }
  assert.equal(socket.of('heartbeat').length, 4);
  await platform.advance(10_000);
  assert.equal(connection.state.status, 'waiting');
});

test('goodbye says when to come back', async () => {
  const { connection, platform } = await joined(0);
  FakeSocket.last.say('goodbye', { reason: 'draining', reconnect_after_ms: 7_000, last_seq: 0 });
  FakeSocket.last.end(4006);
  await platform.advance(6_990);
  assert.equal(FakeSocket.made.length, 1);
  await platform.advance(20);
  assert.equal(FakeSocket.made.length, 2);
  assert.equal(connection.state.status, 'connecting');
});

for (const [code, back] of [[1001, true], [1006, true], [1012, true], [4000, true], [4002, true], [4499, true], [4500, false], [4503, false], [4999, false]] as const) {
  test(`close code ${code} ${back ? 'comes back' : 'is for good'}`, async () => {
    const { connection } = await joined(0);
    const waiting = connection.send('unsent');
    waiting.catch(() => undefined);
    FakeSocket.last.end(code);
    assert.equal(connection.state.status, back ? 'waiting' : 'closed');
    if (!back) await assert.rejects(waiting, (error: SeanceError) => error.closeCode === code);
  });
}

test('failures in a row wait longer, up to the ceiling', async () => {
  const { connection, platform } = await joined(0);
  platform.chance = 0.999999;
  const waits: (number | null)[] = [];
  connection.on('disconnected', ({ retryInMs }) => waits.push(retryInMs));
  for (let i = 0; i < 7; i += 1) {
    FakeSocket.last.end(1006);
    await platform.advance(waits.at(-1)!);
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('what has no ack is sent again with the same id, in order, one at a time', async () => {
  const { connection, platform } = await joined(0);
  const [one, two] = [connection.send('one'), connection.send('two')];
  const first = FakeSocket.last;
  assert.deepEqual(first.of('send_message').map((frame) => frame.data['text']), ['one']);
  FakeSocket.last.end(1006);
  await platform.advance(1_000);
  const again = FakeSocket.last;
  again.welcome(0);
  assert.deepEqual(again.of('send_message'), []);
  again.say('resumed', { from: 0, to: 0, count: 0 });
  const [resent] = again.of('send_message');
  assert.deepEqual(resent, first.of('send_message')[0]);
  const ack = (ref: string, seq: number) => ({ id: `id-${seq}`, seq, client_msg_id: ref, duplicate: false });
  again.say('ack', ack(resent!.ref!, 1), { ref: resent!.ref! });
  assert.equal((await one).seq, 1);
  const next = again.of('send_message').at(-1)!;
  assert.equal(next.data['text'], 'two');
  again.say('error', { code: 'RATE_LIMITED', message: '', retryable: true, retry_after_ms: 800 }, { ref: next.ref! });
  await platform.advance(790);
  assert.equal(again.of('send_message').length, 2);
  await platform.advance(20);
  assert.equal(again.of('send_message').length, 3);
  await platform.advance(10_000); // no ack in time
  assert.equal(again.of('send_message').length, 4);
  again.say('ack', ack(next.ref!, 2), { ref: next.ref! });
  assert.equal((await two).seq, 2);
});

test('a message is pending or said, never both', async () => {
  const { connection } = await joined(0);
  const shown = new Set<number>();
  let isStored = false;
  connection.subscribe(() => shown.add(connection.state.pending.length + connection.state.messages.length));
  const sent = connection.send('hello', { clientMsgId: 'a' }).then(() => (isStored = true));
  FakeSocket.last.message(1, 'hello', { user_id: 'me', client_msg_id: 'a' });
  await settle();
  assert.deepEqual([connection.state.pending, connection.state.messages.length, isStored], [[], 1, false]);
  FakeSocket.last.say('ack', { id: 'id-1', seq: 1, client_msg_id: 'a', duplicate: false }, { ref: 'a' });
  await sent;
  assert.deepEqual([...shown], [1]);
});

test('what was said and not acknowledged before the end is unsent, and not pending any more', async () => {
  const { connection } = await joined(0);
  const said = [connection.send('one', { clientMsgId: 'a' }), connection.send('two', { clientMsgId: 'b', offRecord: true })];
  said.push(connection.send('three', { clientMsgId: 'c' }));
  const refused = Promise.allSettled(said);
  const shown = new Set<number>();
  FakeSocket.last.message(1, 'one', { user_id: 'me', client_msg_id: 'a' });
  connection.subscribe(() => shown.add(connection.state.pending.length + connection.state.unsent.length));
  FakeSocket.last.end(4505);
  const [one, ...others] = await refused;
  assert.deepEqual([one!.status, ...others.map((other) => other.status === 'rejected' && other.reason.code)], ['fulfilled', 'SESSION_ENDED', 'SESSION_ENDED']);
  assert.deepEqual(connection.state.pending, []);
  assert.deepEqual(connection.state.unsent, [
    { client_msg_id: 'b', text: 'two', off_record: true },
    { client_msg_id: 'c', text: 'three', off_record: false },
  ]);
  assert.deepEqual([...shown], [2]);
});

test('a message that comes back in a replay needs no ack', async () => {
  const { connection, platform } = await joined(0);
  const sent = connection.send('one', { clientMsgId: 'x' });
  FakeSocket.last.end(1006);
  await platform.advance(1_000);
  FakeSocket.last.welcome(1);
  FakeSocket.last.message(1, 'one', { user_id: 'me', client_msg_id: 'x' });
  FakeSocket.last.say('resumed', { from: 0, to: 1, count: 1 });
  assert.deepEqual(await sent, { id: 'id-1', seq: 1, client_msg_id: 'x', duplicate: false });
  assert.deepEqual(FakeSocket.last.of('send_message'), []);
});

test('a notice to the author in place of an ack rejects, and the next goes', async () => {
  const { connection } = await joined(0);
  const [bad, good] = [connection.send('hm', { clientMsgId: 'a' }), connection.send('fine', { clientMsgId: 'b' })];
  FakeSocket.last.say('safety_notice', { kind: 'crisis', text: 'You are not alone.', links: [] }, { ref: 'a' });
  await assert.rejects(bad, { code: 'WITHHELD', message: 'You are not alone.' });
  FakeSocket.last.say('ack', { id: 'i', seq: 1, client_msg_id: 'b', duplicate: false }, { ref: 'b' });
  await good;
});

test('another log replaces what is shown', async () => {
  const { connection, platform, heard } = await joined(0);
  FakeSocket.last.message(1);
  FakeSocket.last.end(1006);
  await platform.advance(1_000);
  const resyncs: unknown[] = [];
  connection.on('resync', (what) => resyncs.push(what));
  FakeSocket.last.welcome(3, { epoch: 'other', recent: [{ id: 'n', seq: 3, text: 'new' }] });
  FakeSocket.last.say('resync_required', { reason: 'epoch_changed' });
  await settle();
  FakeSocket.last.message(4);
  assert.deepEqual(resyncs, [{ reason: 'epoch_changed', complete: false }]);
  assert.deepEqual(connection.state.messages.map((one) => one.seq), [3, 4]);
  assert.deepEqual([heard, connection.position], [[1, 4], { epoch: 'other', seq: 4 }]);
});

test('another log on a socket that stays open is begun anew by another socket', async () => {
  const { connection, platform, heard } = await joined(0);
  for (const seq of [1, 2, 3]) FakeSocket.last.message(seq);
  FakeSocket.last.say('resync_required', { reason: 'epoch_changed' });
  FakeSocket.last.message(2);
  await platform.advance(1_000);
  assert.equal(FakeSocket.made.length, 2);
  FakeSocket.last.welcome(2, { epoch: 'other', recent: [{ id: 'n', seq: 2, text: 'new' }] });
  FakeSocket.last.say('resync_required', { reason: 'epoch_changed' });
  await settle();
  FakeSocket.last.message(3);
  assert.deepEqual(connection.state.messages.map((one) => one.seq), [2, 3]);
  assert.deepEqual([heard, connection.position], [[1, 2, 3, 3], { epoch: 'other', seq: 3 }]);
});

test('a token is renewed in band before it runs out', async () => {
  const asked: (string | undefined)[] = [];
  const token = (stale?: string) => (asked.push(stale), stale === undefined ? 'old' : 'new');
  await joined(0, { token });
  assert.equal(FakeSocket.last.sent[0]!.data['token'], 'old');
  FakeSocket.last.say('token_expiring', { expires_in_ms: 60_000 });
  await settle();
  assert.deepEqual([asked, FakeSocket.last.of('refresh_token')[0]!.data], [[undefined, 'old'], { token: 'new' }]);
});

test('an expired token is renewed once, and then it is for good', async () => {
  const { connection } = await joined(0, { token: (stale?: string) => (stale ? 'new' : 'old') });
  FakeSocket.last.end(4001);
  await settle();
  assert.equal(FakeSocket.made.length, 2);
  FakeSocket.last.onopen?.();
  assert.equal(FakeSocket.last.sent[0]!.data['token'], 'new');
  FakeSocket.last.say('error', { code: 'UNAUTHORIZED', message: 'no', retryable: false }, { ref: 'join' });
  FakeSocket.last.end(4500);
  await settle();
  assert.deepEqual([connection.state.status, connection.state.error?.code], ['closed', 'UNAUTHORIZED']);
});

test('a listener that throws disturbs nobody', async (t) => {
  const { connection, heard } = await joined(0);
  const later: (() => void)[] = [];
  t.mock.method(globalThis, 'queueMicrotask', (work: () => void) => later.push(work));
  connection.on('message_received', () => {
    throw new Error('mine');
  });
  FakeSocket.last.message(1);
  assert.throws(() => later[0]!(), { message: 'mine' });
  assert.deepEqual(heard, [1]);
});

test('a command that is never answered rejects, on a line that lives', async () => {
  const { connection, platform } = await joined(0, { commandTimeoutMs: 5_000 });
  const ends: string[] = [];
  for (const command of [connection.kick('u'), connection.endSession()]) {
    command.then(() => ends.push('done'), (error: SeanceError) => ends.push(error.code));
  }
  await platform.advance(4_999);
  assert.deepEqual(ends, []);
  await platform.advance(1);
  assert.deepEqual(ends, ['TIMEOUT', 'TIMEOUT']);
  const { ref } = FakeSocket.last.of('kick_user')[0]!;
  FakeSocket.last.say('heartbeat', { seq: 0, server_time: '2026-11-22T09:00:01Z' }, { ref: `${ref}-done` });
  assert.equal(connection.state.status, 'open');

  const later = connection.kick('u');
  FakeSocket.last.say('error', { code: 'FORBIDDEN', message: 'No.', retryable: false }, { ref: FakeSocket.last.of('kick_user')[1]!.ref! });
  await assert.rejects(later, { code: 'FORBIDDEN' });
});

test('leaving ends when the server closes, after two seconds without it, and by a close meanwhile', async () => {
  const leaving = async () => {
    const { connection, platform } = await joined(0);
    let isDone = false;
    void connection.leave().then(() => (isDone = true));
    assert.equal(FakeSocket.last.of('leave_session').length, 1);
    return { connection, platform, isDone: () => isDone };
  };

  const heard = await leaving();
  FakeSocket.last.end(1000);
  await settle();
  assert.deepEqual([heard.isDone(), heard.connection.state.status], [true, 'closed']);

  const unheard = await leaving();
  await unheard.platform.advance(1_999);
  assert.deepEqual([unheard.isDone(), unheard.connection.state.status], [false, 'open']);
  await unheard.platform.advance(1);
  assert.deepEqual([unheard.isDone(), unheard.connection.state.status], [true, 'closed']);

  const closed = await leaving();
  closed.connection.close();
  await settle();
  assert.deepEqual([closed.isDone(), closed.connection.state.status], [true, 'closed']);
});

test('typing is told every three seconds at most', async () => {
  const { connection, platform } = await joined(0);
  for (let i = 0; i < 10; i += 1) {
    connection.typing();
    await platform.advance(500);
  }
  connection.typing(false);
  connection.typing(false);
  assert.deepEqual(FakeSocket.last.of('typing').map((frame) => frame.data['is_typing']), [true, true, false]);
});
