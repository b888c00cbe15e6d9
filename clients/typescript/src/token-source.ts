/** Where a connection's token comes from. */

/** A token, or what gives one; called with the old one where a new one is wanted. */
export type TokenOption = string | ((stale?: string) => string | null | Promise<string | null>) | undefined;

/** Remembers the token in use, and never asks for a new one in place of the same old one twice. */
export class TokenSource {
  #last: string | undefined;
  #renewed = false;

  constructor(private readonly source: TokenOption) {}

  /** Whether a new token may help: there is something to ask, and the one in use was not just asked for. */
  get mayRenew(): boolean {
    return typeof this.source === 'function' && this.#last !== undefined && !this.#renewed;
  }

  /** The token to join with; undefined for a guest without one. */
  async get(): Promise<string | undefined> {
    if (typeof this.source !== 'function') return this.source;
    if (this.#renewed) return this.#last;
    this.#last = (await this.source()) ?? undefined;
    return this.#last;
  }

  /** A new token in place of the one in use; undefined where there is nothing to ask. */
  async renew(): Promise<string | undefined> {
    if (typeof this.source !== 'function') return undefined;
    this.#last = (await this.source(this.#last)) ?? undefined;
    this.#renewed = true;
    return this.#last;
  }

  /** The server took the token: the next time it may be renewed again. */
  accepted(): void {
    this.#renewed = false;
  }
}
