"""Room: sessions_app/spirits. From any text to words that a board can spell, remembering where each came from."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from anyascii import anyascii

from .layouts import Layout

Gap = Literal["start", "space", "comma", "stop"]
Span = tuple[int, int]

_SYMBOLS = {
    "en": {
        "&": "AND", "%": "PERCENT", "+": "PLUS", "=": "EQUALS", "@": "AT", "#": "NUMBER",
        "€": "EURO", "$": "DOLLAR", "£": "POUND", "¥": "YEN", "°": "DEGREES", "§": "SECTION", "×": "TIMES", "÷": "OVER",
    },
    "es": {
        "&": "Y", "%": "POR CIENTO", "+": "MAS", "=": "IGUAL", "@": "ARROBA", "#": "NUMERO",
        "€": "EURO", "$": "DOLAR", "£": "LIBRA", "¥": "YEN", "°": "GRADOS", "§": "SECCION", "×": "POR", "÷": "ENTRE",
    },
}  # fmt: skip
_COMMAS = frozenset(",;:–—،、()[]{}")
_STOPS = frozenset(".!?…。؟¡¿")
_SILENT = frozenset("'’‘`´\"“”«»*_~^|<>")
_STRENGTH: dict[Gap, int] = {"start": 0, "space": 1, "comma": 2, "stop": 3}
# Symbols, private use, unassigned, surrogates and invisible characters: anyascii would spell an emoji's name.
_UNSPEAKABLE = frozenset({"So", "Sk", "Sm", "Sc", "Co", "Cn", "Cs", "Cf", "Cc", "Mn", "Me", "Mc"})


@dataclass(frozen=True)
class Letter:
    """One glyph of the layout and the slice of the source text that it stands for."""

    glyph: str
    src: Span


@dataclass(frozen=True)
class Word:
    """Letters without a gap. `native` is the word in capitals before transliteration: it tells Sí from si."""

    letters: tuple[Letter, ...]
    native: str
    gap: Gap
    gap_src: Span

    @property
    def plain(self) -> str:
        return "".join(letter.glyph for letter in self.letters)


@dataclass(frozen=True)
class Lettering:
    """Words in order; `dropped` is what was lost, in order; `lossy` also when a letter was only transliterated."""

    words: tuple[Word, ...]
    lossy: bool
    dropped: tuple[str, ...]

    @property
    def text(self) -> str:
        return spell_out(self.words, [word.plain for word in self.words])

    @property
    def glyph_count(self) -> int:
        return sum(len(word.letters) for word in self.words)


def spell_out(words: Sequence[Word], names: Sequence[str]) -> str:
    """`names` (one per word) with a space between, or a comma or stop where the words' gap is a pause."""
    joint = {"start": "", "space": " ", "comma": ", ", "stop": ". "}
    gaps = ["", *(joint[word.gap] for word in words[1:])]
    return "".join(gap + name for gap, name in zip(gaps[: len(words)], names, strict=True))


class _Builder:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.symbols = _SYMBOLS.get(layout.locale, _SYMBOLS["en"])
        self.words: list[Word] = []
        self.letters: list[Letter] = []
        self.native: list[str] = []
        self.gap: Gap = "start"
        self.gap_src: Span = (0, 0)
        self.dropped: list[str] = []
        self.lossy = False

    def separate(self, gap: Gap, span: Span) -> None:
        self.close()
        if _STRENGTH[gap] > _STRENGTH[self.gap]:
            self.gap, self.gap_src = gap, span

    def close(self) -> None:
        if self.letters:
            gap: Gap = self.gap if self.words else "start"
            self.words.append(Word(tuple(self.letters), "".join(self.native), gap, self.gap_src))
            self.letters, self.native, self.gap = [], [], "start"

    def add(self, glyphs: str, native: str, span: Span) -> None:
        self.letters.extend(Letter(glyph, span) for glyph in glyphs)
        self.native.append(native)

    def cluster(self, text: str, span: Span) -> None:
        for char in unicodedata.normalize("NFKC", text):
            self.character(char, span)

    def character(self, char: str, span: Span) -> None:
        glyphs = self.layout.glyphs
        capital = char.upper()
        if all(part in glyphs for part in capital):
            self.add(capital, capital, span)
        elif char in self.symbols:
            for name in self.symbols[char].split():
                self.separate("space", span)
                self.add(name, name, span)
            self.separate("space", span)
        elif char in _STOPS:
            self.separate("stop", span)
        elif char in _COMMAS:
            self.separate("comma", span)
        elif char in _SILENT:
            pass
        elif char.isspace() or unicodedata.category(char) in {"Pd", "Pc", "Zs", "Zl", "Zp"} or char in "/\\⁄":
            self.separate("space", span)
        elif unicodedata.category(char) in _UNSPEAKABLE:
            self.drop(char)
        else:
            spelt = "".join(part for part in anyascii(char).upper() if part in glyphs)
            if spelt:
                self.lossy = True
                self.add(spelt, capital, span)
            else:
                self.drop(char)

    def drop(self, char: str) -> None:
        self.lossy = True
        self.dropped.append(char)


def letter(text: str, layout: Layout) -> Lettering:
    """Break `text` into words that `layout` can spell. Total for any string; never raises."""
    builder = _Builder(layout)
    start = 0
    while start < len(text):
        end = start + 1
        # A letter and its combining marks are one: only together does NFKC compose them.
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        builder.cluster(text[start:end], (start, end))
        start = end
    builder.close()
    return Lettering(tuple(builder.words), builder.lossy, tuple(builder.dropped))
