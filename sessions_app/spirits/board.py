"""Room: sessions_app/spirits. Spells a text on a board as a timed script, and a message as letter timings.

Times are integer milliseconds from the script's `starts_at`, places are layout units (1600 × 1000).
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import msgspec

from .layouts import Layout, get_layout
from .lettering import Gap, Letter, Word, letter, spell_out

Pace = Literal["ritual", "brisk", "instant"]
MoveKind = Literal["glyph", "word", "pause", "nudge", "rest"]

SCHEMA = "seance.board-script/1"
PACES: dict[Pace, float] = {"ritual": 1.0, "brisk": 0.6, "instant": 0.0}
MAX_DURATION_MS = 20_000
TRAVEL_BASE_MS, TRAVEL_PER_UNIT_MS = 180, 0.42
GLYPH_DWELL_MS, MIN_GLYPH_DWELL_MS, WORD_DWELL_MS = 300, 120, 900
PAUSE_MS: dict[Gap, int] = {"start": 0, "space": 300, "comma": 350, "stop": 700}
BATCH_MS = 250  # four a second


class Move(msgspec.Struct, frozen=True):
    """One act of the planchette: it travels to (x, y), then dwells. `t_ms` is when the travel begins; the next
    move begins at t_ms + travel_ms + dwell_ms. `glyph` is null for pauses and for the way back to rest; `src` is
    the half-open slice of `source_text`."""

    i: int
    kind: MoveKind
    glyph: str | None
    x: int
    y: int
    t_ms: int
    travel_ms: int
    dwell_ms: int
    src: tuple[int, int]


class BoardScript(msgspec.Struct, frozen=True):
    """`seance.board-script/1`. `text` is what the glyphs spell; `dropped` is what could not be or was cut."""

    layout: str
    text: str
    source_text: str
    lossy: bool
    dropped: tuple[str, ...]
    pace: Pace
    seed: int
    duration_ms: int
    moves: tuple[Move, ...]
    schema: str = SCHEMA

    def as_dict(self) -> dict[str, object]:
        """Plain JSON types, for a JSON column or an event."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        return plain


class MoveBatch(msgspec.Struct, frozen=True):
    """The moves of one `spirit_move` event, to be sent `due_ms` after the script's start (never after t_ms)."""

    due_ms: int
    moves: tuple[Move, ...]


class _Step(msgspec.Struct, frozen=True):
    kind: MoveKind
    glyph: str | None
    x: int
    y: int
    dwell: float
    src: tuple[int, int]


def _chance(seed: int, salt: str, index: int) -> float:
    """A number in [0, 1) that is the same on every platform and in every process."""
    digest = hashlib.blake2b(f"{seed}:{salt}:{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def _shortcut(word: Word, layout: Layout, *, opening: bool) -> str | None:
    for name in (word.native, word.plain):
        place = layout.words.get(name)
        # Sí is a word of the Spanish board, si ("if") is not: the plain form counts only if nothing was lost.
        if place and (place.rule == "closing" or opening) and (name == word.native or word.native == word.plain):
            return name
    return None


def _opens(word: Word) -> bool:
    return word.gap in ("start", "stop")


def _steps(words: tuple[Word, ...], layout: Layout, seed: int) -> list[_Step]:
    steps: list[_Step] = []
    here = (layout.rest.x, layout.rest.y)
    last: tuple[int, int] | None = None

    def visit(kind: MoveKind, glyph: str, place: tuple[int, int], dwell: float, src: tuple[int, int]) -> None:
        nonlocal here, last
        # A lens that stays where it is says nothing: the same place twice is shown as a nudge.
        steps.append(_Step("nudge" if place == last else kind, glyph, *place, dwell, src))
        here = last = place

    for at, word in enumerate(words):
        if at:
            steps.append(_Step("pause", None, *here, PAUSE_MS[word.gap], word.gap_src))
        name = _shortcut(word, layout, opening=_opens(word))
        if name is not None:
            board_word = layout.words[name]
            span = (word.letters[0].src[0], word.letters[-1].src[1])
            visit("word", name, (board_word.x, board_word.y), WORD_DWELL_MS, span)
            continue
        for item in word.letters:
            point = layout.glyphs[item.glyph]
            dwell = GLYPH_DWELL_MS * (0.9 + 0.2 * _chance(seed, "dwell", len(steps)))
            visit("glyph", item.glyph, (point.x, point.y), dwell, item.src)
    if steps and not _ends_script(words[-1], layout):
        end = steps[-1].src[1]
        steps.append(_Step("rest", None, layout.rest.x, layout.rest.y, 0, (end, end)))
    return steps


def _ends_script(word: Word, layout: Layout) -> bool:
    name = _shortcut(word, layout, opening=True)
    return name is not None and layout.words[name].rule == "closing"


def _travel(ax: int, ay: int, bx: int, by: int, factor: float) -> int:
    return round((TRAVEL_BASE_MS + TRAVEL_PER_UNIT_MS * math.hypot(bx - ax, by - ay)) * factor)


def _time(steps: list[_Step], layout: Layout, factor: float) -> tuple[list[Move], int]:
    """Moves and their sum, with dwells shortened as far as is allowed when the sum passes the ceiling."""
    here = (layout.rest.x, layout.rest.y)
    travels = []
    for step in steps:
        travels.append(0 if step.kind == "pause" else _travel(*here, step.x, step.y, factor))
        here = (step.x, step.y)
    dwelling = sum(step.dwell for step in steps) * factor
    shrink = 1.0
    if dwelling and sum(travels) + dwelling > MAX_DURATION_MS:
        floor = min(1.0, MIN_GLYPH_DWELL_MS / (GLYPH_DWELL_MS * factor))
        shrink = min(1.0, max(floor, (MAX_DURATION_MS - sum(travels)) / dwelling))
    moves, now = [], 0
    for index, (step, travel) in enumerate(zip(steps, travels, strict=True)):
        # Whole milliseconds, rounded down, so that shrinking can only help.
        dwell = int(step.dwell * factor * shrink)
        if shrink < 1.0 and step.kind in ("glyph", "nudge"):
            dwell = max(dwell, MIN_GLYPH_DWELL_MS)
        moves.append(Move(index, step.kind, step.glyph, step.x, step.y, now, travel, dwell, step.src))
        now += travel + dwell
    return moves, now


def _until_goodbye(words: tuple[Word, ...], layout: Layout) -> tuple[Word, ...]:
    for at, word in enumerate(words):
        if _ends_script(word, layout):
            return words[: at + 1]
    return words


def _shorter(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """One word less; where there is only one left, one letter less."""
    if len(words) > 1:
        return words[:-1]
    only = words[0]
    return (Word(only.letters[:-1], only.native[:-1], only.gap, only.gap_src),)


def board_script(
    text: str, *, layout: str | Layout = "classic-en@1", pace: Pace = "ritual", seed: int = 0
) -> BoardScript:
    """Spell `text`. Total for any text; a text without a spellable character gives no moves.

    At most 20 s: dwells shrink to 120 ms, then whole words are cut from the end. Same input, same bytes.
    Raises `UnknownLayout` for a layout id that does not exist.
    """
    board = get_layout(layout) if isinstance(layout, str) else layout
    lettering = letter(text, board)
    words = _until_goodbye(lettering.words, board)
    # No board move takes less than 180 ms × pace + 120 ms of dwell: no need to time what can never fit.
    while len(words) > 1 and sum(len(word.letters) for word in words[:-1]) > 200:
        words = words[:-1]
    if words and len(words[0].letters) > 200:
        words = (Word(words[0].letters[:200], words[0].native[:200], words[0].gap, words[0].gap_src),)
    factor = PACES[pace]
    moves, duration = _time(_steps(words, board, seed), board, factor)
    while duration > MAX_DURATION_MS:
        words = _shorter(words)
        moves, duration = _time(_steps(words, board, seed), board, factor)
    dropped = lettering.dropped + _cut(text, words, lettering.words)
    line = spell_out(words, [_shortcut(word, board, opening=_opens(word)) or word.plain for word in words])
    lossy = lettering.lossy or bool(dropped)
    return BoardScript(board.id, line, text, lossy, dropped, pace, seed, duration, tuple(moves))


def _cut(text: str, kept: tuple[Word, ...], whole: tuple[Word, ...]) -> tuple[str, ...]:
    letters: list[Letter] = [item for word in whole for item in word.letters]
    spelt = sum(len(word.letters) for word in kept)
    if spelt >= len(letters):
        return ()
    return (text[letters[spelt].src[0] : letters[-1].src[1]],)


def spelt(script: BoardScript) -> str:
    """What a watcher reads off the board, pauses as they are written in `text`."""
    return "".join(move.glyph for move in script.moves if move.glyph is not None)


def move_batches(script: BoardScript) -> list[MoveBatch]:
    """Cut a script into events: each due at the start of its quarter second, so at most four in any second."""
    batches: list[MoveBatch] = []
    pending: list[Move] = []
    for move in script.moves:
        if pending and move.t_ms // BATCH_MS != pending[0].t_ms // BATCH_MS:
            batches.append(MoveBatch(pending[0].t_ms // BATCH_MS * BATCH_MS, tuple(pending)))
            pending = []
        pending.append(move)
    if pending:
        batches.append(MoveBatch(pending[0].t_ms // BATCH_MS * BATCH_MS, tuple(pending)))
    return batches


def letter_timings(text: str, seed: int = 0) -> list[int]:
    """Milliseconds to show each character of `text`, 50–500 each; a breath at commas, a longer one at stops."""
    timings = []
    for at, char in enumerate(text):
        base = 420 if char in ".!?…" else 260 if char in ",;:—–" else 150 if char.isspace() else 85
        timings.append(min(500, max(50, round(base * (0.8 + 0.4 * _chance(seed, "letter", at))))))
    return timings
