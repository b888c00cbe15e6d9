/** A wire that takes a WebSocket apart into frames, and drops, doubles and swaps them on both ways. */

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type Harm = 'drop' | 'double' | 'swap';

/** What may happen to a frame; the shares, 0–1, are of all text frames of one way. */
export type Shares = Record<Harm, number>;

/** How long a frame that changes its place with the next one waits for that at most, in milliseconds. */
const SWAP_MS = 200;
const TEXT = 1;

/** A seeded source of chance (mulberry32), so that a run can be told again. */
export function chance(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class DamagingProxy {
  /** Nothing happens while this is false. */
  isHarmful = true;
  /** What was done, on the way to the client and to the server. */
  readonly done: Record<'toClient' | 'toServer', Record<Harm, number>> = {
    toClient: { drop: 0, double: 0, swap: 0 },
    toServer: { drop: 0, double: 0, swap: 0 },
  };
  #server: Server;
  #sockets = new Set<Socket>();

  private constructor(
    private readonly upstream: number,
    readonly shares: Shares,
    readonly random: () => number,
  ) {
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(upstream: number, shares: Shares, random: () => number): Promise<DamagingProxy> {
    const proxy = new DamagingProxy(upstream, shares, random);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const server = connect(this.upstream, '127.0.0.1');
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket.setNoDelay(true));
      socket.on('error', () => socket.destroy());
      socket.on('close', () => (this.#sockets.delete(socket), other.end()));
    }
    let isSocket = false;
    // Without compression: a frame that is missing would make all behind it unreadable.
    const up = new Way(this, 'toServer', server, (head) => {
      isSocket = /^upgrade: *websocket/im.test(head);
      return head.replace(/^sec-websocket-extensions:.*\r\n/im, '');
    });
    const down = new Way(this, 'toClient', client, (head) => head);
    client.on('data', (chunk) => up.pass(chunk, () => isSocket));
    server.on('data', (chunk) => down.pass(chunk, () => isSocket));
  }
}

/** One direction of one connection: the head of the handshake, then frames. Whatever is no WebSocket passes as it is. */
class Way {
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #isPastHead = false;
  #waits: Buffer | undefined;

  constructor(
    private readonly proxy: DamagingProxy,
    private readonly name: 'toClient' | 'toServer',
    private readonly to: Socket,
    private readonly head: (head: string) => string,
  ) {}

  pass(chunk: Buffer, isSocket: () => boolean): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (!this.#isPastHead) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#write(Buffer.from(this.head(this.#rest.subarray(0, end + 4).toString('latin1')), 'latin1'));
      this.#rest = this.#rest.subarray(end + 4);
      this.#isPastHead = true;
    }
    if (!isSocket()) {
      this.#write(this.#rest);
      this.#rest = Buffer.alloc(0);
      return;
    }
    for (let size = frameSize(this.#rest); size !== undefined; size = frameSize(this.#rest)) {
      this.#frame(this.#rest.subarray(0, size));
      this.#rest = this.#rest.subarray(size);
    }
  }

  #frame(frame: Buffer): void {
    const harm = this.#choose(frame);
    if (harm) this.proxy.done[this.name][harm] += 1;
    if (harm === 'drop') return;
    if (harm === 'swap' && this.#waits === undefined) {
      this.#waits = frame;
      setTimeout(() => this.#release(), SWAP_MS);
      return;
    }
    this.#write(frame);
    if (harm === 'double') this.#write(frame);
    this.#release();
  }

  #choose(frame: Buffer): Harm | undefined {
    if (!this.proxy.isHarmful || (frame[0]! & 0x0f) !== TEXT) return undefined;
    let at = this.proxy.random();
    for (const harm of ['drop', 'double', 'swap'] as const) if ((at -= this.proxy.shares[harm]) < 0) return harm;
    return undefined;
  }

  #release(): void {
    const frame = this.#waits;
    this.#waits = undefined;
    if (frame) this.#write(frame);
  }

  #write(bytes: Buffer): void {
    if (this.to.writable) this.to.write(bytes);
  }
}

/** The length of the frame at the beginning of `bytes`, its head included; undefined while it is not all here. */
function frameSize(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const isMasked = (bytes[1]! & 0x80) !== 0;
  const short = bytes[1]! & 0x7f;
  const headSize = (short < 126 ? 2 : short === 126 ? 4 : 10) + (isMasked ? 4 : 0);
  if (bytes.length < headSize) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return bytes.length < headSize + length ? undefined : headSize + length;
}
