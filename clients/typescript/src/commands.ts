/** Commands that have no answer of their own when they succeed. */

import { SeanceError } from './errors.js';
import type { ErrorData } from './generated/schemas.js';
import type { Platform } from './platform.js';

interface Waiting {
  timer: unknown;
  resolve(): void;
  reject(error: SeanceError): void;
}

/**
 * A server works on the frames of one socket one after another. So a heartbeat goes right behind each command: if its
 * answer comes and no error came before it, the command succeeded. If none comes for `timeoutMs`, nobody knows.
 */
export class Commands {
  #waiting = new Map<string, Waiting>();
  #count = 0;

  constructor(
    private readonly platform: Platform,
    private readonly timeoutMs: number,
  ) {}

  /** Send one with `transmit(ref, fence)`: the command carries `ref`, the heartbeat behind it `fence`. */
  run(transmit: (ref: string, fence: string) => void): Promise<void> {
    const ref = `cmd-${(this.#count += 1)}`;
    return new Promise((resolve, reject) => {
      const timer = this.platform.setTimeout(() => this.#late(ref), this.timeoutMs);
      this.#waiting.set(ref, { timer, resolve, reject });
      transmit(ref, fenceOf(ref));
    });
  }

  /** An answer or an error with this `ref` came. Whether it belongs to a command. */
  answered(ref: string | undefined, error?: ErrorData): boolean {
    for (const [own, waiting] of this.#waiting) {
      if (ref !== own && ref !== fenceOf(own)) continue;
      this.#forget(own, waiting);
      if (ref === own && error) waiting.reject(asError(error));
      else waiting.resolve();
      return true;
    }
    return false;
  }

  /** The connection is gone: nobody knows which of them were done. */
  lost(): void {
    const error = new SeanceError('CONNECTION_LOST', 'The connection dropped before an answer came.', { retryable: true });
    for (const [ref, waiting] of [...this.#waiting]) {
      this.#forget(ref, waiting);
      waiting.reject(error);
    }
  }

  #late(ref: string): void {
    const waiting = this.#waiting.get(ref);
    this.#waiting.delete(ref);
    waiting?.reject(new SeanceError('TIMEOUT', 'The server did not answer in time.', { retryable: true }));
  }

  #forget(ref: string, { timer }: Waiting): void {
    this.platform.clearTimeout(timer);
    this.#waiting.delete(ref);
  }
}

/** An `error` event as what is thrown. */
export function asError(data: ErrorData, closeCode?: number): SeanceError {
  return new SeanceError(data.code, data.message, {
    retryable: data.retryable,
    retryAfterMs: data.retry_after_ms ?? undefined,
    details: data.details,
    closeCode,
  });
}

function fenceOf(ref: string): string {
  return `${ref}-done`;
}
