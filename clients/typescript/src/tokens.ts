/** Access and refresh tokens: kept, renewed one at a time, shared between tabs through a store. */

import { SeanceError } from './errors.js';

/** A pair of tokens, as `auth.guest`, `auth.logIn` and the others give it. */
export interface Tokens {
  access: string;
  /** Works once. A host token of `sessions.create` comes without one. */
  refresh?: string | undefined;
}

/** Where tokens survive a reload, such as `localStorage`. Both calls may be asynchronous. */
export interface TokenStore {
  load(): Tokens | null | Promise<Tokens | null>;
  save(tokens: Tokens | null): void | Promise<void>;
}

/** How long before its end an access token is renewed, in milliseconds. */
export const RENEW_BEFORE_MS = 30_000;

/** Keeps the tokens of one client. */
export class TokenKeeper {
  #tokens: Tokens | null;
  #loaded: Promise<void> | undefined;
  #renewing: Promise<string> | undefined;
  readonly #store: TokenStore | undefined;
  readonly #exchange: (refresh: string) => Promise<Tokens>;

  /** `exchange` trades a refresh token for the next pair; it rejects with a `SeanceError`. */
  constructor(tokens: Tokens | null, store: TokenStore | undefined, exchange: (refresh: string) => Promise<Tokens>) {
    this.#tokens = tokens;
    this.#store = store;
    this.#exchange = exchange;
  }

  /** The tokens now; null for nobody. */
  async get(): Promise<Tokens | null> {
    if (this.#store !== undefined && this.#tokens === null) {
      this.#loaded ??= Promise.resolve(this.#store.load()).then((found) => {
        this.#tokens ??= found;
      });
      await this.#loaded;
    }
    return this.#tokens;
  }

  /** Take these tokens, or with null none, and store them. */
  async set(tokens: Tokens | null): Promise<void> {
    this.#tokens = tokens;
    this.#loaded = Promise.resolve();
    await this.#store?.save(tokens);
  }

  /** An access token that is good for a while, renewed first if its end is near; null for nobody. */
  async access(): Promise<string | null> {
    const tokens = await this.get();
    if (tokens === null) return null;
    const expiresAt = expiryOf(tokens.access);
    if (tokens.refresh === undefined || expiresAt === undefined || expiresAt - Date.now() > RENEW_BEFORE_MS) {
      return tokens.access;
    }
    return this.renew(tokens.access);
  }

  /**
   * A new access token in place of `stale`. Whoever calls meanwhile gets the same one: a refresh token works once, and
   * using it twice revokes the whole family. Rejects with `UNAUTHORIZED` where there is nothing to renew with.
   */
  renew(stale: string): Promise<string> {
    this.#renewing ??= this.#locked(() => this.#renew(stale)).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(stale: string): Promise<string> {
    // Another tab may have been first.
    const stored = await this.#store?.load();
    if (stored) this.#tokens = stored;
    const tokens = this.#tokens;
    if (tokens !== null && tokens.access !== stale) return tokens.access;
    if (tokens?.refresh === undefined) throw new SeanceError('UNAUTHORIZED', 'There is no refresh token.', { status: 401 });
    try {
      const next = await this.#exchange(tokens.refresh);
      await this.set({ access: next.access, refresh: next.refresh });
      return next.access;
    } catch (error) {
      if (error instanceof SeanceError && error.code === 'UNAUTHORIZED') await this.set(null);
      throw error;
    }
  }

  /** One tab at a time, where the platform has locks and the tokens are shared through a store. */
  #locked<T>(work: () => Promise<T>): Promise<T> {
    const locks = this.#store && (globalThis.navigator as Navigator | undefined)?.locks;
    return locks ? (locks.request('seance-token-refresh', work) as Promise<T>) : work();
  }
}

/** When a JWT expires, in milliseconds since 1970; undefined where it cannot be read. It is not verified. */
export function expiryOf(jwt: string): number | undefined {
  try {
    const payload = jwt.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
