/**
 * What was not sent. It stays on the page, over every screen of this window and its reloads, until its author puts it
 * away or it turns out to have been said after all.
 */

import type { Message, PendingMessage } from '@seance/client';
import { tell } from './announce.js';
import { button, h, Keyed, say, show } from './dom.js';

/** A message that nobody acknowledged, or what stood in the field when it was taken away. */
export type Unsent = Pick<PendingMessage, 'client_msg_id' | 'text'>;

/** The list of one session; hidden while it is empty. */
export class NotSent {
  readonly element: HTMLElement;
  readonly #list = h('ul');
  readonly #told = h('p', { class: 'told', role: 'status', hidden: true });
  readonly #rows: Keyed<Unsent, HTMLLIElement>;
  readonly #key: string;
  #shown: readonly Unsent[];

  constructor(sessionId: string) {
    this.#key = `seance:unsent:${sessionId}`;
    this.#rows = new Keyed<Unsent, HTMLLIElement>(this.#list, (one) => one.client_msg_id, (one) => this.#row(one));
    this.element = h(
      'section',
      { class: 'unsent', 'aria-label': 'Not sent' },
      h('p', {}, h('b', {}, 'Not sent.'), ' Nobody at the table has read this. It stays here until you put it away.'),
      this.#list,
      this.#told,
    );
    this.#shown = read(this.#key);
    this.#draw();
  }

  /** Keep more. */
  keep(more: readonly Unsent[]): void {
    const fresh = more.filter((one) => !this.#shown.some((other) => other.client_msg_id === one.client_msg_id));
    if (fresh.length === 0) return;
    this.#change([...this.#shown, ...fresh]);
    tell(`Not sent: ${fresh.map((one) => one.text).join(' · ')}`);
  }

  /** What the log has was sent, whatever became of its acknowledgement. */
  said(messages: readonly Message[]): void {
    if (this.#shown.length === 0) return;
    const ids = new Set(messages.map((message) => message.client_msg_id));
    const left = this.#shown.filter((one) => !ids.has(one.client_msg_id));
    if (left.length < this.#shown.length) this.#change(left);
  }

  #change(shown: readonly Unsent[]): void {
    this.#shown = shown;
    sessionStorage.setItem(this.#key, JSON.stringify(shown));
    this.#draw();
  }

  #draw(): void {
    this.#rows.set(this.#shown);
    show(this.element, this.#shown.length > 0);
  }

  #row(one: Unsent): HTMLLIElement {
    const text = h('p', { class: 'text', dir: 'auto' }, one.text);
    const what = one.text.slice(0, 60);
    const copy = button('Copy', () => void this.#copy(text), { class: 'quiet', 'aria-label': `Copy: ${what}` });
    const away = button('Put away', () => this.#change(this.#shown.filter((other) => other !== one)), { class: 'quiet', 'aria-label': `Put away: ${what}` });
    return h('li', {}, text, h('div', { class: 'row' }, copy, away));
  }

  async #copy(text: HTMLElement): Promise<void> {
    show(this.#told, true);
    try {
      await navigator.clipboard.writeText(text.textContent ?? '');
      say(this.#told, 'Copied.');
    } catch {
      window.getSelection()?.selectAllChildren(text); // no clipboard on plain http
      say(this.#told, 'Selected: copy it with your keyboard.');
    }
  }
}

function read(key: string): Unsent[] {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(key) ?? '[]');
    return Array.isArray(found) ? (found as Unsent[]) : [];
  } catch {
    return []; // unreadable, or the browser keeps nothing
  }
}
