/** What needs neither a server nor a socket. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerClock, backoffMs, BoardPlayer, comesBack, durationOf, positionAt, SeanceError, linear } from '../src/index.js';
import type { Move, Position, Tokens } from '../src/index.js';
import { verdictOf } from '../src/closes.js';
import { TokenKeeper } from '../src/tokens.js';
import { EMPTY, reduce } from '../src/state.js';
import { FakePlatform } from './support/fakes.js';

const move = (i: number, t_ms: number, x: number, glyph: string | null, kind: Move['kind'] = 'glyph'): Move => ({
  i, kind, glyph, x, y: 640, t_ms, travel_ms: kind === 'pause' || kind === 'nudge' ? 0 : 100, dwell_ms: 200, src: [i, i + 1],
});
const SCRIPT = {
  moves: [move(0, 0, 900, 'H'), move(1, 300, 1_000, 'I'), move(2, 600, 1_000, null, 'pause'), move(3, 800, 1_100, 'A'), move(4, 1_100, 1_100, 'A', 'nudge'), move(5, 1_300, 800, null, 'rest')],
};

test('the wait is between half a second and a ceiling that doubles', () => {
  assert.deepEqual([0, 1, 2, 9].map((attempt) => backoffMs(attempt, () => 0)), [500, 500, 500, 500]);
  assert.deepEqual([0, 1, 5, 99].map((attempt) => backoffMs(attempt, () => 1)), [1_000, 2_000, 30_000, 30_000]);
  assert.equal(backoffMs(1, () => 0.5), 1_250);
});

test('the range of a close code says whether to come back', () => {
  assert.deepEqual([1006, 1011, 1012, 4008, 4444].map(comesBack), [true, true, true, true, true]);
  assert.deepEqual([1000, 1007, 1009, 4500, 4777].map(comesBack), [false, false, false, false, false]);
});

test('a join that was doubled on its way is no refusal, and one that was refused for its fields is', () => {
  const said = (code: string) => verdictOf(1006, 'no welcome', new SeanceError(code, 'said', { retryable: code === 'UNAVAILABLE' }), false).next;

  assert.deepEqual(['FORBIDDEN', 'VALIDATION_ERROR', 'UNAVAILABLE'].map(said), ['retry', 'end', 'retry']);
  assert.equal(verdictOf(4501, '', new SeanceError('FORBIDDEN', 'said'), false).next, 'end');
});

test('the server clock is that of the fastest answer', () => {
  const platform = new FakePlatform();
  const clock = new ServerClock(platform.now);
  const ahead = 5_000;
  const ask = (there: number, back: number) => {
    const sentAt = platform.time;
    const told = new Date(platform.time + there + ahead).toISOString();
    platform.time += there + back;
    clock.sample(told, sentAt);
  };
  ask(10, 190);
  assert.deepEqual([clock.offsetMs, clock.errorMs], [ahead - 90, 100]);
  ask(11, 9);
  assert.deepEqual([clock.offsetMs, clock.now() - platform.time], [ahead + 1, ahead + 1]);
  ask(500, 10);
  assert.equal(clock.offsetMs, ahead + 1);
  clock.expire();
  ask(40, 60);
  assert.equal(clock.offsetMs, ahead - 10);
});

test('the planchette is where the script says', () => {
  const at = (t: number) => positionAt(SCRIPT, t, { easing: linear });
  assert.deepEqual([at(-1).phase, at(-1).x], ['before', 800]);
  assert.deepEqual([at(50).phase, at(50).x, at(50).glyph], ['travel', 850, null]);
  assert.deepEqual([at(100).phase, at(100).x, at(100).glyph, at(100).spelt], ['dwell', 900, 'H', 'H']);
  assert.equal(at(700).spelt, 'HI');
  assert.deepEqual([at(1_150).move?.kind, at(1_150).spelt], ['nudge', 'HI AA']);
  assert.deepEqual([at(Infinity).phase, at(Infinity).x, at(Infinity).spelt], ['done', 800, 'HI AA']);
  assert.equal(durationOf(SCRIPT), 1_600);
  for (let t = 0, before = at(0); t < 1_700; t += 7) {
    const now = at(t);
    assert.ok(Math.hypot(now.x - before.x, now.y - before.y) <= 25, `no jump at ${t}`);
    assert.ok(now.spelt.startsWith(before.spelt));
    before = now;
  }
  assert.deepEqual([positionAt({ moves: [] }, 5).phase, positionAt({ moves: [] }, 5).spelt], ['before', '']);
});

/** A player whose frames come every 16 ms of a clock of the test's own. */
function stage(instant = false) {
  const platform = new FakePlatform();
  const shown: Position[] = [];
  const ended: string[] = [];
  const player = new BoardPlayer({
    now: platform.now,
    onFrame: (position) => shown.push(position),
    onEnd: (id) => ended.push(id),
    requestFrame: (work) => {
      const timer = platform.setTimeout(work, 16);
      return () => platform.clearTimeout(timer);
    },
    instant,
  });
  const batch = (from: number, to: number, turn_id = 'turn', starts = 1_000) => ({
    turn_id, starts_at: new Date(start + starts).toISOString(), moves: SCRIPT.moves.slice(from, to),
  });
  const start = platform.time;
  return { platform, player, shown, ended, batch };
}

test('batches are played on the clock of the server, doubled and late ones too', async () => {
  const { platform, player, shown, ended, batch } = stage();
  player.feed(batch(0, 2));
  await platform.advance(1_400);
  assert.deepEqual([player.position()!.spelt, player.position()!.glyph], ['HI', 'I']);
  await platform.advance(1_000); // the next batch is late
  player.feed(batch(1, 6));
  assert.equal(player.position()!.spelt, 'HI AA');
  await platform.advance(1_000);
  assert.deepEqual([shown.at(-1)!.phase, ended], ['done', ['turn']]);
  const count = shown.length;
  await platform.advance(5_000);
  assert.equal(shown.length, count); // nothing moves, nothing is asked for
});

test('a late joiner is at the same letter', async () => {
  const [early, late] = [stage(), stage()];
  early.player.feed(early.batch(0, 6));
  await Promise.all([early.platform.advance(1_850), late.platform.advance(1_850)]);
  late.player.feed(late.batch(0, 6));
  assert.deepEqual(late.player.position(), early.player.position());
});

test('the next script begins where the one before it ended, and not before its time', async () => {
  const { platform, player, shown, batch } = stage();
  player.feed(batch(0, 6, 'one', 0));
  player.feed(batch(0, 6, 'two', 2_000));
  await platform.advance(1_900);
  assert.equal(player.position()!.phase, 'done');
  await platform.advance(250);
  assert.deepEqual([player.position()!.spelt, shown.at(-1)!.phase], ['H', 'dwell']);
});

test('the end of a script is told once, also where the next one begins at that moment', async () => {
  const { platform, player, ended, batch } = stage();
  player.feed(batch(0, 6, 'one', 0));
  player.feed(batch(0, 6, 'two', 1_600));
  await platform.advance(1_700);
  assert.deepEqual(ended, ['one']);
  await platform.advance(2_000);
  assert.deepEqual(ended, ['one', 'two']);
});

test('a paused replay goes on where it stood, a paused live script where the others are', async () => {
  const { platform, player } = stage();
  player.play(SCRIPT);
  await platform.advance(400);
  player.pause();
  await platform.advance(10_000);
  assert.equal(player.position()!.spelt, 'HI');
  player.resume();
  await platform.advance(100);
  assert.equal(player.position()!.glyph, 'I');
  const live = stage();
  live.player.feed(live.batch(0, 6, 'turn', 0));
  await live.platform.advance(400);
  live.player.pause();
  await live.platform.advance(800);
  assert.equal(live.player.position()!.spelt, 'HI');
  live.player.resume();
  assert.equal(live.player.position()!.spelt, 'HI AA');
});

test('instant shows the end at once, and a cancelled script is gone', async () => {
  const { player, shown, ended } = stage(true);
  player.play(SCRIPT);
  assert.deepEqual([shown.length, shown[0]!.spelt, ended], [1, 'HI AA', ['replay']]);
  const { platform, player: other, ended: gone, batch } = stage();
  other.feed(batch(0, 6, 'turn', 0));
  await platform.advance(200);
  other.cancel('turn');
  assert.deepEqual([other.position(), gone], [null, ['turn']]);
});

test('tokens are renewed one at a time, and forgotten when they are worth nothing', async () => {
  const saved: (Tokens | null)[] = [];
  const store = { load: () => null, save: (tokens: Tokens | null) => void saved.push(tokens) };
  let exchanges = 0;
  let fail = false;
  const keeper = new TokenKeeper({ access: 'a0', refresh: 'r0' }, store, async (refresh) => {
    exchanges += 1;
    await new Promise((resolve) => setImmediate(resolve));
    if (fail) throw new SeanceError('UNAUTHORIZED', 'used up', { status: 401 });
    return { access: `a${exchanges}`, refresh: `${refresh}+` };
  });
  assert.deepEqual(await Promise.all([keeper.renew('a0'), keeper.renew('a0'), keeper.renew('a0')]), ['a1', 'a1', 'a1']);
  assert.equal(await keeper.renew('a0'), 'a1'); // somebody renewed it already
  assert.equal(exchanges, 1);
  fail = true;
  await assert.rejects(keeper.renew('a1'), { code: 'UNAUTHORIZED' });
  assert.deepEqual([await keeper.get(), saved.at(-1)], [null, null]);
});

test('the snapshot follows presence, questions and the planchette', () => {
  const who = { id: 'u', participant_id: 'p', name: 'Ada', joined_at: '', role: 'participant' };
  const events: [string, object][] = [
    ['user_joined', who],
    ['user_joined', { ...who, name: 'Countess' }],
    ['user_typing', { users: [{ id: 'u', name: 'Countess' }], user: 'Countess' }],
    ['question_queued', { turn_id: 'b', message_id: 'm2', asker: who, position: 2 }],
    ['question_queued', { turn_id: 'a', message_id: 'm1', asker: who, position: 1 }],
    ['spirit_thinking', { turn_id: 'a', message_id: 'm1', asker: who, persona: 'x' }],
    ['spirit_move', { turn_id: 'a', starts_at: 's', moves: SCRIPT.moves.slice(0, 3) }],
    ['spirit_move', { turn_id: 'a', starts_at: 's', moves: SCRIPT.moves.slice(2, 6) }],
    ['spirit_voice', { turn_id: 'a', text: 'Yes.' }],
    ['spirit_voice', { turn_id: 'a', text: 'It will.' }],
    ['never heard of', {}],
  ];
  const state = events.reduce((before, [event, data]) => reduce(before, event, data), EMPTY);
  assert.deepEqual(state.participants.map((one) => one.name), ['Countess']);
  assert.deepEqual([state.spirit.turn?.turn_id, state.spirit.queue.map((one) => one.turn_id), state.spirit.voice], ['a', ['b'], 'Yes. It will.']);
  assert.deepEqual(state.spirit.board?.moves.map((one) => one.i), [0, 1, 2, 3, 4, 5]);
  const after = reduce(reduce(state, 'spirit_cancelled', { turn_id: 'a', message_id: 'm1', by: null }), 'user_left', { ...who, reason: 'left' });
  assert.deepEqual([after.spirit.turn, after.spirit.board, after.participants, after.typing], [null, null, [], []]);
  assert.equal(reduce(state, 'never heard of', {}), state);
});
