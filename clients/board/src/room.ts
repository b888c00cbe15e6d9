/** The live room: one connection, and everything that shows it. */

import type { Connection, Layout, Message, PersonRef, SeanceClient, SessionState, SpiritCard } from '@seance/client';
import { alarm, tell } from './announce.js';
import { Composer } from './composer.js';
import { button, h, say, show } from './dom.js';
import { Held } from './held.js';
import { HostSheet } from './host.js';
import { downloads } from './past.js';
import { shareDialog } from './share.js';
import { Sound } from './sound.js';
import { Stage } from './stage.js';
import { Circle, Line, Seats, Turn, typingLine } from './table.js';
import { Talk, isAnswer, type Note } from './talk.js';
import type { NotSent, Unsent } from './unsent.js';
import { PROMPTS } from './words.js';

/** What a room is made of. */
export interface RoomParts {
  connection: Connection;
  client: SeanceClient;
  layout: Layout;
  spirits: readonly SpiritCard[];
  notSent: NotSent;
  /** Get up, and go to the door. */
  leave: () => void;
}

/** The screen of a session that goes on. `draft` is what stands in the field; `close` lets go of what the room holds. */
export function room({ connection, client, layout, spirits, notSent, leave }: RoomParts): { element: HTMLElement; draft(): Unsent[]; close(): void } {
  const sound = new Sound();
  const stage = new Stage(layout, sound);
  const held = new Held(() => connection.clock.now(), (answer) => {
    stage.voice(answer.text);
    voiced = turns.get(answer.id) ?? '';
    sound.toll();
    tell(`The spirit says: ${answer.text}`);
    draw();
  });
  let voiced = ''; // the turn whose answer stands below the board
  const turns = new Map<string, string>(); // message → the turn that it was asked, or answered, in
  const earlier: Message[] = [];
  const notes: Note[] = [];
  let hasEarlier = false;
  const state = (): SessionState => connection.state;
  const isHost = (): boolean => state().self?.role === 'host';
  const isMe = (asker: PersonRef): boolean => asker.id === state().self?.user_id;
  const talkIsOwn = (message: Message): boolean => message.user_id !== null && message.user_id === state().self?.user_id;
  const attempt = (work: Promise<unknown>): void => void work.catch((error: Error) => alarm(error.message));

  // --- Parts ------------------------------------------------------------------------------------------------------

  const title = h('h1', { class: 'session-name', dir: 'auto', tabindex: -1 });
  const lockSign = h('span', { class: 'tag lock', hidden: true }, 'locked');
  const share = shareDialog(client, () => state().session!, isHost);
  const host = new HostSheet(connection, client, spirits);
  const soundButton = button('Sound', () => void sound.toggle().then((on) => soundButton.setAttribute('aria-pressed', String(on))), {
    'aria-pressed': 'false',
    class: 'tool sound',
  });
  const hostButton = button('Host', () => host.open(state()), { class: 'tool' });
  const shareButton = button('Invite', () => share.open(), { class: 'tool main' });
  const line = new Line(() => connection.retryNow());
  const seats = new Seats();
  const circle = new Circle(() => connection.clock.now());
  const typing = h('p', { class: 'typing' });
  const find = (id: string): Message | undefined => [...earlier, ...state().messages].find((one) => one.id === id);
  const turn = new Turn(
    (asker) => isHost() || isMe(asker),
    (turnId) => attempt(connection.cancelQuestion(turnId)),
    (messageId) => find(messageId)?.text ?? '',
  );
  const talk = new Talk({
    isOwn: talkIsOwn,
    remove: (message) =>
      isHost() || talkIsOwn(message)
        ? () => attempt(connection.deleteMessage(message.id))
        : null,
    askAgain: (message) => {
      const turnId = turns.get(message.id);
      const asked = message.in_reply_to === null ? undefined : find(message.in_reply_to);
      const may = isHost() || (asked !== undefined && asked.user_id === state().self?.user_id);
      return isAnswer(message) && turnId && may ? () => attempt(connection.askAgain(turnId)) : null;
    },
    replay: () => null, // the board belongs to what happens now
  }, 'Nothing was said yet. Ask, or invite the others.');
  talk.onearlier = () => void readEarlier();
  const composer = new Composer({
    send: (text, options) =>
      connection.send(text, options).catch((error: unknown) => {
        if (state().status !== 'closed') throw error; // else it is in `state.unsent`, and kept
      }),
    typing: () => connection.typing(),
    refused: (text) => notSent.keep([unsent(text)]),
  });
  const over = h('div', { class: 'over', hidden: true });
  const nowhere = h('p', { class: 'watching', hidden: true }, 'You watch. To speak, come back with a seat.');

  const element = h(
    'div',
    { class: 'room' },
    h(
      'header',
      { class: 'bar' },
      h('a', { class: 'brand', href: '/board/', 'aria-label': 'Séance, to the beginning' }, 'Séance'),
      title,
      lockSign,
      h('div', { class: 'tools' }, shareButton, hostButton, soundButton, button('Leave', () => void depart(), { class: 'tool' })),
    ),
    line.element,
    h(
      'main',
      { id: 'content', class: 'table' },
      h('section', { class: 'scene', 'aria-label': 'The board' }, stage.element, turn.element),
      h('section', { class: 'talk', 'aria-label': 'The table' }, seats.element, talk.element, typing, nowhere, circle.element, notSent.element, composer.element, over),
    ),
    share.element,
    host.element,
  );

  // --- What happens -----------------------------------------------------------------------------------------------

  function note(text: string): void {
    const id = `n-${notes.length}`;
    notes.push({ id, seq: state().messages.at(-1)?.seq ?? 0, text });
    tell(text);
    draw();
  }

  const spelt: string[] = [];
  let moving = ''; // the turn whose moves came last
  stage.onletter = (glyph) => spelt.push(glyph);
  stage.onend = (turnId) => {
    if (spelt.length > 0) tell(`The planchette spelt: ${spelt.splice(0).join(' ')}.`);
    held.release(turnId);
    draw();
  };
  const merged = new Set<string>(); // that a question is merged may be told before the question itself
  const tellMerged = (messageId: string): void => {
    const asked = find(messageId);
    if (!asked || !merged.delete(messageId)) return;
    const whose = talkIsOwn(asked) ? 'Your question' : `${asked.user_name ?? 'Someone'}’s question`;
    note(`${whose} is answered together with one that waits.`);
  };
  const wasHere = new Set<string>();
  let wasLocked = state().session?.is_locked;
  const stops = [
    connection.on('state', () => draw()),
    connection.on('user_joined', ({ id, name }) => {
      if (id !== state().self?.user_id && !wasHere.has(id)) note(`${name} sat down.`);
      wasHere.add(id);
    }),
    connection.on('user_left', ({ id, name, reason }) => {
      wasHere.delete(id);
      note(reason === 'kicked' ? `${name} was sent away.` : `${name} got up.`);
    }),
    connection.on('welcome', ({ participants }) => {
      for (const one of participants) wasHere.add(one.user_id);
      wasLocked = state().session?.is_locked;
      held.found(state().messages);
    }),
    connection.on('message_received', (message) => {
      tellMerged(message.id);
      if (message.user_id !== state().self?.user_id) tell(`${message.user_name ?? 'Someone'}: ${message.text}`);
    }),
    connection.on('spirit_thinking', ({ turn_id, message_id, asker }) => {
      turns.set(message_id, turn_id);
      tell(`The spirit listens to ${asker.name}.`);
    }),
    connection.on('spirit_move', (moves) => {
      held.moves(moves);
      // Of a new answer only: a move that is late comes behind the text of its own.
      if (moves.turn_id !== moving && moves.turn_id !== voiced) stage.voice('');
      moving = moves.turn_id;
    }),
    connection.on('spirit_response', (answer) => {
      if (answer.turn_id) turns.set(answer.id, answer.turn_id);
      held.hold(answer);
    }),
    connection.on('spirit_failed', () => note('The spirit did not answer.')),
    connection.on('spirit_cancelled', () => note('A question was let be.')),
    connection.on('status', (status) => {
      if (status === 'waiting') {
        alarm('The connection was lost. It comes back by itself.');
      }
      if (status === 'open') tell('Connected.');
    }),
    connection.on('question_withdrawn', () => note('A question was withdrawn.')),
    connection.on('question_merged', ({ message_id }) => {
      merged.add(message_id);
      tellMerged(message_id);
    }),
    connection.on('circle_turn', ({ user }) => tell(isMe(user) ? 'It is your turn to ask.' : `It is ${user.name}’s turn to ask.`)),
    connection.on('error', ({ code, details, message }) => {
      const asked = code === 'QUEUE_FULL' && details ? find(String(details['message_id'])) : undefined;
      if (asked) note(`“${asked.text}” stays unanswered. ${message}`);
    }),
    connection.on('session_updated', ({ session: { is_locked: isLocked } }) => {
      if (isLocked !== wasLocked) note(isLocked ? 'The room was locked: nobody new comes in.' : 'The room was unlocked.');
      wasLocked = isLocked;
    }),
    connection.on('session_ended', () => farewell()),
  ];

  function farewell(): void {
    const { session } = state();
    if (!session || !over.hidden) return;
    const again = h('a', { class: 'button main', href: `/board/${session.id}` }, 'Look back');
    over.replaceChildren(h('h2', {}, 'The séance is over'), h('p', {}, 'The candles are out. What was said can still be read, and played again.'), again, downloads(client, session));
    show(over, true);
    show(composer.element, false);
    alarm('The séance is over.');
    again.focus();
  }

  async function readEarlier(): Promise<void> {
    const first = earlier[0] ?? state().messages[0];
    if (!first) return;
    try {
      const page = await client.sessions.historyPage(state().session!.id, { before_seq: first.seq, limit: 50 });
      earlier.unshift(...page.messages);
      hasEarlier = page.has_more;
      draw();
    } catch (error) {
      alarm((error as Error).message);
    }
  }

  async function depart(): Promise<void> {
    await connection.leave();
    leave();
  }

  let isFirst = true;
  let planned = 0;
  function draw(): void {
    planned ||= requestAnimationFrame(() => {
      planned = 0;
      paint();
    });
  }

  function paint(): void {
    const { session, self, participants, messages, pending, spirit, limits, status, retryAt } = state();
    if (!session) return;
    say(title, session.name);
    document.title = `${session.name} · Séance`;
    if (isFirst) {
      isFirst = false;
      hasEarlier = messages.length >= 50;
      title.focus({ preventScroll: true });
    }
    const ended = !session.is_active;
    line.set(ended ? 'closed' : status, retryAt);
    show(hostButton, isHost() && !ended);
    show(shareButton, !ended);
    show(lockSign, session.is_locked && !ended);
    seats.set(participants, self, state().typing, spirit.circle?.user.id);
    circle.set(ended || session.spirit.mode !== 'circle' ? null : { turn: spirit.circle, selfId: self?.user_id });
    say(typing, typingLine(state().typing, self?.user_id));
    turn.set(spirit);
    stage.element.classList.toggle('listening', spirit.turn !== null && spirit.board?.turn_id !== spirit.turn.turn_id);
    const shown = [...earlier, ...messages].filter((message) => !held.has(message.id));
    talk.set(shown, pending, notes, hasEarlier);
    notSent.said(messages);
    const watches = self?.role === 'observer';
    show(nowhere, watches && !ended);
    show(composer.element, !watches && !ended);
    composer.set(PROMPTS[session.spirit.mode] ?? 'Say something …', limits?.text_max ?? 500, status !== 'closed');
    if (host.element.open) host.set(state());
  }

  // A reload forgets what waits: the next page says so.
  const going = (): void => notSent.keep(state().pending);
  window.addEventListener('pagehide', going);
  stage.follow(connection);
  held.found(state().messages);
  if (state().spirit.board) held.moves({ ...state().spirit.board!, moves: [...state().spirit.board!.moves] });
  draw();
  return {
    element,
    draft: () => (composer.draft ? [unsent(composer.draft)] : []),
    close() {
      window.removeEventListener('pagehide', going);
      for (const stop of stops) stop();
      stage.close();
      held.close();
      circle.close();
      cancelAnimationFrame(planned);
    },
  };
}

function unsent(text: string): Unsent {
  return { client_msg_id: `d-${Date.now()}-${Math.random()}`, text };
}
