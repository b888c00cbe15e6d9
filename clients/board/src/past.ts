/** A séance that is over: what was said, the board that spells it again, and the transcript to take along. */

import type { AnswerData, Layout, Message, SeanceClient, SessionData, TranscriptFormat } from '@seance/client';
import { alarm, tell } from './announce.js';
import { button, h, say } from './dom.js';
import { Sound } from './sound.js';
import { Stage } from './stage.js';
import { Talk, isAnswer } from './talk.js';
import { NotSent } from './unsent.js';
import { day, sentence } from './words.js';

const FORMATS: readonly [TranscriptFormat, string][] = [
  ['txt', 'Text'],
  ['md', 'Markdown'],
  ['html', 'HTML'],
  ['json', 'JSON'],
];
const BETWEEN_MS = 1_300; // between two messages of a replay, however long it was in truth
const READ_MS = 45; // more for each character

/** Buttons that download the transcript. Read with the token, so that closed sessions have theirs too. */
export function downloads(client: SeanceClient, session: SessionData): HTMLElement {
  const take = async (format: TranscriptFormat): Promise<void> => {
    try {
      const text = await client.sessions.transcript(session.id, format);
      const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
      h('a', { href: url, download: `seance-${session.id}.${format}` }).click();
      window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      alarm(sentence(error));
    }
  };
  const buttons = FORMATS.map(([format, words]) => button(words, () => void take(format), { class: 'quiet', 'aria-label': `Transcript as ${words}` }));
  return h('div', { class: 'downloads' }, h('span', {}, 'Transcript'), ...buttons);
}

/** The screen of an ended session. */
export function past(client: SeanceClient, session: SessionData, layout: Layout, messages: readonly Message[]): { element: HTMLElement; close(): void } {
  const sound = new Sound();
  const stage = new Stage(layout, sound);
  const player = stage.rehearse();
  const notSent = new NotSent(session.id);
  notSent.said(messages);
  const title = h('h1', { class: 'session-name', dir: 'auto', tabindex: -1 }, session.name);
  const where = h('p', { class: 'where', 'aria-hidden': 'true' });
  let at = -1; // the message that is played; -1 where nothing is
  let timer = 0;
  let isPaused = false;
  let goesOn = false;

  const talk = new Talk({
    isOwn: () => false,
    remove: () => null,
    askAgain: () => null,
    replay: (message) => () => {
      halt();
      goesOn = false;
      begin(messages.indexOf(message));
    },
  }, 'Nothing was said.');
  const playButton = button('Play it again', () => (at < 0 || !goesOn ? (halt(), (goesOn = true), begin(0)) : pause()), { class: 'main play' });
  const stopButton = button('Stop', () => (halt(), stage.clear()), { class: 'quiet' });
  const soundButton = button('Sound', () => void sound.toggle().then((on) => soundButton.setAttribute('aria-pressed', String(on))), {
    'aria-pressed': 'false',
    class: 'tool sound',
  });

  stage.onend = () => {
    const message = messages[at];
    if (!message) return;
    stage.voice(message.text);
    sound.toll();
    tell(`The spirit says: ${message.text}`);
    after(message);
  };

  function begin(index: number): void {
    const message = messages[index];
    if (!message) return halt();
    at = index;
    label();
    talk.mark(message);
    say(where, `${index + 1} of ${messages.length}`);
    if (isAnswer(message)) {
      if (message.board_script.duration_ms > 0) return stage.replay(message.board_script, `${message.id}-${Date.now()}`);
      stage.clear();
      stage.voice((message as AnswerData).text);
    } else {
      stage.clear();
      stage.voice('');
      say(where, `${message.user_name ?? 'Someone'}: ${message.text}`);
    }
    tell(isAnswer(message) ? `The spirit says: ${message.text}` : `${message.user_name ?? 'Someone'}: ${message.text}`);
    after(message);
  }

  function after(message: Message): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (isPaused) timer = 0;
      else if (goesOn) begin(at + 1);
      else halt();
    }, BETWEEN_MS + READ_MS * message.text.length);
  }

  function pause(): void {
    isPaused = !isPaused;
    if (isPaused) player.pause();
    else {
      player.resume();
      if (timer === 0) begin(at + 1);
    }
    label();
  }

  function halt(): void {
    window.clearTimeout(timer);
    timer = 0;
    at = -1;
    if (isPaused) player.resume();
    isPaused = goesOn = false;
    talk.mark(null);
    say(where, '');
    label();
  }

  function label(): void {
    say(playButton, at < 0 || !goesOn ? 'Play it again' : isPaused ? 'Go on' : 'Pause');
    stopButton.disabled = at < 0;
  }

  const element = h(
    'div',
    { class: 'room past' },
    h(
      'header',
      { class: 'bar' },
      h('a', { class: 'brand', href: '/board/', 'aria-label': 'Séance, to the beginning' }, 'Séance'),
      title,
      h('div', { class: 'tools' }, soundButton, h('a', { class: 'button tool main', href: '/board/' }, 'Begin another')),
    ),
    h(
      'main',
      { id: 'content', class: 'table' },
      h('section', { class: 'scene', 'aria-label': 'The board' }, stage.element, h('div', { class: 'player' }, where, h('div', { class: 'row' }, playButton, stopButton))),
      h(
        'section',
        { class: 'talk', 'aria-label': 'What was said' },
        h('p', { class: 'ended' }, `This séance is over. It was held on ${day(session.created_at)}.`),
        talk.element,
        notSent.element,
        downloads(client, session),
      ),
    ),
  );
  talk.set(messages, [], [], false);
  label();
  document.title = `${session.name} · Séance`;
  playButton.disabled = messages.length === 0;
  return { element, close: () => (halt(), stage.close()) };
}
