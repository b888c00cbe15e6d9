"""Room: sessions_app/spirits/oracle. Who the spirit was: fixed by the session's seed, the same for everybody."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from ..base import Line, Persona
from .pack import Pack, load_pack
from .reading import plain, read

STEPS = 3


def chance(*parts: object) -> float:
    """A number in [0, 1) from the parts; the same in every process and on every platform."""
    digest = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@lru_cache(maxsize=512)
def _life(seed: int, slug: str, locale: str) -> dict[str, dict[str, str]]:
    pack = load_pack(locale)
    return {
        aspect: choices[int(chance(seed, slug, "life", aspect) * len(choices))]
        for aspect, choices in sorted(pack.biography.aspects.items())
    }


def life(seed: int, persona: Persona) -> dict[str, dict[str, str]]:
    """Aspect → facts. Depends on the seed and the persona's slug: a new version tells the same life. A persona with
    a past of its own fixes an aspect in its lexicon, as `bio.<aspect>`: a list of `fact=words`."""
    facts = dict(_life(seed, persona.slug, persona.locale))
    for aspect in facts:
        own = persona.lexicon.get(f"bio.{aspect}", ())
        if own:
            facts[aspect] = {**facts[aspect], **{k: v for k, _, v in (item.partition("=") for item in own)}}
    return facts


def life_slots(facts: dict[str, dict[str, str]]) -> dict[str, str]:
    """`bio.<aspect>.<fact>` → words, for the grammar."""
    return {f"bio.{aspect}.{name}": words for aspect, fact in facts.items() for name, words in fact.items()}


def step(aspect: str, history: tuple[Line, ...], locale: str) -> int:
    """How much of an aspect is due now: 1 for the first time it is asked of, at most 3."""
    asked = sum(1 for line in history if not line.is_spirit and read(line.text, locale).rule.aspect == aspect)
    return min(STEPS, asked + 1)


def next_aspect(facts: dict[str, dict[str, str]], history: tuple[Line, ...], locale: str) -> str:
    """The part of the life that has been spoken of least, for "tell us about yourself"."""
    return min(sorted(facts), key=lambda aspect: step(aspect, history, locale))


def agrees(guess: str, fact: dict[str, str]) -> bool:
    """Whether a guess ("Agnes", "in a fire") names what is true."""
    true = set(plain(fact.get("words", "")).split())
    return any(word in true for word in plain(guess).split())


def foreign_facts(facts: dict[str, dict[str, str]], pack: Pack, text: str) -> list[str]:
    """Marks of somebody else's life in `text`: each would be a contradiction. `mark` is a fact's own spelling."""
    said = f" {' '.join(plain(text).replace('.', ' ').replace(',', ' ').split())} "
    found = []
    for aspect, choices in pack.biography.aspects.items():
        own = plain(facts[aspect]["mark"])
        for choice in choices:
            mark = plain(choice["mark"])
            if mark != own and f" {mark} " in said:
                found.append(f"{aspect}: {choice['mark']}")
    return found
