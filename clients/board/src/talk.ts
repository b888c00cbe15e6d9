/** What was said: messages, what still waits to be sent, and who came and went in between. */

import type { AnswerData, Message, PendingMessage } from '@seance/client';
import { button, h, Keyed, show } from './dom.js';
import { clock } from './words.js';

/** A line that is no message: somebody came, a question was withdrawn. `seq` is the message it stands behind. */
export interface Note {
  id: string;
  seq: number;
  text: string;
}

/** What can be done with a message; null for what may not. */
export interface Deeds {
  remove(message: Message): (() => void) | null;
  replay(message: AnswerData): (() => void) | null;
  askAgain(message: Message): (() => void) | null;
  isOwn(message: Message): boolean;
}

type Line =
  | { kind: 'message'; message: Message }
  | { kind: 'note'; note: Note }
  | { kind: 'pending'; pending: PendingMessage };

const NEAR_END = 80; // pixels: who is as near to the end as this is carried along

/** A message of the spirit. */
export function isAnswer(message: Message): message is AnswerData {
  return message.is_spirit;
}

/** The list. */
export class Talk {
  readonly element: HTMLElement;
  readonly #list = h('ol', { class: 'lines' });
  readonly #earlier = button('Earlier', () => this.onearlier(), { class: 'quiet earlier', hidden: true });
  readonly #scroller: HTMLElement;
  readonly #still: HTMLElement;
  readonly #lines: Keyed<Line, HTMLLIElement>;
  #known = new Map<string, Line>();
  #isAtEnd = true;
  onearlier: () => void = () => undefined;

  /** `still` is shown while nothing was said. */
  constructor(
    private readonly deeds: Deeds,
    still: string,
  ) {
    this.#still = h('p', { class: 'still', hidden: true }, still);
    this.#lines = new Keyed<Line, HTMLLIElement>(this.#list, keyOf, () => h('li'), (element, line) => this.#fill(element, line));
    // Announced by the page's own live region, and only what is new.
    this.#scroller = h('div', { class: 'scroller', role: 'log', 'aria-live': 'off', 'aria-label': 'What was said', tabindex: 0 }, this.#earlier, this.#still, this.#list);
    this.element = this.#scroller;
    this.#scroller.addEventListener('scroll', () => (this.#isAtEnd = this.#left() < NEAR_END), { passive: true });
    // The place gets smaller where a keyboard or a farewell comes up: whoever was at the end stays there.
    new ResizeObserver(() => this.#isAtEnd && this.#toEnd()).observe(this.#scroller);
  }

  #left(): number {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #toEnd(): void {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Show these, and keep the place: at the end, or where somebody reads. */
  set(messages: readonly Message[], pending: readonly PendingMessage[], notes: readonly Note[], hasEarlier: boolean): void {
    const lines: Line[] = [];
    const rest = [...notes];
    for (const message of messages) {
      while (rest[0] && rest[0].seq < message.seq) lines.push({ kind: 'note', note: rest.shift()! });
      lines.push({ kind: 'message', message });
    }
    lines.push(...rest.map((note) => ({ kind: 'note', note }) as const));
    lines.push(...pending.map((one) => ({ kind: 'pending', pending: one }) as const));
    const { scrollHeight, scrollTop } = this.#scroller;
    const first = this.#list.firstElementChild;
    this.#lines.set(lines.map((line) => this.#same(line)));
    show(this.#earlier, hasEarlier);
    show(this.#still, lines.length === 0);
    if (this.#isAtEnd) this.#toEnd();
    else if (first !== this.#list.firstElementChild) this.#scroller.scrollTop = scrollTop + this.#scroller.scrollHeight - scrollHeight;
  }

  /** Mark the one that is being played again. */
  mark(message: Message | null): void {
    this.#list.querySelector('.now')?.classList.remove('now');
    if (!message) return;
    const element = this.#lines.get(`m-${message.id}`);
    element?.classList.add('now');
    element?.scrollIntoView({ block: 'nearest' });
  }

  /** The same object for the same thing, so that only what changed is drawn anew. */
  #same(line: Line): Line {
    const key = keyOf(line);
    const known = this.#known.get(key);
    if (known && payload(known) === payload(line)) return known;
    this.#known.set(key, line);
    return line;
  }

  #fill(element: HTMLLIElement, line: Line): void {
    if (line.kind === 'note') {
      element.className = 'note';
      element.replaceChildren(line.note.text);
    } else if (line.kind === 'pending') {
      element.className = 'line mine pending';
      element.replaceChildren(h('p', { class: 'text' }, line.pending.text), h('p', { class: 'meta' }, 'on its way …'));
    } else if (isAnswer(line.message)) this.#answer(element, line.message);
    else this.#message(element, line.message);
  }

  #message(element: HTMLLIElement, message: Message): void {
    const isOwn = this.deeds.isOwn(message);
    element.className = `line ${isOwn ? 'mine' : 'theirs'}${message.off_record ? ' aside' : ''}`;
    const meta = h('p', { class: 'meta' }, h('b', { class: 'name' }, message.user_name ?? 'Someone'), timeOf(message));
    if (message.off_record) meta.append(h('span', { class: 'tag' }, 'among us'));
    element.replaceChildren(meta, h('p', { class: 'text' }, message.text), this.#acts(message, `what ${message.user_name ?? 'someone'} said`));
  }

  #answer(element: HTMLLIElement, message: AnswerData): void {
    element.className = 'line spirit';
    const board = message.board_script.text;
    const meta = h('p', { class: 'meta' }, h('b', { class: 'name' }, 'The spirit'), timeOf(message));
    if (message.degraded) meta.append(h('span', { class: 'tag' }, 'faintly'));
    const spelt = board && board.toUpperCase() !== message.text.toUpperCase() ? h('p', { class: 'board-line' }, board) : null;
    element.replaceChildren(meta, ...(spelt ? [spelt] : []), h('p', { class: 'text' }, message.text), this.#acts(message, 'what the spirit said'));
  }

  #acts(message: Message, what: string): HTMLElement {
    const acts = h('div', { class: 'acts' });
    const add = (words: string, work: (() => void) | null) => work && acts.append(button(words, work, { class: 'quiet', 'aria-label': `${words}: ${what}` }));
    if (isAnswer(message)) add('Spell again', this.deeds.replay(message));
    add('Ask again', this.deeds.askAgain(message));
    add('Delete', this.deeds.remove(message));
    return acts;
  }
}

function keyOf(line: Line): string {
  if (line.kind === 'note') return line.note.id;
  return line.kind === 'pending' ? `p-${line.pending.client_msg_id}` : `m-${line.message.id}`;
}

function payload(line: Line): unknown {
  if (line.kind === 'note') return line.note;
  return line.kind === 'pending' ? line.pending.client_msg_id : line.message;
}

function timeOf(message: Message): HTMLElement {
  return h('time', { datetime: message.timestamp }, clock(message.timestamp));
}
