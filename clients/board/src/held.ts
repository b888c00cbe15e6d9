/**
 * Answers that are here before the planchette has spelt them. The text waits for the hand; whoever cannot see the
 * board, because the moves were left out or the window is in the background, gets it when it would have been over.
 */

import type { ServerEvents } from '@seance/client';

type Answer = ServerEvents['spirit_response'];

const SLACK_MS = 2_500;

/** The answers that wait. */
export class Held {
  readonly #waiting = new Map<string, { answer: Answer; timer: number }>();
  /** When the last script that is known will be over, local milliseconds. */
  #busyUntil = 0;

  constructor(private readonly reveal: (answer: Answer) => void) {}

  /** Whether a message is not to be shown yet. */
  has(messageId: string): boolean {
    return [...this.#waiting.values()].some(({ answer }) => answer.id === messageId);
  }

  /** Hold an answer until its script is over; one that is not spelt is revealed at once. */
  hold(answer: Answer, startsAt: number | null): void {
    const { turn_id: turnId, board_script: script } = answer;
    if (turnId === null || script.duration_ms === 0 || script.moves.length === 0) return this.reveal(answer);
    const begins = startsAt ?? Math.max(Date.now(), this.#busyUntil);
    this.#busyUntil = Math.max(this.#busyUntil, begins + script.duration_ms);
    const wait = this.#busyUntil + SLACK_MS - Date.now();
    this.#waiting.set(turnId, { answer, timer: window.setTimeout(() => this.release(turnId), wait) });
  }

  /** The script of a turn is over. */
  release(turnId: string): void {
    const found = this.#waiting.get(turnId);
    if (!found) return;
    window.clearTimeout(found.timer);
    this.#waiting.delete(turnId);
    this.reveal(found.answer);
  }

  /** Reveal all, in order. */
  releaseAll(): void {
    for (const turnId of [...this.#waiting.keys()]) this.release(turnId);
  }
}
