/** The page at /board: which screen is shown, and how one gets from one to the next. */

import { SeanceError, type Layout, type Message, type SeanceClient, type SessionData, type SpiritCard } from '@seance/client';
import { alarm, installAnnouncer } from './announce.js';
import { button } from './dom.js';
import { door, signIn, type Entry } from './door.js';
import { notice } from './notice.js';
import { past } from './past.js';
import { clientOf, getUp, knownIn, newGuest, seated, sitDown, turnedAway, type Person } from './people.js';
import { room } from './room.js';
import { start } from './start.js';
import { NotSent } from './unsent.js';
import { refusalOf } from './words.js';

const LAYOUT = 'classic-en@1';

let close = (): void => undefined;

/** Replace what is on the screen. The heading gets the focus, so that a screen reader begins there. */
function put(element: HTMLElement, closing: () => void = () => undefined): void {
  close();
  close = closing;
  document.querySelector('#page')!.replaceChildren(element);
  element.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true });
}

function refuse(error: unknown, retry: () => void, closeCode?: number | null, ...ways: Node[]): void {
  const refusal = refusalOf(error, closeCode);
  const again = error instanceof SeanceError && error.retryable ? button('Try again', retry, { class: 'main' }) : null;
  document.title = `${refusal.title} · Séance`;
  put(notice(refusal, again, ...ways));
  alarm(refusal.title);
}

// --- The beginning --------------------------------------------------------------------------------------------------

async function showStart(): Promise<void> {
  const client = clientOf();
  const nothing = <T>(value: T) => (): T => value; // the beginning works without the lists, too
  const [spirits, tables] = await Promise.all([
    client.spirits.list().catch(nothing<SpiritCard[]>([])),
    client.sessions.list({ is_active: true, per_page: 6 }).then((page) => page.items, nothing<SessionData[]>([])),
  ]);
  put(
    start({
      spirits,
      tables,
      async create(name, body) {
        const host = await newGuest(name);
        const { session } = await clientOf(host).sessions.create(body);
        sitDown(host, session.id);
        location.assign(`/board/${session.id}`);
      },
    }),
  );
}

// --- One session ----------------------------------------------------------------------------------------------------

const invite = (): string | undefined => /^#invite=([\w-]{1,128})$/.exec(location.hash)?.[1];
const invited = (): { invite?: string } => (invite() ? { invite: invite()! } : {});

async function showSession(id: string): Promise<void> {
  const here = seated(id);
  const client = clientOf(here ?? knownIn(id)[0]);
  const again = (): void => void showSession(id);
  try {
    const session = await client.sessions.get(id, invited());
    if (!session.is_active) return await lookBack(client, session);
    if (here) return await sit(here, session, 'participant');
    const cards = await client.spirits.list().catch(() => []);
    const enter = (entry: Entry, role: 'participant' | 'observer'): Promise<void> => come(entry, session, role);
    document.title = `${session.name} · Séance`;
    const [first, ...others] = cards.filter((one) => one.slug === session.spirit.persona);
    const spirit = others.find((one) => one.locale === session.spirit.locale) ?? first;
    const knock = async (): Promise<'locked' | 'open'> => {
      if ((await client.sessions.get(id, invited())).is_locked) return 'locked';
      void showSession(id);
      return 'open';
    };
    put(door({ session, spirit, known: knownIn(id), enter, knock, notSent: new NotSent(id) }));
  } catch (error) {
    const isForPeople = error instanceof SeanceError && ['UNAUTHORIZED', 'FORBIDDEN'].includes(error.code);
    const ways = isForPeople ? [signIn(async (person) => (sitDown(person, id), showSession(id)), true)] : [];
    refuse(error, again, null, ...ways, new NotSent(id).element);
  }
}

/** In through the door. */
async function come(entry: Entry, session: SessionData, role: 'participant' | 'observer'): Promise<void> {
  const person = 'person' in entry ? entry.person : { ...(await newGuest(entry.name)) };
  if (role === 'participant') sitDown(person, session.id);
  await sit(person, session, role);
}

/** Take the place, and show the room once one is in it. */
async function sit(person: Person, session: SessionData, role: 'participant' | 'observer'): Promise<void> {
  const client = clientOf(person);
  const connection = client.connect(session.id, { name: person.name, role, ...invited() });
  const notSent = new NotSent(session.id);
  let made: ReturnType<typeof room> | undefined;
  const toDoor = (): void => {
    getUp(session.id);
    void showSession(session.id);
  };
  const watchInstead = button('Only watch', () => {
    connection.close();
    getUp(session.id);
    void sit(person, session, 'observer');
  });
  const stop = connection.on('disconnected', ({ code }) => {
    if (code === 4008) refuse(connection.state.error, () => connection.retryNow(), code, watchInstead);
  });
  connection.on('closed', (error) => {
    const { closeCode, session: now, unsent } = connection.state;
    // Whoever gets up leaves half a sentence behind; who is put out keeps it.
    notSent.keep([...unsent, ...(error === null ? [] : (made?.draft() ?? []))]);
    if (error === null || now?.is_active === false) return;
    if (error.code === 'SESSION_ENDED') return void showSession(session.id);
    getUp(session.id);
    const no = (): void => refuse(error, toDoor, closeCode, notSent.element);
    if (closeCode !== 4501 || made) return no();
    turnedAway(person, session.id);
    void client.sessions.get(session.id, invited()).then(({ is_locked }) => (is_locked ? void showSession(session.id) : no()), no);
  });
  const [layout, spirits] = await Promise.all([client.layouts.get(LAYOUT), client.spirits.list().catch(() => [])]);
  await connection.ready.then(
    () => {
      stop();
      const shown = (made = room({ connection, client, layout, spirits, notSent, leave: toDoor }));
      put(shown.element, () => (shown.close(), connection.close()));
    },
    () => undefined, // `closed` has said why
  );
}

async function lookBack(client: SeanceClient, session: SessionData): Promise<void> {
  const layout: Layout = await client.layouts.get(LAYOUT);
  const messages: Message[] = [];
  for await (const message of client.sessions.history(session.id, invited())) messages.push(message);
  const made = past(client, session, layout, messages);
  put(made.element, made.close);
}

// --- The beginning of all -------------------------------------------------------------------------------------------

installAnnouncer();
const id = /^\/board\/([^/]+)\/?$/.exec(location.pathname)?.[1];
if (id === undefined) void showStart();
else void showSession(decodeURIComponent(id));
window.addEventListener('hashchange', () => id !== undefined && invite() && void showSession(id));
