/** The beginning: open a séance, follow a link, or sit down at an open table. */

import type { CreateSession, SessionData, SpiritCard } from '@seance/client';
import { candle } from './candle.js';
import { button, choice, field, h, say, show } from './dom.js';
import { personaField } from './host.js';
import { ACCESS, count, MODES, PACES, sentence } from './words.js';

/** What the beginning needs. */
export interface StartParts {
  spirits: readonly SpiritCard[];
  tables: readonly SessionData[];
  create(name: string, body: CreateSession): Promise<void>;
}

/** The screen at `/board/`. */
export function start({ spirits, tables, create }: StartParts): HTMLElement {
  const name = h('input', { type: 'text', maxlength: 50, autocomplete: 'nickname', required: true });
  const called = h('input', { type: 'text', maxlength: 100, required: true, placeholder: 'Friday night' });
  const persona = personaField('Whom do you call?', spirits);
  const mode = choice(MODES, 'open');
  const pace = choice(PACES, 'ritual');
  const access = choice(ACCESS, 'open');
  const seats = h('input', { type: 'number', min: 2, max: 12, value: 6, required: true });
  const listed = h('input', { type: 'checkbox', id: 'listed' });
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const submit = h('button', { class: 'main', type: 'submit' }, 'Light the candles');
  const open = async (): Promise<void> => {
    show(problem, false);
    submit.disabled = true;
    try {
      await create(name.value.trim(), {
        name: called.value.trim(),
        max_users: seats.valueAsNumber,
        access: access.value as 'open',
        is_listed: listed.checked,
        spirit: { persona: persona.select.value, mode: mode.value as 'open', pace: pace.value as 'ritual' },
      });
    } catch (error) {
      say(problem, sentence(error));
      show(problem, true);
    } finally {
      submit.disabled = false;
    }
  };
  return h(
    'main',
    { id: 'content', class: 'front start' },
    h('div', { class: 'head' }, candle(), h('h1', { class: 'wordmark', tabindex: -1 }, 'Séance'), candle()),
    h('p', { class: 'over-title' }, 'One table, one planchette, and something that answers'),
    h(
      'form',
      { class: 'card', onsubmit: (event: Event) => (event.preventDefault(), void open()) },
      field('Your name', name),
      field('The séance is called', called),
      spirits.length > 0 ? persona.element : null,
      h(
        'details',
        { class: 'more' },
        h('summary', {}, 'How it is held'),
        field('When the spirit answers', mode),
        h('div', { class: 'pair' }, field('Planchette', pace), field('Seats', seats)),
        field('Who gets in', access),
        h('label', { class: 'check', for: 'listed' }, listed, 'Show it on the list of open tables'),
      ),
      problem,
      submit,
    ),
    follow(),
    tables.length > 0 ? openTables(tables) : null,
  );
}

function follow(): HTMLElement {
  const link = h('input', { type: 'text', inputmode: 'url', required: true, placeholder: `${location.host}/board/…` });
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const go = (): void => {
    const found = /[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}/i.exec(link.value);
    const invite = /[#?&]invite=([\w-]+)/.exec(link.value);
    if (found) return location.assign(`/board/${found[0]}${invite ? `#invite=${invite[1]}` : ''}`);
    say(problem, 'There is no séance’s id in it. It looks like 01a21240-034b-7074-b61a-6c6c7b9e568b.');
    show(problem, true);
  };
  return h(
    'form',
    { class: 'card slim', onsubmit: (event: Event) => (event.preventDefault(), go()) },
    field('Were you sent a link?', link),
    problem,
    button('Follow it', go, { class: 'quiet' }),
  );
}

function openTables(tables: readonly SessionData[]): HTMLElement {
  return h(
    'section',
    { class: 'tables', 'aria-labelledby': 'tables' },
    h('h2', { id: 'tables' }, 'Open tables'),
    h(
      'ul',
      {},
      ...tables.map((one) =>
        h(
          'li',
          {},
          h('a', { href: `/board/${one.id}` }, h('span', { class: 'name', dir: 'auto' }, one.name), h('small', {}, `${one.participant_count} of ${count(one.max_users, 'seat')}`)),
        ),
      ),
    ),
  );
}
