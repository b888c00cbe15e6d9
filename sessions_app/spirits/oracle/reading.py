"""Room: sessions_app/spirits/oracle. Reads a question: which rule, which topic, what was named in it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import msgspec

from .pack import Pack, Rule, load_pack

_SENTENCE = re.compile(r"[^.!?…¿¡\n]+[.!?…]*")
_JUNK = re.compile(r"[^\w' ]+")
# The spirit reads the first words of a sermon, not all of it; a bound on what the patterns have to search.
MAX_READ = 500


class Reading(msgspec.Struct, frozen=True):
    """What was understood. `tokens` are the content words, `slots` the rule's named groups in the sitter's words,
    `asked` whether there was a question mark."""

    rule: Rule
    topic: str
    slots: dict[str, str]
    tokens: tuple[str, ...]
    text: str
    asked: bool


def plain(text: str) -> str:
    """Lower case, no accents, curly quotes straightened; digits and apostrophes stay."""
    text = unicodedata.normalize("NFKD", text[:MAX_READ].replace("’", "'").replace("‘", "'"))
    return "".join(char for char in text if not unicodedata.combining(char)).casefold()


def _normal(sentence: str, pack: Pack) -> str:
    text = " ".join(pack.respell.get(word, word) for word in _JUNK.sub(" ", sentence).split())
    for pattern, to in pack.expand:
        text = pattern.sub(to, text)
    text = " ".join(text.split())
    while True:
        shorter = pack.leading.sub("", text, count=1).strip()
        if not shorter or shorter == text:
            return text
        text = shorter


@lru_cache(maxsize=4096)
def content(text: str, locale: str) -> tuple[str, ...]:
    """The words of `text` that carry meaning, in order."""
    pack = load_pack(locale)
    return tuple(w for w in _normal(plain(text), pack).split() if len(w) > 1 and w not in pack.words.stop)


def stem(word: str) -> str:
    """Enough to see that `rivers` and `river` are one thing; no more."""
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def _topic(text: str, pack: Pack) -> str:
    best, hits = "any", 0
    for topic, pattern in pack.topics:
        count = len(pattern.findall(text))
        if count > hits:
            best, hits = topic, count
    return best


def _match(text: str, pack: Pack, *, only: str = "", skip: str = "") -> tuple[Rule, dict[str, str]] | None:
    for rule, patterns in pack.compiled:
        if (only and rule.group != only) or (skip and rule.group == skip):
            continue
        for pattern in patterns:
            found = pattern.search(text)
            if found:
                return rule, {name: words.strip() for name, words in found.groupdict().items() if words}
    return None


@lru_cache(maxsize=4096)
def read(text: str, locale: str) -> Reading:
    """Understand one line. Total: a line that reaches nothing reaches the rule `fallback`."""
    pack = load_pack(locale)
    base = plain(text)
    parts = [part for part in _SENTENCE.findall(base) if part.strip()] or [""]
    marked = [part for part in parts if "?" in part]
    # People explain first and ask last: the last question is what they want answered.
    focus = marked[-1] if marked else parts[0]
    whole = " ".join(_normal(part, pack) for part in parts)
    asked = "?" in base
    tries = [_normal(focus, pack), *(_normal(part, pack) for part in parts if part is not focus)]
    hit = _match(whole, pack, only="refuse")
    for number, candidate in enumerate(tries):
        if hit is None or (number == 0 and hit[0].group == "fallback"):
            # "?" is kept as a word of its own, so that a pattern can ask for it.
            marker = " ?" if asked and number == 0 else ""
            hit = _match(candidate + marker, pack, skip="fallback")
    if hit is None:
        hit = _match(tries[0], pack, only="fallback")
    if hit is None:
        raise LookupError(f"the pack {pack.locale} has no fallback rule")
    rule, slots = hit
    return Reading(rule, rule.topic or _topic(whole, pack), slots, content(text, locale), whole, asked)


def reflect(words: str, pack: Pack) -> str:
    """Turn the sitter's words round: "tell my sister" → "tell your sister"."""
    return " ".join(pack.words.reflect.get(word, word) for word in words.split())
