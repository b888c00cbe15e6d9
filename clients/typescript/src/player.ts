/** Plays board scripts: live ones on the server's clock, so that every screen shows the same letter, and replays. */

import type { Connection } from './connection.js';
import type { SpiritMove } from './generated/schemas.js';
import { durationOf, positionAt, type Position, type ReadOptions, type ScriptLike } from './script.js';
import { mergeMoves } from './state.js';

/** How a player is driven. */
export interface PlayerOptions extends ReadOptions {
  /** Milliseconds since 1970 on the server's clock: `() => connection.clock.now()`. Default: the local clock. */
  now?: () => number;
  /** Called at each frame while something moves, and once when it stands. */
  onFrame: (position: Position) => void;
  /** Called when a script is over, or was taken away. */
  onEnd?: (turnId: string) => void;
  /** Ask for the next frame, and give what takes the request back. Default: `requestAnimationFrame`, else 60 Hz. */
  requestFrame?: (work: () => void) => () => void;
  /** Show each script's end at once, for those who want nothing to move; default false. */
  instant?: boolean;
}

interface Reel extends ScriptLike {
  id: string;
  startsAt: number;
  /** On the server's clock, and shared with the others. */
  isLive: boolean;
  /** Its end was told. */
  isOver?: boolean;
}

/**
 * A live script is where the server's clock says, whenever one came in. `pause` holds the picture: a replay goes on
 * from there after `resume`, a live script from where the others are by then.
 */
export class BoardPlayer {
  #reels: Reel[] = [];
  #pausedAt: number | undefined;
  #cancelFrame: (() => void) | undefined;
  #shown: string | undefined;
  #instant: boolean;
  readonly #options: PlayerOptions;
  readonly #now: () => number;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => Date.now());
    this.#instant = options.instant ?? false;
  }

  /** Take the next moves of a live script. A new `starts_at` of the same turn begins it again. */
  feed({ turn_id, starts_at, moves }: SpiritMove): void {
    const startsAt = Date.parse(starts_at);
    const known = this.#reels.find((reel) => reel.id === turn_id && reel.startsAt === startsAt);
    if (known) known.moves = mergeMoves(known.moves, moves);
    else {
      const others = this.#reels.filter((reel) => reel.id !== turn_id);
      this.#reels = [...others, { id: turn_id, startsAt, moves: mergeMoves([], moves), isLive: true }];
      this.#reels.sort((a, b) => a.startsAt - b.startsAt);
    }
    this.#wake();
  }

  /** Take the rest of a live script, which comes with its `spirit_response`. Its beginning must have been fed. */
  complete(turnId: string, script: ScriptLike): void {
    const reel = this.#reels.find((one) => one.id === turnId && one.isLive);
    if (!reel) return;
    reel.moves = script.moves;
    reel.duration_ms = durationOf(script);
    this.#wake();
  }

  /** Play a whole `board_script`, from its beginning or from `fromMs`, in place of whatever plays. */
  play(script: ScriptLike, options: { id?: string; fromMs?: number } = {}): void {
    const startsAt = this.#time() - (options.fromMs ?? 0);
    this.#reels = [{ ...script, id: options.id ?? 'replay', startsAt, isLive: false }];
    this.#wake();
  }

  /** Take a script away, such as that of a cancelled turn. The planchette stays where it is. */
  cancel(turnId: string): void {
    if (!this.#reels.some((reel) => reel.id === turnId)) return;
    this.#reels = this.#reels.filter((reel) => reel.id !== turnId);
    this.#options.onEnd?.(turnId);
    this.#wake();
  }

  /** Hold the picture. */
  pause(): void {
    if (this.#pausedAt !== undefined) return;
    this.#pausedAt = this.#now();
    this.#stop();
  }

  /** Go on. */
  resume(): void {
    if (this.#pausedAt === undefined) return;
    const heldMs = this.#now() - this.#pausedAt;
    this.#pausedAt = undefined;
    for (const reel of this.#reels) if (!reel.isLive) reel.startsAt += heldMs;
    this.#wake();
  }

  get paused(): boolean {
    return this.#pausedAt !== undefined;
  }

  /** Show each script's end at once, or no longer. */
  set instant(on: boolean) {
    this.#instant = on;
    this.#wake();
  }

  get instant(): boolean {
    return this.#instant;
  }

  /** Where the planchette is now; null before the first script. */
  position(): Position | null {
    const time = this.#time();
    const reel = this.#current(time);
    return reel ? positionAt(reel, this.#instant ? Number.POSITIVE_INFINITY : time - reel.startsAt, this.#readOptions(reel)) : null;
  }

  /** Forget everything, and ask for no more frames. */
  stop(): void {
    this.#stop();
    this.#reels = [];
  }

  #time(): number {
    return this.#pausedAt ?? this.#now();
  }

  /** The script that began last; before the first one begins, that one. */
  #current(time: number): Reel | undefined {
    return this.#reels.findLast((reel) => reel.startsAt <= time) ?? this.#reels[0];
  }

  /** A script begins where the one before it ended. */
  #readOptions(reel: Reel): ReadOptions {
    const before = this.#reels[this.#reels.indexOf(reel) - 1]?.moves.at(-1);
    return before ? { ...this.#options, from: before } : this.#options;
  }

  #wake(): void {
    this.#shown = undefined;
    if (this.#cancelFrame === undefined && this.#pausedAt === undefined) this.#frame();
  }

  #stop(): void {
    this.#cancelFrame?.();
    this.#cancelFrame = undefined;
  }

  #frame(): void {
    this.#cancelFrame = undefined;
    const time = this.#time();
    const position = this.position();
    if (position === null) return;
    const look = `${position.x},${position.y},${position.phase},${position.spelt}`;
    if (look !== this.#shown) {
      this.#shown = look;
      this.#options.onFrame(position);
    }
    this.#tellEnds(time);
    this.#drop(time);
    // Whoever was told of an end may have begun something, and with it the frames.
    if (this.#cancelFrame === undefined && this.#pausedAt === undefined && this.#isMoving(time)) {
      this.#cancelFrame = (this.#options.requestFrame ?? requestFrame)(() => this.#frame());
    }
  }

  /** Scripts that are over and have a successor that began are not needed any more. */
  #drop(time: number): void {
    const current = this.#current(time);
    const before = this.#reels.slice(0, this.#reels.indexOf(current!));
    for (const reel of before.slice(0, -1)) this.#reels = this.#reels.filter((other) => other !== reel);
  }

  #isMoving(time: number): boolean {
    const last = this.#reels.at(-1);
    return last !== undefined && !this.#isPlayed(last, time);
  }

  #isPlayed(reel: Reel, time: number): boolean {
    return this.#instant ? reel.startsAt <= time : time - reel.startsAt >= durationOf(reel);
  }

  /** A script is over when its last move is, or when the next one has begun: its end may fall between two frames. */
  #tellEnds(time: number): void {
    for (const [at, reel] of [...this.#reels].entries()) {
      const next = this.#reels[at + 1];
      const isOver = next ? next.startsAt <= time : this.#isPlayed(reel, time) && hasEnd(reel);
      if (!isOver || reel.isOver) continue;
      reel.isOver = true;
      this.#options.onEnd?.(reel.id);
    }
  }
}

/** Whether its last move is here: its length is known, or that move is the way back to rest or a farewell. */
function hasEnd(reel: Reel): boolean {
  const last = reel.moves.at(-1);
  return reel.duration_ms !== undefined || last?.kind === 'rest' || last?.glyph === 'GOODBYE';
}

function requestFrame(work: () => void): () => void {
  if (typeof globalThis.requestAnimationFrame === 'function') {
    const id = globalThis.requestAnimationFrame(work);
    return () => globalThis.cancelAnimationFrame(id);
  }
  const timer = setTimeout(work, 1000 / 60);
  return () => clearTimeout(timer);
}

/** Let a player show what a connection's spirit does, what it is doing now included. The result ends it. */
export function follow(connection: Connection, player: BoardPlayer): () => void {
  const { board } = connection.state.spirit;
  if (board) player.feed({ ...board, moves: [...board.moves] });
  const stops = [
    connection.on('spirit_move', (moves) => player.feed(moves)),
    connection.on('spirit_response', ({ turn_id, board_script }) => turn_id && player.complete(turn_id, board_script)),
    connection.on('spirit_cancelled', ({ turn_id }) => player.cancel(turn_id)),
    connection.on('spirit_failed', ({ turn_id }) => player.cancel(turn_id)),
  ];
  return () => {
    for (const stop of stops) stop();
    player.stop();
  };
}
