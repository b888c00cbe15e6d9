"""Room: sessions_app/spirits/oracle. A small reader of grammars in Tracery's JSON format.

`#symbol#` expands, `#symbol.capitalize#` modifies, `[name:#symbol#]` fixes a value for the rest of the text.
An expansion that names a symbol nobody defined is passed over, so that a line may count on a slot being there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

MAX_DEPTH = 12
MAX_LENGTH = 600
MAX_EXPANSIONS = 2_000  # a grammar that doubles at every level must not hold the room up

_TAG = re.compile(r"\[([\w.]+):([^\[\]]*)\]|#([\w.]+)#")


class GrammarError(ValueError):
    """A symbol without a usable expansion, or a grammar that never ends."""


def _article(text: str) -> str:
    return ("an " if text[:1].lower() in "aeiou" else "a ") + text


MODIFIERS: dict[str, Callable[[str], str]] = {
    "capitalize": lambda text: text[:1].upper() + text[1:],
    "upper": str.upper,
    "lower": str.lower,
    "a": _article,
    "s": lambda text: text if text.endswith("s") else text + "s",
}


@lru_cache(maxsize=8192)
def _parse(text: str) -> tuple[tuple[str, str, str], ...]:
    """(literal before, action name, action text or symbol) for every tag, then the literal that is left."""
    parts, at = [], 0
    for match in _TAG.finditer(text):
        action, value, symbol = match.groups()
        parts.append((text[at : match.start()], action or "", value if action else symbol))
        at = match.end()
    parts.append((text[at:], "", ""))
    return tuple(parts)


@lru_cache(maxsize=8192)
def _split(symbol: str) -> tuple[str, tuple[str, ...]]:
    parts = symbol.split(".")
    mods: list[str] = []
    while len(parts) > 1 and parts[-1] in MODIFIERS:
        mods.append(parts.pop())
    return ".".join(parts), tuple(reversed(mods))


class Grammar:
    """Layers of symbols: the first layer that has a symbol gives all of its expansions. `slots` are plain words;
    the prefix `t.` is looked up under `topic`, then under `any`."""

    def __init__(
        self, layers: Sequence[Mapping[str, Sequence[str]]], *, slots: Mapping[str, str], topic: str = "any"
    ) -> None:
        self._layers = layers
        self._slots = dict(slots)
        self._topic = topic
        self._left = MAX_EXPANSIONS

    def expansions(self, symbol: str) -> Sequence[str]:
        names = [symbol]
        if symbol.startswith("t."):
            names = [f"{self._topic}.{symbol[2:]}", f"any.{symbol[2:]}"]
        for name in names:
            for layer in self._layers:
                if layer.get(name):
                    return layer[name]
        return ()

    def knows(self, symbol: str) -> bool:
        return symbol in self._slots or bool(self.expansions(symbol))

    def flatten(self, symbol: str, rng: random.Random) -> str:
        """One text for `symbol`. Raises `GrammarError` when there is none."""
        self._left = MAX_EXPANSIONS
        text = self._expand(symbol, dict(self._slots), rng, 0)
        return " ".join(text.split())

    def _usable(self, text: str, slots: Mapping[str, str]) -> bool:
        fixed = {action for _, action, _ in _parse(text) if action}
        return all(
            (name := _split(tag)[0]) in slots or name in fixed or self.expansions(name)
            for _, action, tag in _parse(text)
            if tag and not action
        )

    def _expand(self, symbol: str, slots: dict[str, str], rng: random.Random, depth: int) -> str:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise GrammarError(f"{symbol} never ends")
        name, mods = _split(symbol)
        if name in slots:
            text = slots[name]
        else:
            options = [option for option in self.expansions(name) if self._usable(option, slots)]
            if not options:
                raise GrammarError(f"nothing to say for {name!r}")
            text = self._fill(options[int(rng.random() * len(options))], slots, rng, depth)
        for mod in mods:
            text = MODIFIERS[mod](text)
        return text

    def _fill(self, text: str, slots: dict[str, str], rng: random.Random, depth: int) -> str:
        out: list[str] = []
        for literal, action, tag in _parse(text):
            out.append(literal)
            if action:
                slots = {**slots, action: self._fill(tag, slots, rng, depth + 1)}
            elif tag:
                out.append(self._expand(tag, slots, rng, depth + 1))
            if sum(map(len, out)) > MAX_LENGTH:
                raise GrammarError("a text without an end")
        return "".join(out)


def endless(layers: Sequence[Mapping[str, Sequence[str]]]) -> list[str]:
    """Symbols that have no end, or one that is too far away: each would be refused when somebody needs it."""
    defined = {name: layer[name] for layer in reversed(layers) for name in layer}
    # (depth, expansions) of the shortest text, from below: what is not defined is a slot, a word.
    least: dict[str, tuple[int, int]] = {}
    parts = {
        name: [[_split(tag)[0] for _, action, tag in _parse(option) if tag and not action] for option in options]
        for name, options in defined.items()
    }
    for _ in range(MAX_DEPTH + 1):
        for name, options in parts.items():
            ends = [
                (max((least[tag][0] for tag in tags if tag in defined), default=0) + 1,
                 sum(least[tag][1] if tag in defined else 1 for tag in tags) + 1)
                for tags in options
                if all(tag in least or tag not in defined for tag in tags)
            ]  # fmt: skip
            if ends:
                least[name] = min(ends)
    far = (MAX_DEPTH, MAX_EXPANSIONS)
    return sorted(name for name in layers[0] if name not in least or least[name][0] > far[0] or least[name][1] > far[1])


def problems(layers: Sequence[Mapping[str, Sequence[str]]], slots: frozenset[str]) -> list[str]:
    """Symbols that are named somewhere but defined nowhere: what a writer wants to know after an edit."""
    defined = {name for layer in layers for name in layer} | slots
    found = set()
    for layer in layers:
        for symbol, options in layer.items():
            for option in options:
                local = {action for _, action, _ in _parse(option) if action}
                for _, action, tag in _parse(option):
                    name = _split(tag)[0] if tag and not action else ""
                    known = name in defined or name in local
                    if name.startswith("t."):
                        known = f"any.{name[2:]}" in defined
                    if name and not known:
                        found.add(f"{symbol} names #{name}#, which nobody defines")
    return sorted(found)
