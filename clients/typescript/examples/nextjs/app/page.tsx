'use client';

/** The beginning: open a séance, or come to one. */

import { useRouter } from 'next/navigation';
import { useState, type FormEvent } from 'react';
import { client } from '../seance';

export default function Beginning() {
  const router = useRouter();
  const [problem, setProblem] = useState('');

  async function open(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setProblem('');
    try {
      await client.auth.guest(String(form.get('name')));
      const { session } = await client.sessions.create({ name: String(form.get('title')) });
      router.push(`/rooms/${session.id}`);
    } catch (error) {
      setProblem((error as Error).message);
    }
  }

  function follow(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const link = String(new FormData(event.currentTarget).get('link')).trim();
    router.push(`/rooms/${encodeURIComponent(link.split('/').at(-1)!)}`);
  }

  return (
    <main className="front">
      <h1>Séance</h1>
      <form onSubmit={open}>
        <label>
          Your name <input name="name" maxLength={50} required />
        </label>
        <label>
          The séance is called <input name="title" maxLength={100} required />
        </label>
        <button>Open it</button>
        <p role="alert">{problem}</p>
      </form>
      <form onSubmit={follow}>
        <label>
          Or its link <input name="link" required />
        </label>
        <button>Go there</button>
      </form>
    </main>
  );
}
