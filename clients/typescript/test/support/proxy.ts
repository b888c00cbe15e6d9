/** A wire between a client and a server that can be cut, delayed and blocked. */

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Proxy {
  /** Milliseconds that every byte takes, in both directions. */
  delayMs = 0;
  /** Swallow everything without closing: a dead line. */
  isBlocked = false;
  /** Refuse new connections. */
  isDown = false;
  /** Cut the connection when the server's bytes contain this, before they are passed on. */
  cutBefore: string | undefined;
  /** Cut every connection after this many more bytes of the server. */
  cutAfterBytes = Number.POSITIVE_INFINITY;
  /** How many connections were cut. */
  cuts = 0;
  #server: Server;
  #pairs = new Set<[Socket, Socket]>();

  private constructor(private readonly upstream: number) {
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(upstream: number): Promise<Proxy> {
    const proxy = new Proxy(upstream);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cut all connections now. */
  cut(): void {
    for (const pair of this.#pairs) this.#cut(pair);
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    if (this.isDown) return void client.destroy();
    const server = connect(this.upstream, '127.0.0.1');
    const pair: [Socket, Socket] = [client, server];
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    client.on('data', (chunk) => this.#pass(chunk, server));
    server.on('data', (chunk) => this.#answer(chunk, pair));
  }

  #answer(chunk: Buffer, pair: [Socket, Socket]): void {
    if (this.cutBefore !== undefined && chunk.includes(this.cutBefore)) {
      this.cutBefore = undefined;
      return this.#cut(pair);
    }
    const kept = chunk.subarray(0, Math.max(0, this.cutAfterBytes));
    this.cutAfterBytes -= kept.length;
    this.#pass(kept, pair[0]);
    if (kept.length < chunk.length) {
      this.cutAfterBytes = Number.POSITIVE_INFINITY;
      setImmediate(() => this.#cut(pair));
    }
  }

  #pass(chunk: Buffer, to: Socket): void {
    if (this.isBlocked) return;
    if (this.delayMs === 0) to.write(chunk);
    else setTimeout(() => to.writable && to.write(chunk), this.delayMs);
  }

  #cut(pair: [Socket, Socket]): void {
    this.cuts += 1;
    for (const socket of pair) socket.resetAndDestroy();
  }
}
