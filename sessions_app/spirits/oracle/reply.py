"""Room: sessions_app/spirits/oracle. Answers one question: reads, remembers, writes several answers, keeps the best.

Deterministic for (seed, turn, attempt, persona, version) and what the room has said.
"""

from __future__ import annotations

import random
import re
from functools import lru_cache

import msgspec

from ..base import MAX_GLYPHS, SpiritRequest
from ..speech import clean, count_words, fit_words, sentences
from .biography import agrees, chance, life, life_slots, next_aspect, step
from .memory import Recall, Room, room, same_question, search, thing_in
from .pack import Pack, Verdict, load_pack
from .reading import Reading, plain, read
from .slots import question_slots, table_slots
from .tracery import Grammar, GrammarError

CANDIDATES = 8
RECALL_AFTER_LINES = 10
RECALL_SHARE = 0.9
TAIL_SHARE = 0.3
ALREADY_HEARD = 10.0
_WORD = re.compile(r"\w{4,}")
_OPEN_GROUPS = frozenset({"yesno", "either", "who", "when", "where", "why", "how", "what", "statement", "fallback"})


class Reply(msgspec.Struct, frozen=True):
    """An answer and how it came about: the rule, the topic, whether the room's memory is in it."""

    board: str
    voice: str
    rule: str
    group: str
    topic: str
    recalled: bool


def _verdict(request: SpiritRequest, reading: Reading, facts: dict[str, dict[str, str]]) -> Verdict:
    rule = reading.rule
    if rule.verdict == "fact":
        guess = reading.slots.get("guess", "")
        fact = {"words": facts["name"]["sexwords"]} if rule.aspect == "sex" else facts[rule.aspect]
        return "yes" if agrees(guess, fact) else "no"
    if rule.verdict == "auto":
        # By what is asked, not by when: the same question never gets the other answer.
        key = " ".join(sorted(set(reading.tokens))) or plain(request.question)
        weight = chance(request.seed, request.persona.slug, "verdict", key)
        return "yes" if weight < 0.46 else "no" if weight < 0.8 else "maybe"
    return rule.verdict


def _symbol(
    request: SpiritRequest, reading: Reading, grammar: Grammar, facts: dict[str, dict[str, str]], slots: dict[str, str]
) -> str:
    rule, locale = reading.rule, request.persona.locale
    say = rule.say[int(chance(request.seed, request.turn, request.attempt, "say") * len(rule.say))]
    if rule.id == "self.story":
        aspect = next_aspect(facts, request.history, locale)
        return f"self.{aspect}.{step(aspect, request.history, locale)}"
    if rule.verdict in ("auto", "fact"):
        verdict = _verdict(request, reading, facts)
        return next(s for s in (f"{say}.{verdict}", f"yesno.{verdict}") if grammar.knows(s))
    if rule.aspect:
        return f"{say}.{step(rule.aspect, request.history, locale)}"
    if say == "either" and "pick" not in slots:
        return "either.open"
    if say == "meta.last" and "recall.who" not in slots or say == "meta.repeat" and "last" not in slots:
        return f"{say}.none"
    return say


def _earlier(text: str, past: Room) -> str | None:
    """What was answered when this was asked before."""
    asked = next((line for line in past.questions() if same_question(text, line.text, past.locale)), None)
    answer = past.answer_to(asked) if asked else None
    return answer.text if answer else None


def _again(answer: str, pack: Pack) -> tuple[str, dict[str, str]]:
    parts = sentences(answer)
    opening = plain(parts[0]) if parts else ""
    kind = "other"
    for verdict in ("yes", "no"):
        if any(opening.startswith(word) for word in pack.words.verdicts[verdict]):
            kind = verdict
    # "Yes." or "Ben." alone says nothing of what was said.
    short = len(parts) > 1 and count_words(parts[0]) < 3
    slots = {"first": " ".join(parts[:2] if short else parts[:1]) or "…"}
    if len(parts) > 1:
        slots["first.tail"] = parts[1]
    return f"again.{kind}", slots


def _recall(request: SpiritRequest, past: Room) -> Recall | None:
    """An earlier line worth weaving in: one that shares words, or else one that named a thing worth naming."""
    names = frozenset(plain(name) for name in (*request.people, request.asker))
    lines = [
        line
        for line in past.questions()
        if read(line.text, past.locale).rule.group in _OPEN_GROUPS
        and not same_question(request.question, line.text, past.locale)
    ]
    # A thing called back twice in half an hour is a tic.
    lately = " ".join(past.answers(12)).casefold()
    ranked = [(score, line) for score, line in search(request.question, lines, past.locale)[:4]]
    draws = (chance(request.seed, request.turn, "wander", n) for n in range(min(len(lines), 12)))
    wander = [lines[int(draw * len(lines))] for draw in draws]
    for score, line in [*ranked, *((0.0, line) for line in wander)]:
        thing = thing_in(line, request.asker, past.locale, names)
        if thing and thing.split()[-1] not in lately or score and not thing:
            return Recall(line, line.name or request.asker, thing, score)
    return None


def _meta_slots(request: SpiritRequest, reading: Reading, past: Room) -> dict[str, str]:
    slots: dict[str, str] = {}
    lines = past.questions()
    if reading.rule.id == "meta.last" and lines:
        who = reading.slots.get("who", "")
        theirs = [line for line in lines if line.name and plain(line.name) == (who or plain(request.asker))]
        ranked = search(request.question, lines, past.locale) if not who else []
        line = ranked[0][1] if ranked else (theirs or lines)[-1]
        slots = {"recall.who": line.name or request.asker, "recall.text": fit_words(clean(line.text), 12)}
        if thing := thing_in(line, request.asker, past.locale, frozenset()):
            slots["recall.thing"] = thing
    if past.answers(1):
        slots["last"] = sentences(past.answers(1)[0])[0]
    return slots


def _recall_symbol(recall: Recall, request: SpiritRequest) -> str:
    own = recall.who == request.asker
    if recall.who in recall.thing:
        return "recall.theirs"
    if recall.thing:
        return "recall.own" if own else "recall.other"
    return "recall.bare_own" if own else "recall.bare"


def _tail_symbol(request: SpiritRequest, index: int) -> str:
    dials = request.persona.temperament
    weights = [
        ("tail.riddle", dials.riddling),
        ("tail.warm", dials.warmth),
        ("tail.menace", dials.menace),
        ("tail.archaic", dials.archaic // 3),
        ("tail.glitch", dials.glitch),
    ]
    at = chance(request.seed, request.turn, request.attempt, "tail", index) * sum(weight for _, weight in weights)
    for symbol, weight in weights:
        at -= weight
        if at < 0:
            return symbol
    return "tail.riddle"


@lru_cache(maxsize=8192)
def _bag(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text.casefold()))


def _heard(past: Room) -> list[tuple[str, frozenset[str], float]]:
    """What was said lately, newest first, with how much it still rings."""
    return [(text, _bag(text), 1.0 - age / 80) for age, text in enumerate(reversed(past.answers()))]


def _staleness(text: str, heard: list[tuple[str, frozenset[str], float]]) -> float:
    """0 for something new, 2.5 for all the same words just now, `ALREADY_HEARD` for the very same text."""
    mine, worst = _bag(text), 0.0
    for answer, theirs, weight in heard:
        if answer.startswith(text):
            return ALREADY_HEARD
        if not mine.isdisjoint(theirs):
            worst = max(worst, weight * len(mine & theirs) / min(len(mine), len(theirs)))
    return 2.5 * worst


def _board(line: str, voice: str, grammar: Grammar, rng: random.Random) -> str:
    """The planchette's part: what was written for it, else a short first sentence, else an image of the topic."""
    for option in (line, sentences(voice)[0]):
        if option and sum(char.isalnum() for char in option) <= MAX_GLYPHS:
            return option.rstrip(".!?").upper()
    return grammar.flatten("t.board", rng).upper()


def _layers(request: SpiritRequest, pack: Pack) -> list[dict[str, tuple[str, ...]]]:
    persona = request.persona
    words = {"greet": persona.greetings, "part": persona.farewells}
    return [dict(persona.grammar), {name: lines for name, lines in words.items() if lines}, pack.grammar]


def answer(request: SpiritRequest) -> Reply:
    """The oracle's answer. Total for any request; a persona's broken grammar raises `GrammarError`."""
    persona, pack = request.persona, load_pack(request.persona.locale)
    locale = pack.locale
    past, reading = room(request.history, locale), read(request.question, locale)
    facts = life(request.seed, persona)
    slots = {
        **life_slots(facts),
        **table_slots(request, reading, pack.grammar.get("counts", ())),
        **question_slots(request, reading, pack),
        **_meta_slots(request, reading, past),
    }
    recalled = reading.rule.id == "meta.last" and "recall.who" in slots
    open_group = reading.rule.group in _OPEN_GROUPS
    earlier = _earlier(request.question, past) if open_group and reading.tokens else None
    recall: Recall | None = None
    draw = chance(request.seed, request.turn, request.attempt, persona.slug, "recall")
    if reading.rule.recall and not earlier and len(past.lines) >= RECALL_AFTER_LINES and draw < RECALL_SHARE:
        recall = _recall(request, past)
    if recall:
        slots |= {"recall.who": recall.who} | ({"recall.thing": recall.thing} if recall.thing else {})
    if earlier:
        symbol, more = _again(earlier, pack)
        slots |= more
    grammar = Grammar(_layers(request, pack), slots=slots, topic=reading.topic)
    if not earlier:
        symbol = _symbol(request, reading, grammar, facts, slots)

    best: tuple[float, str, str, bool] | None = None
    heard = _heard(past)
    limit = min(30, persona.limits.max_words)
    for index in range(CANDIDATES * 2):
        if index >= CANDIDATES and best and best[0] < 2:
            break
        seed = chance(request.seed, request.turn, request.attempt, persona.slug, persona.version, index)
        rng = random.Random(int(seed * 2**53))  # noqa: S311 - a spirit must be repeatable, not unguessable
        line, _, voice = grammar.flatten(symbol, rng).rpartition("|")
        voice, added = voice.strip(), False
        if recall and count_words(voice) <= 15:
            voice, added = f"{voice} {grammar.flatten(_recall_symbol(recall, request), rng)}", True
        elif open_group and not earlier and count_words(voice) <= 9 and rng.random() < TAIL_SHARE:
            voice = f"{voice} {grammar.flatten(_tail_symbol(request, index), rng)}"
        words = count_words(voice)
        score = _staleness(voice, heard) + 0.06 * max(0, words - 15) + 0.1 * max(0, 4 - words) - 0.4 * added
        if best is None or score < best[0]:
            best = (score, line.strip(), voice, added)
    if best is None:
        raise GrammarError(f"no candidate for {symbol!r}")
    score, line, voice, added = best
    rng = random.Random(request.turn * 31 + request.attempt)  # noqa: S311
    if score >= ALREADY_HEARD:
        voice = f"{voice} {grammar.flatten('tail.warm', rng)}"
    voice = fit_words(clean(voice), limit)
    board = _board(clean(line), voice, grammar, rng)
    memory = added or recalled or bool(earlier)
    return Reply(board, voice, reading.rule.id, reading.rule.group, reading.topic, memory)
