/** Who sits at the table, who types, and which questions wait. */

import type { CircleTurn, ParticipantData, PersonRef, QuestionQueued, SpiritState } from '@seance/client';
import { button, h, Keyed, say, show } from './dom.js';
import { count } from './words.js';

/** One seat: a wax seal with a letter, and the name. */
interface Seat {
  person: ParticipantData;
  isSelf: boolean;
  types: boolean;
  /** In a circle: this one may ask now. */
  asks: boolean;
}

const MANY = 8; // people that one sees without counting

/** The row of seats. */
export class Seats {
  readonly element = h('ul', { class: 'seats', 'aria-label': 'At the table' });
  readonly #seats = new Keyed<Seat, HTMLLIElement>(this.element, ({ person }) => person.id, () => h('li'), fillSeat);
  #shown: Seat[] = [];

  set(people: readonly ParticipantData[], self: ParticipantData | null, typing: readonly PersonRef[], askingId?: string | null): void {
    this.#shown = people.map((person) => {
      const types = typing.some((one) => one.id === person.user_id);
      const seat = { person, isSelf: person.user_id === self?.user_id, types, asks: person.user_id === askingId };
      const before = this.#shown.find((one) => one.person === person);
      return before && before.isSelf === seat.isSelf && before.types === seat.types && before.asks === seat.asks ? before : seat;
    });
    this.#seats.set(this.#shown);
    this.element.classList.toggle('many', people.length > MANY);
    this.element.dataset['count'] = `${people.length} are here`;
  }
}

function fillSeat(element: HTMLLIElement, { person, isSelf, types, asks }: Seat): void {
  element.className = `seat hue-${hue(person.user_id)}${person.is_present ? '' : ' away'}${types ? ' types' : ''}${asks ? ' asks' : ''}`;
  const more = [isSelf && 'you', asks && 'may ask', person.role !== 'participant' && person.role, !person.is_present && 'away'].filter(Boolean).join(', ');
  element.replaceChildren(
    h('span', { class: 'seal', 'aria-hidden': 'true' }, [...person.name][0]?.toUpperCase() ?? '?'),
    h('span', { class: 'name', dir: 'auto' }, person.name),
    more ? h('small', {}, more) : '',
  );
}

/** One of six waxes, always the same for one person. */
function hue(id: string): number {
  return Number.parseInt(id.slice(-6), 16) % 6 || 0;
}

/** `Ada types …`, of everybody but oneself. */
export function typingLine(typing: readonly PersonRef[], selfId: string | undefined): string {
  const names = typing.filter((one) => one.id !== selfId).map((one) => one.name);
  if (names.length === 0) return '';
  if (names.length > 3) return 'Several write …';
  return `${names.join(', ')} ${names.length === 1 ? 'writes' : 'write'} …`;
}

/** A question that waits, and how many others it answers too. */
interface Row {
  one: QuestionQueued;
  more: number;
  question: string;
}

/** What the spirit is at: whose question, and what waits behind it. */
export class Turn {
  readonly element: HTMLElement;
  readonly #now = h('p', { class: 'asking', hidden: true });
  readonly #waiting = h('ol', { class: 'waiting', 'aria-label': 'Questions that wait' });
  readonly #rows: Keyed<Row, HTMLLIElement>;
  #shown: Row[] = [];

  constructor(
    private readonly mayCancel: (asker: PersonRef) => boolean,
    private readonly cancel: (turnId: string) => void,
    private readonly questionOf: (messageId: string) => string,
  ) {
    this.#rows = new Keyed<Row, HTMLLIElement>(this.#waiting, ({ one }) => one.turn_id, () => h('li'), (element, { one, more, question }) => {
      element.replaceChildren(
        h('span', {}, `${one.position === 1 ? 'Next' : `${one.position}.`} `, h('b', {}, one.asker.name), `: ${question || 'a question'}`, more > 0 ? ` · and ${count(more, 'more who asks it', 'more who ask it')}` : ''),
        this.mayCancel(one.asker) ? button('Withdraw', () => this.cancel(one.turn_id), { class: 'quiet' }) : '',
      );
    });
    this.element = h('div', { class: 'turn' }, this.#now, this.#waiting);
  }

  set({ turn, queue, merged }: SpiritState): void {
    this.#shown = queue.map((one) => {
      const more = merged.filter(({ into }) => into === one.turn_id).length;
      const question = this.questionOf(one.message_id);
      return this.#shown.find((row) => row.one === one && row.more === more && row.question === question) ?? { one, more, question };
    });
    this.#rows.set(this.#shown);
    show(this.#now, turn !== null);
    const key = turn?.turn_id ?? '';
    if (this.#now.dataset['turn'] === key) return;
    this.#now.dataset['turn'] = key;
    if (!turn) return this.#now.replaceChildren();
    const question = this.questionOf(turn.message_id);
    this.#now.replaceChildren(
      h('span', { class: 'ember', 'aria-hidden': 'true' }),
      h('span', {}, h('b', {}, turn.asker.name), question ? ` asks: ${question}` : ' has asked'),
      this.mayCancel(turn.asker) ? button('Let it be', () => this.cancel(turn.turn_id), { class: 'quiet' }) : '',
    );
  }
}

/** In a circle: whose turn it is to ask. The seconds are for the eye alone, and only while they are known. */
export class Circle {
  readonly element = h('p', { class: 'circle', hidden: true });
  #timer = 0;
  #seen: CircleTurn | null = null;

  /** `now` is the server's clock. */
  constructor(private readonly now: () => number) {}

  /** Null where there is no circle. */
  set(shown: { turn: CircleTurn | null; selfId: string | undefined } | null): void {
    show(this.element, shown !== null);
    const turn = shown?.turn ?? null;
    const isMine = turn !== null && turn.user.id === shown?.selfId;
    this.element.classList.toggle('mine', isMine);
    if (shown && !turn) say(this.element, 'Each in turn. Who may ask is told when it changes.');
    if (turn) say(this.element, isMine ? 'It is your turn to ask.' : `It is ${turn.user.name}’s turn to ask. Among yourselves you may talk.`);
    if (turn === this.#seen) return;
    this.#seen = turn;
    this.close();
    const left = (): void => {
      const seconds = turn ? Math.ceil((Date.parse(turn.until) - this.now()) / 1000) : 0;
      this.element.dataset['left'] = seconds > 0 ? ` ${seconds} s` : '';
    };
    left();
    if (turn) this.#timer = window.setInterval(left, 500);
  }

  close(): void {
    window.clearInterval(this.#timer);
  }
}

/** How the line is, in words; empty where all is well. */
export class Line {
  readonly element: HTMLElement;
  readonly #words = h('span');
  #timer = 0;

  constructor(retry: () => void) {
    this.element = h('div', { class: 'line-state', role: 'status', hidden: true }, this.#words, button('Try now', retry, { class: 'quiet' }));
  }

  set(status: string, retryAt: number | null): void {
    window.clearInterval(this.#timer);
    show(this.element, status === 'waiting' || status === 'connecting');
    const words = (): void => {
      const seconds = Math.max(0, Math.ceil(((retryAt ?? 0) - Date.now()) / 1000));
      // The seconds are for the eye alone: a counter that is read aloud hides everything else.
      say(this.#words, 'The line went quiet. What you write is kept.');
      this.#words.dataset['left'] = status === 'waiting' && seconds > 0 ? ` Again in ${seconds} s.` : ' Trying …';
    };
    if (status !== 'waiting' && status !== 'connecting') return;
    words();
    this.#timer = window.setInterval(words, 500);
  }
}
