/** One REST call: address, headers, deadline, envelope, errors. */

import { SeanceError, type ServerErrorCode } from './errors.js';
import { ERROR_CODES } from './generated/events.js';
import { OPERATIONS, type Operations } from './generated/operations.js';
import type { Failure } from './generated/schemas.js';
import type { TokenKeeper } from './tokens.js';

/** What every call takes besides its own arguments. */
export interface CallOptions {
  /** Ends the call early; it rejects with `ABORTED`. */
  signal?: AbortSignal;
  /** Milliseconds until it rejects with `TIMEOUT`; default: the client's `timeoutMs`. */
  timeoutMs?: number;
  /** An access token in place of the client's own, such as a `hostToken`. It is not renewed. */
  token?: string;
}

/** @internal */
export interface Call<Id extends keyof Operations> extends CallOptions {
  path?: Record<string, string>;
  query?: Operations[Id]['query'] | undefined;
  body?: Operations[Id]['body'];
  headers?: Record<string, string>;
  /** Send no token, and do not renew one. */
  anonymous?: boolean;
}

/** The answer's envelope, without what it says about success. */
export type Answered<Id extends keyof Operations> = Omit<Operations[Id]['answer'], 'success'>;

/** Speaks HTTP with one server. */
export class Http {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  tokens: TokenKeeper | undefined;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;

  constructor(baseUrl: string, fetching: typeof fetch, timeoutMs: number) {
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.#fetch = fetching;
    this.#timeoutMs = timeoutMs;
  }

  /** The address of an operation. */
  url<Id extends keyof Operations>(id: Id, path: Record<string, string> = {}, query: object = {}): string {
    const filled = OPERATIONS[id].path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''));
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
    return `${this.baseUrl}${filled}${search.size ? `?${search}` : ''}`;
  }

  /** Call an operation; rejects with a `SeanceError`. A 401 is tried once more with a renewed token. */
  async call<Id extends keyof Operations>(id: Id, call: Call<Id> = {}): Promise<Answered<Id>> {
    const response = await this.send(id, call);
    const body = await this.#json(response);
    if (!isEnvelope(body)) throw notOurs(response);
    return body as Answered<Id>;
  }

  /** The response to an operation, if it is a success. */
  async send<Id extends keyof Operations>(id: Id, call: Call<Id>): Promise<Response> {
    const own = !call.anonymous && call.token === undefined;
    const token = own ? ((await this.tokens?.access()) ?? null) : (call.token ?? null);
    const response = await this.#request(id, call, token);
    if (response.ok) return response;
    const error = await this.#failure(response);
    if (error.status !== 401 || !own || token === null || (await this.tokens?.get())?.refresh === undefined) throw error;
    const renewed = await this.tokens!.renew(token);
    const again = await this.#request(id, call, renewed);
    if (again.ok) return again;
    throw await this.#failure(again);
  }

  async #request<Id extends keyof Operations>(id: Id, call: Call<Id>, token: string | null): Promise<Response> {
    const deadline = AbortSignal.timeout(call.timeoutMs ?? this.#timeoutMs);
    const headers: Record<string, string> = { Accept: 'application/json', ...call.headers };
    if (token !== null) headers['Authorization'] = `Bearer ${token}`;
    if (call.body !== undefined) headers['Content-Type'] = 'application/json';
    try {
      return await this.#fetch(this.url(id, call.path, call.query), {
        method: OPERATIONS[id].method,
        headers,
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: call.signal ? AbortSignal.any([call.signal, deadline]) : deadline,
      });
    } catch (cause) {
      if (call.signal?.aborted) throw new SeanceError('ABORTED', 'The call was aborted.', { cause });
      if (deadline.aborted) throw new SeanceError('TIMEOUT', 'The server did not answer in time.', { retryable: true, cause });
      throw new SeanceError('NETWORK_ERROR', 'The server could not be reached.', { retryable: true, cause });
    }
  }

  async #json(response: Response): Promise<unknown> {
    try {
      return await response.json();
    } catch (cause) {
      throw notOurs(response, cause);
    }
  }

  async #failure(response: Response): Promise<SeanceError> {
    const body = await response.json().catch(() => undefined);
    if (!isFailure(body)) return notOurs(response);
    const { code, message, details } = body.error;
    const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
    const told = details['retry_after_ms'];
    return new SeanceError(code, message, {
      status: response.status,
      details,
      retryable: ERROR_CODES[code as ServerErrorCode]?.retryable ?? response.status >= 500,
      retryAfterMs: typeof told === 'number' ? told : Number.isFinite(seconds) ? seconds * 1000 : undefined,
      requestId: response.headers.get('X-Request-ID') ?? undefined,
    });
  }
}

function isEnvelope(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'data' in body;
}

function isFailure(body: unknown): body is Failure {
  return typeof body === 'object' && body !== null && typeof (body as Failure).error?.code === 'string';
}

function notOurs(response: Response, cause?: unknown): SeanceError {
  return new SeanceError('BAD_RESPONSE', `Not an answer of a Séance server: HTTP ${response.status}.`, {
    status: response.status,
    retryable: response.status >= 500,
    requestId: response.headers.get('X-Request-ID') ?? undefined,
    cause,
  });
}
