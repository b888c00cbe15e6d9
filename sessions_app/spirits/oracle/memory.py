"""Room: sessions_app/spirits/oracle. What this room has said, searched with BM25: call-backs and consistency."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache

import msgspec

from ..base import Line
from .pack import load_pack
from .reading import content, plain, read, stem

K1, B = 1.2, 0.75
# A memory is as long as an evening, and the price of an answer must not grow with the log.
MAX_LINES = 240


class Recall(msgspec.Struct, frozen=True):
    """An earlier line that matters now: who spoke, and the thing they spoke of in their own words."""

    line: Line
    who: str
    thing: str
    score: float


class Room(msgspec.Struct, frozen=True):
    """The log as the oracle sees it: the last lines, oldest first."""

    lines: tuple[Line, ...]
    locale: str

    def questions(self) -> list[Line]:
        return [line for line in self.lines if not line.is_spirit]

    def answers(self, limit: int = 48) -> list[str]:
        return [line.text for line in self.lines if line.is_spirit][-limit:]

    def answer_to(self, asked: Line) -> Line | None:
        """The first thing the spirit said after that line."""
        return next((line for line in self.lines if line.is_spirit and line.seq > asked.seq), None)


def room(history: tuple[Line, ...], locale: str) -> Room:
    return Room(history[-MAX_LINES:], locale)


@lru_cache(maxsize=8192)
def stems(text: str, locale: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in content(text, locale))


@lru_cache(maxsize=8192)
def _bag(text: str, locale: str) -> Counter[str]:
    return Counter(stems(text, locale))


def search(query: str, lines: list[Line], locale: str) -> list[tuple[float, Line]]:
    """Lines that share a content word with `query`, best first; ties go to the earlier line."""
    wanted = set(stems(query, locale))
    if not wanted or not lines:
        return []
    bags = [_bag(line.text, locale) for line in lines]
    mean = sum(sum(bag.values()) for bag in bags) / len(bags) or 1.0
    seen_in = {word: sum(1 for bag in bags if word in bag) for word in wanted}
    ranked = []
    for line, bag in zip(lines, bags, strict=True):
        length, score = sum(bag.values()), 0.0
        for word in wanted & bag.keys():
            rarity = math.log(1 + (len(bags) - seen_in[word] + 0.5) / (seen_in[word] + 0.5))
            score += rarity * bag[word] * (K1 + 1) / (bag[word] + K1 * (1 - B + B * length / mean))
        if score > 0:
            ranked.append((score, line))
    return sorted(ranked, key=lambda pair: (-pair[0], pair[1].seq))


@lru_cache(maxsize=4096)
def _thing(text: str, locale: str, names: frozenset[str]) -> tuple[str, str]:
    pack = load_pack(locale)
    spoken = [w.strip('.,!?;:"()¿¡') for w in text.split()]
    words = [plain(word) for word in spoken]
    best = ("", "")
    for at, word in enumerate(words[1:], start=1):
        if len(word) < 4 or word in pack.words.stop or word in names or not word.isalpha():
            continue
        # Only a word with an article is surely a noun: "the answered" must not be said.
        if words[at - 1] in pack.words.articles and len(word) > len(best[1]):
            follower = words[at + 1] if at + 1 < len(words) else ""
            if len(follower) > 3 and follower not in pack.words.stop:
                continue
            best = (words[at - 1], spoken[at])
    return best


def thing_in(line: Line, listener: str, locale: str, names: frozenset[str]) -> str:
    """What the line can be called by when talking to `listener`: "the boat", "your boat", "Ben's boat"; or empty."""
    article, noun = _thing(line.text, locale, names)
    if not noun:
        return ""
    own, other = load_pack(locale).words.thing.get(article, ("{thing}", "{thing}"))
    return (own if line.name == listener else other).format(thing=noun, who=line.name or "")


def same_question(one: str, other: str, locale: str) -> bool:
    """Whether two lines ask the same: the same content words and the same kind of question."""
    first, second = _words(one, locale), _words(other, locale)
    if not first or not second:
        return plain(one).strip(" ?!.") == plain(other).strip(" ?!.")
    if first.isdisjoint(second) or (rule := read(one, locale).rule).id != read(other, locale).rule.id:
        return False
    # A lost ring lies in one place, however many words are spent on asking for it.
    whole = min(len(first), len(second)) if rule.group == "where" else len(first | second)
    return len(first & second) / whole > 0.85


@lru_cache(maxsize=8192)
def _words(text: str, locale: str) -> frozenset[str]:
    return frozenset(stems(text, locale))
