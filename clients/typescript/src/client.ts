/** The entry: one server, one person. */

import type { ConnectionSetup, JoinOptions } from './connection-options.js';
import { Connection } from './connection.js';
import { Http } from './http.js';
import type { Platform } from './platform.js';
import { Auth, Layouts, Sessions, Spirits, told } from './rest.js';
import { TokenKeeper, type Tokens, type TokenStore } from './tokens.js';

/** How to reach a server, and as whom. */
export interface ClientOptions {
  /** Such as `https://seance.example`, with the path in front of `/api` if there is one. */
  baseUrl: string;
  /** Tokens from elsewhere, such as `{ access: hostToken }`. Default: nobody, or what the store has. */
  tokens?: Tokens;
  /** Where tokens survive a reload. */
  tokenStore?: TokenStore;
  /** Milliseconds until a REST call rejects with `TIMEOUT`; default 15,000. */
  timeoutMs?: number;
  /** Default: the platform's `fetch`. */
  fetch?: typeof fetch;
  /** @internal For tests. */
  platform?: Platform;
}

type Range = { after_seq: number; before_seq: number; invite?: string };

/** A client of one server. It keeps at most one person's tokens; make another one for somebody else. */
export class SeanceClient {
  readonly auth: Auth;
  readonly sessions: Sessions;
  readonly spirits: Spirits;
  readonly layouts: Layouts;
  readonly #http: Http;
  readonly #tokens: TokenKeeper;
  readonly #platform: Platform | undefined;

  constructor(options: ClientOptions) {
    const fetching = options.fetch ?? ((...args) => globalThis.fetch(...args));
    this.#http = new Http(options.baseUrl, fetching, options.timeoutMs ?? 15_000);
    this.#tokens = new TokenKeeper(options.tokens ?? null, options.tokenStore, async (refresh) => {
      return told((await this.#http.call('refreshToken', { body: { refresh }, anonymous: true })).data);
    });
    this.#http.tokens = this.#tokens;
    this.#platform = options.platform;
    this.auth = new Auth(this.#http, this.#tokens);
    this.sessions = new Sessions(this.#http);
    this.spirits = new Spirits(this.#http);
    this.layouts = new Layouts(this.#http);
  }

  /** The tokens in use; null for nobody. */
  tokens(): Promise<Tokens | null> {
    return this.#tokens.get();
  }

  /** Use these tokens, or with null none. */
  setTokens(tokens: Tokens | null): Promise<void> {
    return this.#tokens.set(tokens);
  }

  /**
   * Join a session and stay. The connection is there at once; `await connection.ready` waits until it is in.
   * As whom: `options.token`, else `options.userId`, else the client's tokens, else a new guest.
   */
  connect(sessionId: string, options: JoinOptions = {}): Connection {
    const url = new URL(`${this.#http.baseUrl}/ws/${encodeURIComponent(sessionId)}`, globalThis.location?.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const invited = options.invite === undefined ? {} : { invite: options.invite };
    const setup: ConnectionSetup = {
      ...options,
      url: url.href,
      history: (after_seq, before_seq) => this.#history(sessionId, { after_seq, before_seq, ...invited }, options.token),
    };
    if (this.#platform) setup.platform = this.#platform;
    if (options.token === undefined && options.userId === undefined) {
      setup.token = (stale) => (stale === undefined ? this.#tokens.access() : this.#tokens.renew(stale));
    }
    return new Connection(setup).start();
  }

  /** The history, read as whom the connection joined. */
  async *#history(sessionId: string, range: Range, as: JoinOptions['token']) {
    const token = typeof as === 'function' ? await as() : as;
    yield* this.sessions.history(sessionId, range, token ? { token } : {});
  }
}
