/** The stage: the board with its planchette, what it has spelt, and the voice. Live or played again. */

import { BoardPlayer, easeInOut, follow, type Connection, type Layout, type Position, type ScriptLike } from '@seance/client';
import { drawBoard } from './board.js';
import { h, say, show } from './dom.js';
import { poseOf } from './motion.js';
import { drawPlanchette } from './planchette.js';
import type { Sound } from './sound.js';

/** Whether this person wants as little motion as possible; looked up when it matters, since it can change. */
export const reducedMotion = window.matchMedia('(prefers-reduced-motion: reduce)');

/** The board on the screen. */
export class Stage {
  readonly element: HTMLElement;
  /** A letter was reached; a whole script was spelt. */
  onletter: (glyph: string) => void = () => undefined;
  onend: (turnId: string) => void = () => undefined;
  readonly #board;
  readonly #planchette = drawPlanchette();
  readonly #frame: HTMLElement;
  readonly #spelt = h('p', { class: 'spelt', 'aria-hidden': 'true' });
  readonly #voice = h('p', { class: 'voice' });
  readonly #layout: Layout;
  #player: BoardPlayer | undefined;
  #unfollow = () => undefined as void;
  #scale = 0;
  #ticking = 0;
  #touched = '';

  constructor(
    layout: Layout,
    private readonly sound: Sound,
  ) {
    this.#layout = layout;
    this.#board = drawBoard(layout);
    this.#frame = h('div', { class: 'board' }, this.#board.wood, h('div', { class: 'candlelight' }), this.#board.ink, this.#planchette.element);
    this.element = h('div', { class: 'stage' }, this.#frame, h('div', { class: 'answer' }, this.#spelt, this.#voice));
    new ResizeObserver(() => this.#measure()).observe(this.#frame);
  }

  /** Follow what the spirit of a connection does, on the server's clock. */
  follow(connection: Connection): void {
    this.#reset(() => connection.clock.now());
    this.#unfollow = follow(connection, this.#player!);
  }

  /** Be ready for scripts of the past. */
  rehearse(): BoardPlayer {
    this.#reset(() => performance.timeOrigin + performance.now());
    return this.#player!;
  }

  /** Spell a stored answer again; `onend` says when it is over. */
  replay(script: ScriptLike, id: string): void {
    this.voice('');
    this.#player?.play(script, { id });
  }

  /** What the spirit says; empty for nothing. */
  voice(text: string): void {
    if (this.#voice.textContent === text) return;
    say(this.#voice, text);
    this.#voice.classList.remove('spoken');
    if (text) requestAnimationFrame(() => this.#voice.classList.add('spoken'));
  }

  /** Forget what was spelt. */
  clear(): void {
    this.#spell('', null);
    this.voice('');
  }

  /** Let everything go. */
  close(): void {
    this.#unfollow();
    this.#player?.stop();
    this.sound.moving(0);
    cancelAnimationFrame(this.#ticking);
    this.#ticking = 0;
  }

  #reset(now: () => number): void {
    this.close();
    this.#player = new BoardPlayer({
      now,
      from: this.#layout.rest,
      // Who wants no motion sees the planchette from letter to letter, without the way between them.
      easing: (p) => (reducedMotion.matches ? 1 : easeInOut(p)),
      onFrame: () => this.#wake(),
      onEnd: (turnId) => this.onend(turnId),
    });
    this.#measure();
  }

  #measure(): void {
    this.#scale = this.#frame.clientWidth / this.#layout.width;
    this.#draw();
  }

  /** The player calls while a script says something new; between two of its calls the hand still trembles. */
  #wake(): void {
    if (!this.#ticking) this.#tick();
  }

  #tick = (): void => {
    const position = this.#draw();
    const goesOn = position !== null && position.phase !== 'done' && position.phase !== 'before';
    this.#ticking = goesOn ? requestAnimationFrame(this.#tick) : 0;
  };

  #draw(): Position | null {
    const position = this.#player?.position() ?? null;
    const { rest } = this.#layout;
    if (position === null) {
      this.#planchette.move({ x: rest.x, y: rest.y, turn: 0 }, this.#scale);
      return null;
    }
    this.#planchette.move(poseOf(position, reducedMotion.matches), this.#scale);
    this.#planchette.read(position.glyph);
    this.#board.light(position.glyph);
    this.sound.moving(position.phase === 'travel' ? Math.min(1, Math.hypot(position.x - rest.x, position.y - rest.y) / 600 + 0.3) : 0);
    const touched = position.glyph === null ? '' : `${position.move?.i}`;
    if (touched && touched !== this.#touched) {
      this.sound.touch();
      this.onletter(position.glyph!);
    }
    this.#touched = touched;
    this.#spell(position.spelt, position.glyph);
    return position;
  }

  #spell(text: string, glyph: string | null): void {
    const isNew = glyph !== null && text.endsWith(glyph);
    const key = `${text}|${isNew}`;
    if (this.#spelt.dataset['key'] === key) return;
    this.#spelt.dataset['key'] = key;
    show(this.#spelt, text !== '');
    if (!isNew) return this.#spelt.replaceChildren(text);
    this.#spelt.replaceChildren(text.slice(0, text.length - glyph.length), h('b', {}, glyph));
  }
}
