/**
 * Answers that are here before the planchette has spelt them. The text waits for the hand, on the screen of whoever came
 * late, too; whoever cannot see the board, because the moves were left out or the window is in the background, gets it
 * when it would have been over.
 */

import type { AnswerData, Message, ServerEvents, SpiritMove } from '@seance/client';

interface Waiting {
  answer: AnswerData;
  /** Unknown for an answer that was there before us, until the board shows that it is this one. */
  turnId: string | null;
  timer: number;
}

const SLACK_MS = 2_500;

/** The answers that wait, by the ids of their messages. */
export class Held {
  readonly #waiting = new Map<string, Waiting>();
  /** When the last script that is known will be over, on the server's clock. */
  #busyUntil = 0;

  /** `now` is the server's clock. */
  constructor(
    private readonly now: () => number,
    private readonly reveal: (answer: AnswerData) => void,
  ) {}

  /** Whether a message is not to be shown yet. */
  has(messageId: string): boolean {
    return this.#waiting.has(messageId);
  }

  /** An answer came. It waits until its script is over; one that is not spelt is revealed at once. */
  hold(answer: ServerEvents['spirit_response']): void {
    if (!isSpelt(answer)) return this.reveal(answer);
    const begins = answer.starts_at ? Date.parse(answer.starts_at) : Math.max(this.now(), this.#busyUntil);
    this.#wait(answer, answer.turn_id, begins);
  }

  /** Answers that were there when we came: those that are still being spelt, or not yet, wait. */
  found(messages: readonly Message[]): void {
    for (const message of messages) {
      const answer = message as AnswerData;
      if (!message.is_spirit || this.has(message.id) || !isSpelt(answer) || answer.starts_at === null) continue;
      const begins = Date.parse(answer.starts_at);
      if (begins + answer.board_script.duration_ms > this.now()) this.#wait(answer, null, begins);
    }
  }

  /** The board moves: the answer whose script this is, is over when its last move is. */
  moves({ turn_id: turnId, starts_at: startsAt, moves }: SpiritMove): void {
    for (const one of this.#waiting.values()) {
      if (one.turnId === turnId || (one.turnId === null && moves.every((move) => isOf(one.answer, move)))) {
        return this.#wait(one.answer, turnId, Date.parse(startsAt));
      }
    }
  }

  /** The script of a turn is over. */
  release(turnId: string): void {
    for (const one of this.#waiting.values()) if (one.turnId === turnId) this.#tell(one);
  }

  /** Forget all. */
  close(): void {
    for (const { timer } of this.#waiting.values()) window.clearTimeout(timer);
    this.#waiting.clear();
  }

  #wait(answer: AnswerData, turnId: string | null, begins: number): void {
    window.clearTimeout(this.#waiting.get(answer.id)?.timer);
    const ends = begins + answer.board_script.duration_ms;
    this.#busyUntil = Math.max(this.#busyUntil, ends);
    const one: Waiting = { answer, turnId, timer: window.setTimeout(() => this.#tell(one), ends + SLACK_MS - this.now()) };
    this.#waiting.set(answer.id, one);
  }

  #tell({ answer, timer }: Waiting): void {
    window.clearTimeout(timer);
    if (this.#waiting.delete(answer.id)) this.reveal(answer);
  }
}

function isSpelt({ board_script: script }: AnswerData): boolean {
  return script.duration_ms > 0 && script.moves.length > 0;
}

function isOf({ board_script: script }: AnswerData, move: SpiritMove['moves'][number]): boolean {
  const own = script.moves[move.i];
  return own !== undefined && own.i === move.i && own.t_ms === move.t_ms && own.glyph === move.glyph && own.x === move.x;
}
