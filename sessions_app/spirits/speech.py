"""Room: sessions_app/spirits. Cleans what a spirit says and shapes it for the room: `format_response`."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from .base import MAX_CHARS, MAX_GLYPHS, MAX_WORDS
from .board import BoardScript, Pace, board_script, letter_timings
from .layouts import Layout, get_layout
from .lettering import letter

_MARKUP = re.compile(r"[*_`#]{1,3}(?=\S)|(?<=\S)[*_`#]{1,3}|<[^<>]{0,80}>|!?\[([^\[\]]{0,200})\]\([^()]{0,400}\)")
_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"”’')\]]*(?=\s|$)|$)", re.DOTALL)


class FormattedResponse(msgspec.Struct, frozen=True):
    """A spirit's message: `text` ≤ 30 words and ≤ 500 characters; one letter timing (ms) per character of it."""

    text: str
    board_text: str
    board_script: BoardScript
    letter_timings: list[int]
    word_count: int


def clean(text: str) -> str:
    """NFC, one line, no control or invisible characters, no Markdown or HTML marks. Idempotent in practice."""
    text = _MARKUP.sub(lambda match: match.group(1) or "", unicodedata.normalize("NFC", text))
    spaced = (" " if char.isspace() else char for char in text)
    # ZWJ and ZWNJ are letters' business in several scripts; every other invisible character is smuggling.
    kept = (c for c in spaced if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"} or c in "\u200c\u200d")
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def sentences(text: str) -> list[str]:
    """Split into sentences, each with its own end mark, none empty."""
    return [part.strip() for part in _SENTENCE.findall(text) if part.strip()]


def count_words(text: str) -> int:
    return len(text.split())


def fit_words(text: str, limit: int = MAX_WORDS, chars: int = MAX_CHARS) -> str:
    """At most `limit` words and `chars` characters: whole sentences where one fits, else whole words and an "…"."""
    kept = ""
    for sentence in sentences(text):
        longer = f"{kept} {sentence}".strip()
        if count_words(longer) > limit or len(longer) > chars:
            break
        kept = longer
    if kept or not text:
        return kept
    cut = " ".join(text.split()[:limit])
    if cut == text and len(cut) <= chars:
        return cut
    if len(cut) >= chars:
        cut = cut[: chars - 1].rsplit(" ", 1)[0] if " " in cut[: chars - 1] else cut[: chars - 1]
    return cut.rstrip(" ,;:.") + "…"


def board_line(text: str, layout: str | Layout = "classic-en@1", limit: int = MAX_GLYPHS) -> str:
    """The longest opening of `text`, in whole words, of at most `limit` glyphs."""
    board = get_layout(layout) if isinstance(layout, str) else layout
    line = letter(text, board)
    kept = line.words
    while kept and sum(len(word.letters) for word in kept) > limit:
        kept = kept[:-1]
    # One character may be several words (¼ is "1 4"): it is kept whole, or not at all.
    while (
        kept and len(kept) < len(line.words) and line.words[len(kept)].letters[0].src[0] < kept[-1].letters[-1].src[1]
    ):
        kept = kept[:-1]
    if not kept:
        return line.words[0].plain[:limit] if line.words else ""
    if len(kept) < len(line.words) and line.words[len(kept)].gap == "space":
        # Break off at a pause where there is one: half a sentence reads as a mistake.
        for end in range(len(kept) - 1, 0, -1):
            if kept[end].gap in ("stop", "comma"):
                kept = kept[:end]
                break
    return text[kept[0].letters[0].src[0] : kept[-1].letters[-1].src[1]]


def format_response(
    text: str,
    *,
    board: str | None = None,
    layout: str | Layout = "classic-en@1",
    pace: Pace = "ritual",
    seed: int = 0,
    max_words: int = MAX_WORDS,
) -> FormattedResponse:
    """Shape an answer for the board. `text` is the voice, `board` the line to spell (derived from `text` if None).

    Never raises for any text; an empty one gives an empty script. Raises `UnknownLayout` for a wrong layout id.
    """
    spoken = fit_words(clean(text), min(max_words, MAX_WORDS))
    line = board_line(clean(spoken if board is None else board), layout)
    script = board_script(line, layout=layout, pace=pace, seed=seed)
    return FormattedResponse(spoken, script.text, script, letter_timings(spoken, seed), count_words(spoken))
