/** What the end of a socket means: come back, come back with another token, or never. */

import { SeanceError } from './errors.js';
import { CLOSE_CODES } from './generated/events.js';

/** What to do next; `end` is for good, and null says that nothing went wrong. */
export type Verdict = { next: 'retry'; error: SeanceError } | { next: 'renew' } | { next: 'end'; error: SeanceError | null };

const TOKEN_EXPIRED = 4001;
const UNAUTHORIZED = 4500;

/** Closes without an `error` event before them, by what they mean. */
const FINAL: Record<number, [SeanceError['code'], string]> = {
  4001: ['UNAUTHORIZED', 'The access token expired.'],
  4500: ['UNAUTHORIZED', 'The access token is not good any more.'],
  4501: ['FORBIDDEN', 'Not allowed in this session.'],
  4503: ['FORBIDDEN', 'Sent away from this session.'],
  4505: ['SESSION_ENDED', 'The session has ended.'],
  4506: ['SESSION_NOT_FOUND', 'There is no such session.'],
};

/**
 * Whether a WebSocket that closed with `code` should be opened again: 4000–4499 yes, 4500–4999 no, of those below what
 * the server's table says, and everything else, 1001, 1006 and 1012 among it, yes.
 */
export function comesBack(code: number): boolean {
  if (code >= 4000 && code <= 4999) return code < 4500;
  return CLOSE_CODES[code] ?? true;
}

/**
 * Read the end of a socket. `refusal` is the `error` event that came before it, `mayRenew` whether another token may
 * help. A join that was refused for its fields is not closed by the server: then the refusal decides. One that is
 * forbidden is closed, with 4501; FORBIDDEN on an open socket says that it has joined already, where the wire doubled
 * the join and lost the welcome.
 */
export function verdictOf(code: number, reason: string, refusal: SeanceError | undefined, mayRenew: boolean): Verdict {
  const error = refusal ?? new SeanceError('CONNECTION_LOST', reason || `Closed with ${code}.`, { closeCode: code });
  const wantsToken = code === TOKEN_EXPIRED || (code === UNAUTHORIZED && error.code === 'UNAUTHORIZED');
  if (wantsToken && mayRenew) return { next: 'renew' };
  const isRefused = refusal?.retryable === false && refusal.code !== 'FORBIDDEN' && code < 4000;
  if (comesBack(code) && !wantsToken && !isRefused) return { next: 'retry', error };
  return { next: 'end', error: code === 1000 && !refusal ? null : finalError(error, code) };
}

/** The error of a refused join, or one that names the close code. */
function finalError(error: SeanceError, code: number): SeanceError {
  if (error.code !== 'CONNECTION_LOST') return new SeanceError(error.code, error.message, { ...error, closeCode: code });
  const [known, message] = FINAL[code] ?? ['CONNECTION_CLOSED', `The server closed the connection for good (${code}).`];
  return new SeanceError(known, message, { closeCode: code });
}
