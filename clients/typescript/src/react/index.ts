/** `@seance/client/react`: a session and its planchette as hooks. React 18 or newer. */

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Connection } from '../connection.js';
import type { JoinOptions } from '../connection-options.js';
import type { SeanceClient } from '../client.js';
import { SeanceError } from '../errors.js';
import type { Ack } from '../generated/schemas.js';
import type { SendOptions } from '../outbox.js';
import { BoardPlayer, follow, type PlayerOptions } from '../player.js';
import type { Position } from '../script.js';
import { EMPTY, type SessionState } from '../state.js';

/** What `useSeance` gives. */
export interface Seance {
  /** The connection; null on the server and before the first effect. */
  connection: Connection | null;
  /** The snapshot; rendered anew at each change. */
  state: SessionState;
  /** As `Connection.send`. */
  send: (text: string, options?: SendOptions) => Promise<Ack>;
  /** As `Connection.typing`: call it at each key. */
  typing: (isTyping?: boolean) => void;
}

const nothing = (): (() => void) => () => undefined;

/**
 * Join `sessionId` while the component is mounted, and leave with it. Null joins nothing. Another client, session,
 * name, role or `userId` is another connection; the other options are read when it is made.
 */
export function useSeance(client: SeanceClient, sessionId: string | null, options: JoinOptions = {}): Seance {
  const [connection, setConnection] = useState<Connection | null>(null);
  const latest = useRef(options);
  latest.current = options;
  const leaving = useRef<{ key: unknown[]; connection: Connection; timer: ReturnType<typeof setTimeout> } | null>(null);
  const { name, role, userId } = options;

  useEffect(() => {
    if (sessionId === null) return setConnection(null);
    const key = [client, sessionId, name, role, userId];
    const left = leaving.current;
    leaving.current = null;
    // Strict mode mounts twice: the second mount takes the connection of the first over before it has left.
    const isSame = left !== null && left.key.every((value, index) => value === key[index]);
    if (left && isSame) clearTimeout(left.timer);
    const mine = left && isSame ? left.connection : client.connect(sessionId, latest.current);
    setConnection(mine);
    return () => {
      const timer = setTimeout(() => {
        if (leaving.current?.connection === mine) leaving.current = null; // from here on nobody can take it over
        void mine.leave();
      }, 0);
      leaving.current = { key, connection: mine, timer };
    };
  }, [client, sessionId, name, role, userId]);

  const subscribe = useCallback((told: () => void) => connection?.subscribe(told) ?? nothing(), [connection]);
  const state = useSyncExternalStore(
    subscribe,
    () => connection?.state ?? EMPTY,
    () => EMPTY,
  );
  const send = useCallback(
    (text: string, how?: SendOptions) =>
      connection ? connection.send(text, how) : Promise.reject(new SeanceError('CONNECTION_LOST', 'Not connected yet.', { retryable: true })),
    [connection],
  );
  const typing = useCallback((isTyping?: boolean) => connection?.typing(isTyping), [connection]);
  return { connection, state, send, typing };
}

/**
 * Follow the planchette. `onFrame` is called at each frame, outside of rendering: move an element with it. Gives the
 * player, for `pause`, `resume` and replays; null until there is a connection.
 */
export function usePlanchette(
  connection: Connection | null,
  onFrame: (position: Position) => void,
  options: Omit<PlayerOptions, 'onFrame' | 'now'> = {},
): BoardPlayer | null {
  const [player, setPlayer] = useState<BoardPlayer | null>(null);
  const latest = useRef(onFrame);
  latest.current = onFrame;
  const first = useRef(options);
  const { instant = false } = options;

  useEffect(() => {
    if (connection === null) return setPlayer(null);
    const made = new BoardPlayer({
      ...first.current,
      now: () => connection.clock.now(),
      onFrame: (position) => latest.current(position),
    });
    setPlayer(made);
    return follow(connection, made);
  }, [connection]);

  useEffect(() => {
    if (player) player.instant = instant;
  }, [player, instant]);

  return player;
}
