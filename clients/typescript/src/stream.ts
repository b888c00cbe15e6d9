/** The log as one client follows it: live events one by one, a replay as a whole, the history where there is none. */

import { SeanceError } from './errors.js';
import { frameOf, type Frame, type ServerFrame } from './frames.js';
import type { Resumed, ResyncRequired, Welcome } from './generated/schemas.js';
import type { Message } from './rest.js';

/** A frame of the log. */
export type DurableFrame = ServerFrame & { seq: number };

/** What a stream needs of its connection. */
export interface StreamPort {
  /** The next frame of the log, once and in order. */
  hand(frame: ServerFrame): void;
  /** Everything up to now is here. */
  caughtUp(): void;
  /** This socket cannot be trusted: something is missing. */
  broken(reason: string): void;
  gap(gap: { after: number; got: number }): void;
  resync(resync: { reason: ResyncRequired['reason']; complete: boolean }): void;
  /** Where to begin to read, so that messages of the snapshot that were deleted meanwhile are noticed. */
  firstShown(): number | undefined;
  /** Of the messages of the snapshot only these are still there. */
  keepOnly(ids: ReadonlySet<string>): void;
  /** These are all that there is. */
  showOnly(messages: readonly Message[]): void;
  history(afterSeq: number, beforeSeq: number): AsyncIterable<Message>;
}

/**
 * Stands at one place in one log: `epoch` and `seq`. On a socket it hears `welcome`, then either live events, or all
 * that was missed and `resumed`, or `resync_required`. What was missed is handed on when all of it is here.
 */
export class LogStream {
  /** Which log; undefined before the first `welcome`. */
  epoch: string | undefined;
  /** The highest `seq` that was handed on. */
  seq = 0;
  #welcome: Welcome | undefined;
  #held: DurableFrame[] | undefined;

  constructor(private readonly port: StreamPort) {}

  /** Another socket takes over, or none: forget what was held. */
  lost(): void {
    this.#welcome = this.#held = undefined;
  }

  /** Whether a `welcome` opens this socket: the first ever, one after which what was missed follows, or a copy. */
  welcomed(welcome: Welcome): 'first' | 'again' | 'copy' {
    if (this.#welcome !== undefined) return 'copy';
    this.#welcome = welcome;
    if (this.epoch !== undefined) {
      this.#held = [];
      return 'again';
    }
    this.#stand(welcome);
    return 'first';
  }

  /** An event of the log came. */
  durable(frame: DurableFrame): void {
    if (this.#welcome === undefined) return this.port.broken('events came before the welcome');
    if (this.#held) return void this.#held.push(frame);
    if (frame.seq <= this.seq) return;
    if (frame.seq > this.seq + 1) {
      this.port.gap({ after: this.seq, got: frame.seq });
      return this.port.broken('events are missing');
    }
    this.seq = frame.seq;
    this.port.hand(frame);
  }

  /** The replay is over. Deleted messages are left out of it, so not its numbers but its length tells if it is whole. */
  resumed(frame: Frame<'resumed', Resumed>): void {
    if (!this.#held) return;
    const { to, count } = frame.data;
    const bySeq = new Map(this.#held.map((one) => [one.seq, one]));
    const missed = [...bySeq.values()].filter(({ seq }) => seq > this.seq && seq <= to).sort((a, b) => a.seq - b.seq);
    if (missed.length !== count) return this.port.broken('the replay is not whole');
    const later = this.#held.filter(({ seq }) => seq > to);
    this.#held = undefined;
    for (const one of missed) {
      this.seq = one.seq;
      this.port.hand(one);
    }
    this.seq = Math.max(this.seq, to);
    this.port.hand(frame as ServerFrame);
    this.#goOn(later);
  }

  /** The server does not replay. Read what was missed from the history; if the log is another one, begin anew. */
  async resync(reason: ResyncRequired['reason']): Promise<void> {
    const welcome = this.#welcome;
    if (welcome === undefined) return;
    // A database was put back under a server that runs: another welcome says where its log stands.
    if (!this.#held) return this.port.broken('the log is another one');
    let complete = false;
    if (reason === 'too_far_behind') {
      try {
        const found = await this.#read(welcome.seq);
        if (welcome !== this.#welcome) return; // the socket is gone
        this.#take(found);
        complete = true;
      } catch (error) {
        if (welcome !== this.#welcome) return;
        if (error instanceof SeanceError && error.retryable) return this.port.broken('the history could not be read');
      }
    }
    this.#stand(welcome);
    if (!complete) this.port.showOnly(welcome.recent);
    this.port.resync({ reason, complete });
    const later = this.#held;
    this.#held = undefined;
    this.#goOn(later);
  }

  #goOn(later: readonly DurableFrame[]): void {
    const welcome = this.#welcome;
    for (const frame of later) if (welcome === this.#welcome) this.durable(frame);
    if (welcome === this.#welcome) this.port.caughtUp();
  }

  #stand({ epoch, seq }: Welcome): void {
    this.epoch = epoch;
    this.seq = seq;
  }

  async #read(upTo: number): Promise<Message[]> {
    const first = this.port.firstShown() ?? this.seq + 1;
    const found: Message[] = [];
    for await (const message of this.port.history(Math.min(first - 1, this.seq), upTo + 1)) found.push(message);
    return found;
  }

  #take(found: readonly Message[]): void {
    this.port.keepOnly(new Set(found.map((message) => message.id)));
    for (const message of found.filter((one) => one.seq > this.seq)) {
      this.seq = message.seq;
      this.port.hand(frameOf(message));
    }
  }
}
