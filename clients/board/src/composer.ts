/** Where one writes. Enter sends, Shift+Enter begins a new line; what is refused comes back into the field. */

import { SeanceError, type SafetyNotice, type SendOptions } from '@seance/client';
import { button, h, say, show } from './dom.js';
import { sentence } from './words.js';

/** What it needs of the room. */
export interface ComposerPort {
  send(text: string, options: SendOptions): Promise<unknown>;
  typing(): void;
  /** A message was refused, and the field has another one already. */
  refused(text: string): void;
}

/** The form at the end of the talk. */
export class Composer {
  readonly element: HTMLFormElement;
  readonly #text = h('textarea', { rows: 1, 'aria-label': 'Your message', autocomplete: 'off', enterkeyhint: 'send', maxlength: 500 });
  readonly #aside = h('input', { type: 'checkbox', id: 'aside' });
  readonly #submit = h('button', { class: 'send', type: 'submit', 'aria-label': 'Send' }, '➳');
  readonly #problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  readonly #notice = h('div', { class: 'notice', role: 'alert', hidden: true });

  constructor(private readonly port: ComposerPort) {
    this.element = h(
      'form',
      { class: 'composer', onsubmit: (event: Event) => (event.preventDefault(), this.#send()) },
      this.#notice,
      this.#problem,
      h('div', { class: 'write' }, this.#text, this.#submit),
      h('label', { class: 'aside', for: 'aside' }, this.#aside, 'Among us: the spirit does not hear it'),
    );
    this.#text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener('input', () => {
      this.#grow();
      show(this.#problem, false);
      if (this.#text.value.trim()) port.typing();
    });
  }

  /** What the empty field says, and how much may be written. */
  set(prompt: string, limit: number, canWrite: boolean): void {
    if (this.#text.placeholder !== prompt) this.#text.placeholder = prompt;
    this.#text.maxLength = limit;
    this.#text.disabled = this.#submit.disabled = !canWrite;
  }

  /** What was written and not sent. */
  get draft(): string {
    return this.#text.value.trim();
  }

  focus(): void {
    this.#text.focus();
  }

  #send(): void {
    const text = this.#text.value.trim();
    if (!text) return;
    this.#text.value = '';
    this.#grow();
    show(this.#problem, false);
    this.port.send(text, { offRecord: this.#aside.checked }).catch((error: unknown) => this.#refused(text, error));
  }

  #refused(text: string, error: unknown): void {
    if (error instanceof SeanceError && error.code === 'WITHHELD') return this.#withheld(error);
    if (this.#text.value) this.port.refused(text);
    else this.#text.value = text;
    this.#grow();
    say(this.#problem, sentence(error));
    show(this.#problem, true);
  }

  /** Words for the author alone, out of character, with places to turn to. They stay until they are put away. */
  #withheld(error: SeanceError): void {
    const links = (error.details['links'] ?? []) as SafetyNotice['links'];
    const away = button('Put this away', () => (show(this.#notice, false), this.focus()), { class: 'quiet' });
    this.#notice.replaceChildren(h('p', {}, error.message), h('ul', {}, ...links.map((link) => h('li', {}, anchor(link)))), away);
    show(this.#notice, true);
  }

  #grow(): void {
    this.#text.style.height = 'auto';
    this.#text.style.height = `${Math.min(160, this.#text.scrollHeight)}px`;
  }
}

/** A line of the operator's: a web address, telephone number or mail address is a link; whatever else stays text. */
function anchor(line: string): Node {
  if (!/^(https?:|tel:|mailto:)\S+$/i.test(line)) return document.createTextNode(line);
  return h('a', { href: line, rel: 'noopener noreferrer', target: '_blank' }, line.replace(/^(https?:\/\/|tel:|mailto:)/i, ''));
}
