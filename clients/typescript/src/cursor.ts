/** How far a client has come in a session's log. */

/** What to do with a durable event: hand it on, drop it, or fetch what is missing before it. */
export type Verdict = 'next' | 'known' | 'gap';

/**
 * The position in one log. Live events come without holes; in a replay numbers may be missing, since deleted messages
 * are left out of it. The server says where a replay ends.
 */
export class Cursor {
  /** Which log; undefined before the first `welcome`. */
  epoch: string | undefined;
  /** The highest `seq` that was handed on. */
  seq = 0;
  #replayUntil = 0;

  /** Stand at `seq` of log `epoch`. */
  reset(epoch: string, seq: number): void {
    this.epoch = epoch;
    this.seq = seq;
    this.#replayUntil = 0;
  }

  /** Up to `seq`, holes are meant. */
  expectReplay(until: number): void {
    this.#replayUntil = until;
  }

  /** The replay is over: everything up to `seq` is here. */
  endReplay(seq: number): void {
    this.#replayUntil = 0;
    this.seq = Math.max(this.seq, seq);
  }

  /** What to do with the event `seq`; `next` counts it as handed on. */
  offer(seq: number): Verdict {
    if (seq <= this.seq) return 'known';
    if (seq > this.seq + 1 && seq > this.#replayUntil) return 'gap';
    this.seq = seq;
    return 'next';
  }
}
