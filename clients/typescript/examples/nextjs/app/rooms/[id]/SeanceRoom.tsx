'use client';

/** The room: who is here, what is said, and the planchette. */

import { useRef, useState, type FormEvent } from 'react';
import { SeanceError, type Layout, type SessionData } from '@seance/client';
import { usePlanchette, useSeance } from '@seance/client/react';
import { client } from '../../../seance';

export function SeanceRoom({ session, layout }: { session: SessionData; layout: Layout }) {
  const { connection, state, send, typing } = useSeance(client, session.id);
  const [draft, setDraft] = useState('');
  const [problem, setProblem] = useState('');
  const lens = useRef<SVGCircleElement>(null);
  const spelt = useRef<SVGTextElement>(null);

  // Sixty times a second, so not through React's state.
  usePlanchette(connection, (position) => {
    lens.current?.setAttribute('transform', `translate(${position.x} ${position.y})`);
    if (spelt.current) spelt.current.textContent = position.spelt;
  });

  async function say(event: FormEvent) {
    event.preventDefault();
    setDraft('');
    setProblem('');
    try {
      await send(draft);
    } catch (error) {
      setProblem(error instanceof SeanceError ? error.message : 'That did not work.');
    }
  }

  const others = state.typing.filter((one) => one.id !== state.self?.user_id);
  const isOver = state.session?.is_active === false;
  return (
    <main className="room">
      <h1>{state.session?.name ?? session.name}</h1>
      <p role="status">
        {isOver && 'The séance is over.'}
        {!isOver && (state.status === 'open' ? `At the table: ${state.participants.map((one) => one.name).join(', ')}` : (state.error?.message ?? 'One moment …'))}
      </p>
      <svg viewBox={`0 0 ${layout.width} ${layout.height}`} role="img" aria-label="Spirit board">
        {[...Object.entries(layout.glyphs), ...Object.entries(layout.words)].map(([glyph, { x, y }]) => (
          <text key={glyph} x={x} y={y} textAnchor="middle" dominantBaseline="central">
            {glyph}
          </text>
        ))}
        <text ref={spelt} className="spelt" x={layout.width / 2} y={layout.height - 20} textAnchor="middle" />
        <circle ref={lens} r={45} transform={`translate(${layout.rest.x} ${layout.rest.y})`} />
      </svg>
      <ol>
        {state.messages.map((message) => (
          <li key={message.id}>
            <b>{message.user_name ?? 'The spirit'}</b> {message.text}
          </li>
        ))}
        {state.pending.map((message) => (
          <li key={message.client_msg_id} aria-busy>
            {message.text}
          </li>
        ))}
        {state.unsent.map((message) => (
          <li key={message.client_msg_id}>
            <b>Not sent</b> {message.text}
          </li>
        ))}
      </ol>
      <p>{others.length > 0 && `${others.map((one) => one.name).join(', ')} …`}</p>
      <form onSubmit={say}>
        <input
          aria-label="Your message"
          value={draft}
          maxLength={state.limits?.text_max ?? 500}
          onChange={(event) => {
            setDraft(event.target.value);
            typing();
          }}
        />
        <button disabled={state.status === 'closed' || !draft.trim()}>Ask</button>
      </form>
      <p role="alert">{problem}</p>
    </main>
  );
}
