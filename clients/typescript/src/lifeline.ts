/** One socket after another: opens them, joins with a good token, and decides at each end whether to come back. */

import { backoffMs } from './backoff.js';
import { verdictOf } from './closes.js';
import { asError } from './commands.js';
import type { ConnectionEvents, ConnectionSetup } from './connection-options.js';
import type { Emitter } from './emitter.js';
import { SeanceError } from './errors.js';
import { encode, type ServerFrame } from './frames.js';
import type { ClientEvents } from './generated/events.js';
import type { ErrorData, Join } from './generated/schemas.js';
import { Link } from './link.js';
import type { Platform, WebSocketClass } from './platform.js';
import type { Snapshot } from './snapshot.js';
import { TokenSource } from './token-source.js';

/** What a lifeline needs of its connection. */
export interface LifelinePort {
  /** What the join says beside the token: who one is, and how far one has come. */
  join(token: string | undefined): Join;
  frame(frame: ServerFrame): void;
  /** The socket is gone; another one may follow. */
  lost(): void;
  /** There will be no other one. Null: nothing went wrong. */
  finished(error: SeanceError | null): void;
}

/** A connection that held this long, in milliseconds, starts counting failures anew. */
const STABLE_MS = 10_000;
const REFUSED_MS = 1_000;

/** From `start` to `finish`; the status of the snapshot is its own. */
export class Lifeline {
  #link: Link | undefined;
  #timer: unknown;
  #failures = 0;
  #openedAt: number | undefined;
  #reconnectAfterMs: number | undefined;
  #refusal: SeanceError | undefined;
  #isWelcome = false;
  readonly #token: TokenSource;
  #stopOnline = () => {};

  constructor(
    private readonly setup: ConnectionSetup,
    private readonly platform: Platform,
    private readonly snapshot: Snapshot,
    private readonly emitter: Emitter<ConnectionEvents>,
    private readonly port: LifelinePort,
  ) {
    this.#token = new TokenSource(setup.token);
  }

  /** The socket that is there, opening or open. */
  get link(): Link | undefined {
    return this.#link;
  }

  /** Begin. */
  start(): void {
    const retry = (): void => this.retryNow();
    globalThis.addEventListener?.('online', retry);
    this.#stopOnline = () => globalThis.removeEventListener?.('online', retry);
    void this.#attempt();
  }

  /** While `waiting`: try now. */
  retryNow(): void {
    if (this.#status === 'waiting') void this.#attempt();
  }

  /** Put a frame on the wire; without a socket it is lost. */
  send<E extends keyof ClientEvents>(event: E, data: ClientEvents[E], ref?: string): void {
    this.#link?.send(encode(event, data, ref));
  }

  /** The server let us in. What was missed may follow: `caughtUp` says when. */
  welcomed(): void {
    this.#isWelcome = true;
    this.#patience();
  }

  /** In, and at the end of the log. */
  caughtUp(): void {
    this.#link?.lift();
    this.#openedAt = this.platform.now();
    this.#token.accepted();
    this.snapshot.set({ status: 'open', attempt: 0, error: null });
  }

  /** The history is read meanwhile, for as long as that takes. */
  reads(): void {
    this.#link?.lift();
  }

  /** `goodbye` said when to come back. */
  toldToWait(ms: number): void {
    this.#reconnectAfterMs = ms;
  }

  /** An `error` came before one was in. The close that follows says whether to come back; after some none follows. */
  refused(data: ErrorData, isJoin: boolean): void {
    if (this.#isWelcome) return; // a copy of the join that a bad wire made
    this.#refusal = asError(data);
    if (isJoin) this.#link?.limit(REFUSED_MS, 'the join was refused');
  }

  /** The server took a new token, or wants one. */
  tokenTaken(): void {
    this.#token.accepted();
  }

  async renewToken(): Promise<void> {
    const link = this.#link;
    try {
      const token = await this.#token.renew();
      if (token !== undefined && link === this.#link) this.send('refresh_token', { token }, 'token');
    } catch {
      // The socket closes with 4001 when the old one ends; the next attempt asks for a token again.
    }
  }

  /** End it for good. */
  finish(error: SeanceError | null): void {
    if (this.#status === 'closed') return;
    this.platform.clearTimeout(this.#timer);
    this.#stopOnline();
    const link = this.#link;
    this.snapshot.set({ status: 'closed', error, retryAt: null, typing: [] });
    this.port.finished(error);
    link?.abandon('closed by the user');
  }

  get #status() {
    return this.snapshot.state.status;
  }

  // --- One attempt ----------------------------------------------------------------------------------------------

  async #attempt(): Promise<void> {
    this.platform.clearTimeout(this.#timer);
    this.snapshot.set({ status: 'connecting', retryAt: null, attempt: this.#failures });
    let token: string | undefined;
    try {
      token = await this.#token.get();
    } catch (cause) {
      return this.#noToken(cause);
    }
    if (this.#status !== 'connecting') return; // closed meanwhile
    this.#reconnectAfterMs = this.#refusal = this.#openedAt = undefined;
    this.#isWelcome = false;
    const Socket = this.setup.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined);
    if (Socket === undefined) {
      const message = 'There is no WebSocket here; pass one, such as NodeWebSocket of @seance/client/node.';
      return this.finish(new SeanceError('CONNECTION_CLOSED', message));
    }
    this.#link = new Link(
      Socket,
      this.setup.url,
      {
        opened: () => this.send('join_session', this.port.join(token), 'join'),
        frame: (frame) => this.#hear(frame),
        ended: (code, reason) => this.#dropped(code, reason),
      },
      this.platform,
    );
    this.#patience();
  }

  #hear(frame: ServerFrame): void {
    if (this.#isWelcome && this.#status === 'connecting') this.#patience(); // a long replay is no silence
    this.port.frame(frame);
  }

  #patience(): void {
    this.#link?.limit(this.setup.joinTimeoutMs ?? 15_000, 'the join was not done in time');
  }

  // --- The end of a socket --------------------------------------------------------------------------------------

  #dropped(code: number, reason: string): void {
    this.#link = undefined;
    this.port.lost();
    if (this.#status === 'closed') return;
    this.snapshot.set({ closeCode: code, typing: [] });
    const verdict = verdictOf(code, reason, this.#refusal, this.#token.mayRenew);
    if (verdict.next === 'renew') return void this.#comeBackWithToken(code, reason);
    if (verdict.next === 'retry') return this.#comeBack(code, reason, verdict.error);
    this.emitter.emit('disconnected', { code, reason, retryInMs: null });
    this.finish(verdict.error);
  }

  #comeBack(code: number, reason: string, error: SeanceError): void {
    const now = this.platform.now();
    if (this.#openedAt !== undefined && now - this.#openedAt >= STABLE_MS) this.#failures = 0;
    const told = this.#reconnectAfterMs ?? this.#refusal?.retryAfterMs;
    const retryInMs = told ?? backoffMs(this.#failures, () => this.platform.random(), this.setup.backoff);
    this.#failures += 1;
    this.snapshot.set({ status: 'waiting', attempt: this.#failures, retryAt: now + retryInMs, error });
    this.#timer = this.platform.setTimeout(() => void this.#attempt(), retryInMs);
    this.emitter.emit('disconnected', { code, reason, retryInMs });
  }

  async #comeBackWithToken(code: number, reason: string): Promise<void> {
    this.snapshot.set({ status: 'waiting' });
    this.emitter.emit('disconnected', { code, reason, retryInMs: 0 });
    try {
      await this.#token.renew();
    } catch (cause) {
      return this.#noToken(cause);
    }
    if (this.#status === 'waiting') void this.#attempt();
  }

  /** No token could be got: a matter of time, or for good. */
  #noToken(cause: unknown): void {
    if (this.#status === 'closed') return;
    const error = cause instanceof SeanceError ? cause : new SeanceError('UNAUTHORIZED', 'There is no token.', { cause });
    if (error.retryable) this.#comeBack(1006, error.message, error);
    else this.finish(error);
  }
}
