/**
 * Who sits at this window. Guests and accounts are kept for the whole browser, so that one can come back as oneself;
 * which of them this window is, is kept for the window: a second window can be somebody else.
 */

import { SeanceClient, type SignedIn, type Tokens } from '@seance/client';

/** Somebody who has been here. `sessions` are those that this person sat in, the latest first. */
export interface Person {
  id: string;
  name: string;
  tokens: Tokens;
  sessions: string[];
}

const PEOPLE = 'seance:people';
const KEPT = 12;

function read(): Person[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PEOPLE) ?? '[]');
    return Array.isArray(found) ? (found as Person[]) : [];
  } catch {
    return []; // unreadable, or the browser keeps nothing
  }
}

function write(people: Person[]): void {
  try {
    localStorage.setItem(PEOPLE, JSON.stringify(people.slice(0, KEPT)));
  } catch {
    // Private windows may refuse: then one is somebody new after a reload.
  }
}

function change(id: string, work: (person: Person) => Person | null): void {
  const person = read().find((one) => one.id === id);
  if (!person) return;
  const changed = work(person);
  const others = read().filter((one) => one.id !== id);
  write(changed ? [changed, ...others] : others);
}

/** A client that speaks as nobody, or as somebody whose tokens it renews in the store. */
export function clientOf(person?: Person): SeanceClient {
  const baseUrl = location.origin;
  if (!person) return new SeanceClient({ baseUrl });
  const store = {
    load: () => read().find((one) => one.id === person.id)?.tokens ?? person.tokens,
    save: (tokens: Tokens | null) => change(person.id, (one) => (tokens ? { ...one, tokens } : null)),
  };
  return new SeanceClient({ baseUrl, tokenStore: store });
}

/** Remember who signed in. */
export function remember({ user, access, refresh }: SignedIn): Person {
  const known = read().find((one) => one.id === user.id);
  const person = { id: user.id, name: user.name, tokens: { access, refresh }, sessions: known?.sessions ?? [] };
  write([person, ...read().filter((one) => one.id !== user.id)]);
  return person;
}

/** A new guest. */
export async function newGuest(name: string): Promise<Person> {
  return remember(await clientOf().auth.guest(name));
}

/** Somebody with an account. */
export async function logIn(email: string, password: string): Promise<Person> {
  return remember(await clientOf().auth.logIn({ email, password }));
}

/** Those of this browser who sat in a session before. */
export function knownIn(sessionId: string): Person[] {
  return read().filter((one) => one.sessions.includes(sessionId));
}

/** Sit down: a reload of this window comes back to the same place. */
export function sitDown(person: Person, sessionId: string): void {
  change(person.id, (one) => ({
    ...one,
    name: person.name,
    sessions: [sessionId, ...one.sessions.filter((other) => other !== sessionId)].slice(0, 50),
  }));
  sessionStorage.setItem(`seance:at:${sessionId}`, person.id);
}

/** Not let in: this browser does not know that person there. */
export function turnedAway(person: Person, sessionId: string): void {
  change(person.id, (one) => ({ ...one, sessions: one.sessions.filter((other) => other !== sessionId) }));
  getUp(sessionId);
}

/** Who this window is in a session. */
export function seated(sessionId: string): Person | undefined {
  const id = sessionStorage.getItem(`seance:at:${sessionId}`);
  return id === null ? undefined : read().find((one) => one.id === id);
}

/** Get up: the door asks again. */
export function getUp(sessionId: string): void {
  sessionStorage.removeItem(`seance:at:${sessionId}`);
}
