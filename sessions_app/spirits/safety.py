"""Room: sessions_app/spirits. What a sitter may need before any spirit, and what a spirit may never say.

The patterns are data (`safety_rules.json`), each list with lines that must and must not match, run as tests.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

Reason = Literal["self_harm", "death_of_a_sitter", "advice", "impersonation", "leak", "link", "blocked"]
NoticeKind = Literal["crisis"]

_RULES = Path(__file__).parent / "safety_rules.json"
_NOTICE = {
    "en": "This was not passed to the table. What you wrote sounds heavy, and it deserves a person, not a board. "
    "If you might act on it, please call your local emergency number now, or talk to someone here:",
    "es": "Esto no ha llegado a la mesa. Lo que has escrito pesa, y merece una persona, no un tablero. "
    "Si crees que puedes hacerte daño, llama ya a emergencias, o habla con alguien aquí:",
}


class PatternSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Regular expressions over `plain_text`, and the lines that keep them honest."""

    patterns: tuple[str, ...]
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    reason: str = ""


class SafetyRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`crisis` is for what people write, `output` for what spirits say."""

    crisis: PatternSet
    output: tuple[PatternSet, ...]


class SafetyNotice(msgspec.Struct, frozen=True):
    """For its author only, out of character: the data of a `safety_notice` event."""

    kind: NoticeKind
    text: str
    links: tuple[str, ...]


@lru_cache(maxsize=1)
def rules() -> SafetyRules:
    return msgspec.json.decode(_RULES.read_bytes(), type=SafetyRules)


@lru_cache(maxsize=1)
def _compiled() -> tuple[re.Pattern[str], tuple[tuple[Reason, re.Pattern[str]], ...]]:
    data = rules()
    output = [(msgspec.convert(kind.reason, Reason), re.compile("|".join(kind.patterns))) for kind in data.output]
    return re.compile("|".join(data.crisis.patterns)), tuple(output)


def plain_text(text: str) -> str:
    """Lower case, compatibility forms and accents folded, invisible characters gone: letters cannot hide a word."""
    folded = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'"))
    kept = (c for c in folded if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    return " ".join("".join(kept).casefold().split())


def is_crisis(text: str) -> bool:
    """Whether somebody speaks of ending their own life. In the first person only: at a séance everybody asks about
    death, and a question to the dead about theirs is no crisis. Reads English and Spanish, whatever the locale."""
    return _compiled()[0].search(plain_text(text)) is not None


def crisis_notice(locale: str, help_links: Collection[str]) -> SafetyNotice:
    """What the author gets in place of an answer; `help_links` are the operator's own lines."""
    return SafetyNotice("crisis", _NOTICE.get(locale[:2], _NOTICE["en"]), tuple(help_links))


def output_problem(sentence: str, blocked: Collection[str] = ()) -> Reason | None:
    """Why this sentence must not be released, or None. `blocked` are the operator's own words, lower case."""
    text = plain_text(sentence)
    for reason, pattern in _compiled()[1]:
        if pattern.search(text):
            return reason
    if blocked and not set(re.findall(r"\w+", text)).isdisjoint(blocked):
        return "blocked"
    return None
