/** What only the host may: another spirit, another way, who stays, and the end. */

import type { Connection, ParticipantData, SeanceClient, SessionState, SpiritCard, UpdateSession } from '@seance/client';
import { alarm } from './announce.js';
import { button, choice, field, h, Keyed, say } from './dom.js';
import { ACCESS, MODES, PACES, sentence } from './words.js';

/** A choice of personas: their names, and below it what is said of the chosen one. */
export function personaField(label: string, cards: readonly SpiritCard[]): { element: HTMLElement; select: HTMLSelectElement } {
  const found = new Map<string, SpiritCard>();
  for (const card of cards) if (!found.has(card.slug)) found.set(card.slug, card);
  const select = choice([...found].map(([slug, { name }]) => [slug, name] as const), 'the-spirit');
  const element = field(label, select, ' ');
  const describe = (): void => say(element.querySelector('small')!, found.get(select.value)?.summary ?? '');
  select.addEventListener('change', describe);
  describe();
  return { element, select };
}

/** The dialog of the host. */
export class HostSheet {
  readonly element: HTMLDialogElement;
  readonly #told = h('p', { class: 'told', role: 'status' });
  readonly #name = h('input', { type: 'text', maxlength: 100, required: true });
  readonly #persona: HTMLSelectElement;
  readonly #mode = choice(MODES, 'open');
  readonly #pace = choice(PACES, 'ritual');
  readonly #access = choice(ACCESS, 'open');
  readonly #seats = h('input', { type: 'number', min: 2, max: 12, required: true });
  readonly #lockWords = h('p');
  readonly #lock = button('', () => void this.#turnKey());
  readonly #people = h('ul', { class: 'people' });
  readonly #rows: Keyed<ParticipantData, HTMLLIElement>;

  constructor(
    private readonly connection: Connection,
    private readonly client: SeanceClient,
    cards: readonly SpiritCard[],
  ) {
    const persona = personaField('Spirit', cards);
    this.#persona = persona.select;
    this.#rows = new Keyed<ParticipantData, HTMLLIElement>(this.#people, (one) => one.id, () => h('li'), (element, one) => this.#person(element, one));
    const settings = h(
      'form',
      { onsubmit: (event: Event) => (event.preventDefault(), void this.#save()) },
      field('Name of the séance', this.#name),
      persona.element,
      field('When it answers', this.#mode),
      h('div', { class: 'pair' }, field('Planchette', this.#pace), field('Seats', this.#seats)),
      field('Who gets in', this.#access),
      h('div', { class: 'row' }, h('button', { class: 'main', type: 'submit' }, 'Keep it so'), button('Close', () => this.element.close())),
    );
    this.element = h(
      'dialog',
      { class: 'sheet host', 'aria-labelledby': 'host-title' },
      h('h2', { id: 'host-title' }, 'You are the host'),
      settings,
      this.#told,
      h('h3', {}, 'The door'),
      this.#lockWords,
      h('div', { class: 'row' }, this.#lock),
      h('h3', {}, 'At the table'),
      this.#people,
      h('h3', {}, 'The end'),
      h('p', {}, 'Everybody gets up. What was said can still be read, and played again.'),
      this.#ending(),
    );
  }

  /** Show it, filled with what is now. */
  open(state: SessionState): void {
    const { session } = state;
    if (!session) return;
    this.#name.value = session.name;
    this.#persona.value = session.spirit.persona;
    this.#persona.dispatchEvent(new Event('change'));
    this.#mode.value = session.spirit.mode;
    this.#pace.value = session.spirit.pace;
    this.#access.value = session.access;
    this.#seats.value = String(session.max_users);
    say(this.#told, '');
    this.set(state);
    this.element.showModal();
  }

  /** Follow who is there, and whether the door is locked. */
  set({ session, participants, self }: SessionState): void {
    const isLocked = session?.is_locked === true;
    say(this.#lock, isLocked ? 'Unlock the room' : 'Lock the room');
    say(this.#lockWords, `${isLocked ? 'It is locked: nobody new comes in' : 'Lock it, and nobody new comes in'}, not even with an invitation. Whoever sat here may come back.`);
    this.#rows.set(participants.filter((one) => one.user_id !== self?.user_id));
    this.#people.classList.toggle('alone', participants.length < 2);
  }

  async #save(): Promise<void> {
    const changes: UpdateSession = {
      name: this.#name.value,
      max_users: this.#seats.valueAsNumber,
      access: this.#access.value as 'open',
      spirit: { persona: this.#persona.value, mode: this.#mode.value as 'open', pace: this.#pace.value as 'ritual' },
    };
    await this.#do(() => this.connection.updateSession(changes), 'Kept.');
  }

  async #turnKey(): Promise<void> {
    const isLocked = this.connection.state.session?.is_locked === true;
    await this.#do(() => this.connection.updateSession({ is_locked: !isLocked }), isLocked ? 'The room is unlocked.' : 'The room is locked.');
  }

  #person(element: HTMLLIElement, one: ParticipantData): void {
    const id = this.connection.state.session!.id;
    const mute = button(one.is_muted ? 'Let speak' : 'Mute', async () => {
      await this.#do(async () => {
        const { is_muted } = await this.client.sessions.mute(id, one.id, !one.is_muted);
        this.#person(element, { ...one, is_muted });
      }, one.is_muted ? 'They may speak.' : 'They may only listen.');
    });
    const kick = twice('Send away', 'Send away for good?', () => this.#do(() => this.connection.kick(one.user_id), 'Sent away.'));
    for (const act of [mute, kick]) act.setAttribute('aria-label', `${act.textContent}: ${one.name}`);
    const isHere = element.contains(document.activeElement); // by keyboard one goes on from where one was
    element.replaceChildren(h('span', { class: 'name', dir: 'auto' }, one.name), mute, kick);
    if (isHere) mute.focus();
  }

  #ending(): HTMLElement {
    return twice('End the séance', 'End it for everybody?', async () => {
      await this.#do(() => this.connection.endSession(), '');
      this.element.close();
    }, { class: 'danger' });
  }

  async #do(work: () => Promise<unknown>, done: string): Promise<void> {
    try {
      await work();
      say(this.#told, done);
    } catch (error) {
      say(this.#told, sentence(error));
      alarm(sentence(error));
    }
  }
}

/** A button that asks once more, and forgets it after four seconds. */
function twice(words: string, question: string, work: () => Promise<void>, props: Record<string, unknown> = {}): HTMLButtonElement {
  let timer = 0;
  let label: string | null = null;
  const reset = (): void => {
    window.clearTimeout(timer);
    timer = 0;
    made.textContent = words;
    if (label !== null) made.setAttribute('aria-label', label);
    made.classList.remove('sure');
  };
  const made = button(words, async () => {
    if (timer) {
      reset();
      return work();
    }
    label = made.getAttribute('aria-label');
    made.removeAttribute('aria-label');
    made.textContent = question;
    made.classList.add('sure');
    alarm(question);
    timer = window.setTimeout(reset, 4_000);
  }, props);
  return made;
}
