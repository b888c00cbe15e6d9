'use client';

/** In front of the room: whoever is nobody yet gives a name. */

import { useEffect, useState, type FormEvent } from 'react';
import type { Layout, SessionData } from '@seance/client';
import { client } from '../../../seance';
import { SeanceRoom } from './SeanceRoom';

export function Door({ session, layout }: { session: SessionData; layout: Layout }) {
  const [isKnown, setKnown] = useState<boolean>(); // undefined until the browser has looked
  const [problem, setProblem] = useState('');

  useEffect(() => void client.tokens().then((tokens) => setKnown(tokens !== null)), []);

  async function enter(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    setProblem('');
    try {
      await client.auth.guest(String(new FormData(event.currentTarget).get('name')));
      setKnown(true);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  if (isKnown) return <SeanceRoom session={session} layout={layout} />;
  return (
    <main className="front">
      <h1>{session.name}</h1>
      {isKnown === false && (
        <form onSubmit={enter}>
          <label>
            Your name <input name="name" maxLength={50} required />
          </label>
          <button>Sit down</button>
          <p role="alert">{problem}</p>
        </form>
      )}
    </main>
  );
}
