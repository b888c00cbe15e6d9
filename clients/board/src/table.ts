/** Who sits at the table, who types, and which questions wait. */

import type { ParticipantData, PersonRef, QuestionQueued, SpiritState } from '@seance/client';
import { button, h, Keyed, say, show } from './dom.js';

/** One seat: a wax seal with a letter, and the name. */
interface Seat {
  person: ParticipantData;
  isSelf: boolean;
  types: boolean;
}

/** The row of seats. */
export class Seats {
  readonly element = h('ul', { class: 'seats', 'aria-label': 'At the table' });
  readonly #seats = new Keyed<Seat, HTMLLIElement>(this.element, ({ person }) => person.id, () => h('li'), fillSeat);
  #shown: Seat[] = [];

  set(people: readonly ParticipantData[], self: ParticipantData | null, typing: readonly PersonRef[]): void {
    this.#shown = people.map((person) => {
      const seat = { person, isSelf: person.user_id === self?.user_id, types: typing.some((one) => one.id === person.user_id) };
      const before = this.#shown.find((one) => one.person === person);
      return before && before.isSelf === seat.isSelf && before.types === seat.types ? before : seat;
    });
    this.#seats.set(this.#shown);
  }
}

function fillSeat(element: HTMLLIElement, { person, isSelf, types }: Seat): void {
  element.className = `seat hue-${hue(person.user_id)}${person.is_present ? '' : ' away'}${types ? ' types' : ''}`;
  const more = [isSelf && 'you', person.role !== 'participant' && person.role, !person.is_present && 'away'].filter(Boolean).join(', ');
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

/** What the spirit is at: whose question, and what waits behind it. */
export class Turn {
  readonly element: HTMLElement;
  readonly #now = h('p', { class: 'asking', hidden: true });
  readonly #waiting = h('ol', { class: 'waiting', 'aria-label': 'Questions that wait' });
  readonly #rows: Keyed<QuestionQueued, HTMLLIElement>;

  constructor(
    private readonly mayCancel: (asker: PersonRef) => boolean,
    private readonly cancel: (turnId: string) => void,
    private readonly questionOf: (messageId: string) => string,
  ) {
    this.#rows = new Keyed<QuestionQueued, HTMLLIElement>(this.#waiting, (one) => one.turn_id, () => h('li'), (element, one) => {
      element.replaceChildren(
        h('span', {}, `${one.position === 1 ? 'Next' : `${one.position}.`} `, h('b', {}, one.asker.name), `: ${this.questionOf(one.message_id) || 'a question'}`),
        this.mayCancel(one.asker) ? button('Withdraw', () => this.cancel(one.turn_id), { class: 'quiet' }) : '',
      );
    });
    this.element = h('div', { class: 'turn' }, this.#now, this.#waiting);
  }

  set({ turn, queue }: SpiritState): void {
    this.#rows.set(queue);
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
