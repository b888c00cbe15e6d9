/** The door of a session: who sits there, and the name that one comes in with. */

import type { SessionData, SpiritCard } from '@seance/client';
import { alarm } from './announce.js';
import { button, field, h, say, show } from './dom.js';
import { logIn, type Person } from './people.js';
import type { NotSent } from './unsent.js';
import { LOCKED, MODES, sentence } from './words.js';

/** How somebody comes in. */
export type Entry = { person: Person } | { name: string };

/** What the door needs. */
export interface DoorParts {
  session: SessionData;
  spirit: SpiritCard | undefined;
  /** Those of this browser who sat here before. */
  known: readonly Person[];
  notSent: NotSent;
  enter(entry: Entry, role: 'participant' | 'observer'): Promise<void>;
  /** In front of a locked room: look again. Goes on to the open door, or says that there is none. */
  knock(): Promise<'locked' | 'open'>;
}

/** The screen in front of a session. */
export function door({ session, spirit, known, notSent, enter, knock }: DoorParts): HTMLElement {
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const name = h('input', { type: 'text', maxlength: 50, autocomplete: 'nickname', required: true, enterkeyhint: 'go' });
  const isFull = session.participant_count >= session.max_users;
  const go = async (entry: Entry, role: 'participant' | 'observer'): Promise<void> => {
    show(problem, false);
    try {
      await enter(entry, role);
    } catch (error) {
      say(problem, sentence(error));
      show(problem, true);
      name.focus();
    }
  };
  const watch = button('Only watch', () => void go({ name: name.value.trim() || 'A watcher' }, 'observer'), { class: 'quiet' });
  const form = h(
    'form',
    { class: 'card', onsubmit: (event: Event) => (event.preventDefault(), void go({ name: name.value.trim() }, 'participant')) },
    field('Your name at the table', name),
    problem,
    h('div', { class: 'row' }, h('button', { class: 'main', type: 'submit' }, isFull ? 'Wait for a seat' : 'Sit down'), watch),
  );
  const mode = MODES.find(([value]) => value === session.spirit.mode)?.[1];
  return h(
    'main',
    { id: 'content', class: 'front door' },
    h('p', { class: 'over-title' }, 'You are called to a séance'),
    h('h1', { class: 'session-name', dir: 'auto', tabindex: -1 }, session.name),
    h(
      'p',
      { class: 'about' },
      `${session.participant_count === 0 ? 'Nobody sits there yet' : session.participant_count === 1 ? 'One person sits there' : `${session.participant_count} people sit there`}, ${session.max_users} seats. `,
      spirit ? `${spirit.name} is called. ` : '',
      mode ? `${mode}.` : '',
    ),
    known.length > 0
      ? h(
          'div',
          { class: 'card again' },
          h('p', {}, 'You have sat here before.'),
          ...known.map((person) => button(`Come back as ${person.name}`, () => void go({ person }, 'participant'), { class: 'main' })),
        )
      : null,
    session.is_locked ? locked(knock) : form,
    notSent.element,
    signIn((person) => go({ person }, 'participant')),
    spirit ? h('p', { class: 'statement' }, spirit.statement) : null,
  );
}

/** What stands in the place of the form where nobody new comes in. */
function locked(knock: DoorParts['knock']): HTMLElement {
  const told = h('p', { class: 'problem', hidden: true });
  const again = async (): Promise<void> => {
    const answer = await knock().catch(sentence);
    if (answer === 'open') return;
    say(told, answer === 'locked' ? 'Still locked.' : answer);
    show(told, true);
    alarm(told.textContent);
  };
  return h(
    'div',
    { class: 'card locked' },
    h('h2', {}, LOCKED.title),
    h('p', {}, LOCKED.text),
    told,
    h('div', { class: 'row' }, button('Knock again', () => void again(), { class: 'main' }), h('a', { class: 'button', href: '/board/' }, 'To the beginning')),
  );
}

/** Signing in, for those who have an account. Folded, since guests need none. */
export function signIn(done: (person: Person) => Promise<void>, isOpen = false): HTMLElement {
  const email = h('input', { type: 'email', autocomplete: 'username', required: true });
  const password = h('input', { type: 'password', autocomplete: 'current-password', required: true });
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const submit = async (): Promise<void> => {
    show(problem, false);
    try {
      await done(await logIn(email.value, password.value));
    } catch (error) {
      say(problem, sentence(error));
      show(problem, true);
    }
  };
  return h(
    'details',
    { class: 'account', open: isOpen },
    h('summary', {}, 'I have an account'),
    h(
      'form',
      { class: 'card', onsubmit: (event: Event) => (event.preventDefault(), void submit()) },
      field('E-mail address', email),
      field('Password', password),
      problem,
      h('button', { class: 'main', type: 'submit' }, 'Sign in'),
    ),
  );
}
