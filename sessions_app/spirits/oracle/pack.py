"""Room: sessions_app/spirits/oracle. A language pack: everything the oracle knows about one language, as data."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

_HERE = Path(__file__).parent / "packs"
DEFAULT_LOCALE = "en"
_PLAIN = re.compile(r"[\w']+")

Verdict = Literal["yes", "no", "maybe", "auto", "fact", ""]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that people ask. `patterns` are regular expressions over the normalised text, whole words;
    named groups become slots. `must` reach this rule, `must_not` must not; both are run as tests.

    `say`: grammar symbols, one is chosen. `verdict`: `auto` weighs yes/no/maybe by what is asked, `fact` compares
    with the biography. `aspect`: which part of the biography a further question reveals a further step of.
    `recall`: whether the room's memory may be woven in."""

    id: str
    group: str
    patterns: tuple[str, ...]
    say: tuple[str, ...]
    must: tuple[str, ...]
    must_not: tuple[str, ...] = ()
    verdict: Verdict = ""
    aspect: str = ""
    recall: bool = False
    topic: str = ""


class Topic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A thing that people ask about; `words` are whole words, or stems when they end in `*`."""

    id: str
    words: tuple[str, ...]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The small words of a language. `expand` and `leading` are [pattern, replacement] and patterns, in order.
    `thing`: article → how a thing is called back to the one who named it, and to the others."""

    expand: tuple[tuple[str, str], ...]
    leading: tuple[str, ...]
    stop: frozenset[str]
    reflect: dict[str, str]
    macros: dict[str, str]
    verdicts: dict[str, tuple[str, ...]]
    spirit: tuple[str, ...]
    articles: frozenset[str]
    thing: dict[str, tuple[str, str]]
    swap_subject: dict[str, str] = {}


class Biography(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For each aspect a list of lives to choose from; each is slot name → words. `*.words` are what a guess at
    it may contain, separated by spaces."""

    aspects: dict[str, tuple[dict[str, str], ...]]


class Pack(msgspec.Struct, frozen=True):
    """A loaded pack. `rules` keep the order of the file: the first that matches is the one."""

    locale: str
    rules: tuple[Rule, ...]
    compiled: tuple[tuple[Rule, tuple[re.Pattern[str], ...]], ...]
    topics: tuple[tuple[str, re.Pattern[str]], ...]
    words: Words
    biography: Biography
    grammar: dict[str, tuple[str, ...]]
    respell: dict[str, str]
    expand: tuple[tuple[re.Pattern[str], str], ...]
    leading: re.Pattern[str]


def _pattern(text: str, macros: dict[str, str]) -> re.Pattern[str]:
    for _ in range(3):  # macros may name macros
        text = re.sub(r"<(\w+)>(?!\w*=)", lambda m: f"(?:{macros[m[1]]})" if m[1] in macros else m[0], text)
    return re.compile(rf"(?<!\w)(?:{text})(?!\w)")


def _topic(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)(?:" + "|".join(re.escape(w).replace(r"\*", r"\w*") for w in words) + r")(?!\w)")


def pack_locales() -> tuple[str, ...]:
    """The languages that the oracle speaks, sorted."""
    return tuple(sorted(path.name for path in _HERE.iterdir() if (path / "rules.json").is_file()))


@lru_cache(maxsize=16)
def load_pack(locale: str) -> Pack:
    """The pack for `es-MX`, `es` …; English where there is none. A writer's mistake raises `ValidationError`."""
    wanted = locale.replace("_", "-").split("-")[0].lower()
    folder = _HERE / (wanted if wanted in pack_locales() else DEFAULT_LOCALE)
    words = msgspec.json.decode((folder / "words.json").read_bytes(), type=Words)
    rules = msgspec.json.decode((folder / "rules.json").read_bytes(), type=tuple[Rule, ...])
    topics = msgspec.json.decode((folder / "topics.json").read_bytes(), type=tuple[Topic, ...])
    grammar: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("grammar*.json")):
        grammar.update(msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[str, ...]]))
    return Pack(
        locale=folder.name,
        rules=rules,
        compiled=tuple((rule, tuple(_pattern(p, words.macros) for p in rule.patterns)) for rule in rules),
        topics=tuple((topic.id, _topic(topic.words)) for topic in topics),
        words=words,
        biography=msgspec.json.decode((folder / "biography.json").read_bytes(), type=Biography),
        grammar=grammar,
        # Most entries are plain words: one look-up each, where a pattern would cost a search of the text.
        respell={pattern: to for pattern, to in words.expand if _PLAIN.fullmatch(pattern)},
        expand=tuple(
            (re.compile(rf"(?<!\w)(?:{pattern})(?!\w)"), to)
            for pattern, to in words.expand
            if not _PLAIN.fullmatch(pattern)
        ),
        leading=re.compile(rf"^(?:{'|'.join(words.leading)})(?!\w)[\s,]*"),
    )
