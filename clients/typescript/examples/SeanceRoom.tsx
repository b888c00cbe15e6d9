'use client';

/** A room with a spirit board, as a client component of Next.js: `app/rooms/[id]/page.tsx` renders it. */

import { useMemo, useRef, useState, type FormEvent } from 'react';
import { SeanceClient, SeanceError, type Layout } from '@seance/client';
import { usePlanchette, useSeance } from '@seance/client/react';

interface Props {
  /** `process.env.NEXT_PUBLIC_SEANCE_URL`. */
  baseUrl: string;
  sessionId: string;
  name: string;
  /** From `client.layouts.get('classic-en@1')`, fetched by the page on the server. */
  layout: Layout;
}

export function SeanceRoom({ baseUrl, sessionId, name, layout }: Props) {
  const client = useMemo(() => new SeanceClient({ baseUrl }), [baseUrl]);
  const { connection, state, send, typing } = useSeance(client, sessionId, { name });
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
  return (
    <main>
      <p role="status">
        {state.status === 'open' ? `${state.participants.length} at the table` : (state.error?.message ?? state.status)}
      </p>
      <svg viewBox={`0 0 ${layout.width} ${layout.height}`} role="img" aria-label="Spirit board">
        {[...Object.entries(layout.glyphs), ...Object.entries(layout.words)].map(([glyph, { x, y }]) => (
          <text key={glyph} x={x} y={y} textAnchor="middle" dominantBaseline="central">
            {glyph}
          </text>
        ))}
        <text ref={spelt} x={layout.width / 2} y={layout.height - 20} textAnchor="middle" />
        <circle ref={lens} r={45} fill="none" stroke="currentColor" transform={`translate(${layout.rest.x} ${layout.rest.y})`} />
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
      </ol>
      <p>{others.length > 0 && `${others.map((one) => one.name).join(', ')} …`}</p>
      <form onSubmit={say}>
        <input
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
