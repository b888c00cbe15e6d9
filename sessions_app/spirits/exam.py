"""Room: sessions_app/spirits. The oracle's examination: the figures that it was accepted at, measured again."""

from __future__ import annotations

import random
import time
from pathlib import Path

import msgspec

from .base import Line, Persona, SpiritRequest
from .oracle.biography import foreign_facts, life
from .oracle.pack import load_pack
from .oracle.reading import read
from .oracle.reply import Reply, answer
from .personas import load_persona

_PACKS = Path(__file__).parent / "oracle" / "packs"
TABLE = ("Ana", "Ben", "Cleo", "Tom")
SESSION_LENGTH = 100
# Questions that were written before the rules were last mended, and against which they never are.
HELD_OUT = "heldout/unseen.txt"
_CATCH_ALL = frozenset({"fallback", "statement.fact", "statement.word"})
NEVER_AGAIN_WITHIN = 40


class ExamReport(msgspec.Struct, frozen=True):
    """What was measured. Shares are 0–1, times milliseconds of processor time. `reached`: not the fallback; `specific`:
    nor one of the two catch-alls for statements, unless the topic was understood. `held_out`: questions that the rules
    were never mended against; `mended`: such lists of before. `faults`: the figures missed."""

    locale: str
    persona: str
    questions: int
    held_out: int
    held_out_specific: float
    held_out_grouped: float
    mended: int
    mended_grouped: float
    reached: float
    specific: float
    rightly_grouped: float
    sessions: int
    distinct: float
    repeats_within_40: int
    recalled_after_tenth: float
    contradictions: tuple[str, ...]
    words_5_to_15: float
    longest_words: int
    p50_ms: float
    p95_ms: float
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.faults


def corpus(locale: str = "en", name: str = "corpus.txt") -> list[tuple[str, str]]:
    """(group, question) for every line of one of the pack's lists of questions; none where there is no such list."""
    group, found = "", []
    path = _PACKS / locale / name
    for raw in path.read_text("utf-8").splitlines() if path.is_file() else []:
        line = raw.strip()
        if line.startswith("["):
            group = line.strip("[]")
        elif line and not line.startswith("#"):
            found.append((group, line))
    return found


def _mended(locale: str) -> list[str]:
    lists = sorted((_PACKS / locale / "heldout").glob("*.txt"))
    return [f"heldout/{path.name}" for path in lists if f"heldout/{path.name}" != HELD_OUT]


def hold_session(seed: int, questions: list[str], persona: Persona) -> list[tuple[str, str, Reply, float]]:
    """One evening: (asker, question, reply, milliseconds of this thread) for each question, the log growing all the
    while. Processor time: a busy neighbour must not fail an examination."""
    history: list[Line] = []
    told = []
    for turn, question in enumerate(questions, start=1):
        asker = TABLE[turn % len(TABLE)]
        request = SpiritRequest(
            f"exam-{seed}", seed, turn, 1, question, asker, TABLE, tuple(history), persona, len(history)
        )
        began = time.thread_time()
        reply = answer(request)
        told.append((asker, question, reply, (time.thread_time() - began) * 1000))
        history.append(Line(2 * turn - 1, asker, question, is_spirit=False))
        history.append(Line(2 * turn, None, reply.voice, is_spirit=True))
    return told


def _understood(asked: list[tuple[str, str]], locale: str) -> tuple[float, float]:
    """The shares of questions that reach a specific rule, and a rule of the group their writer had in mind."""
    readings = [(group, read(question, locale)) for group, question in asked]
    specific = sum(found.rule.id not in _CATCH_ALL or found.topic != "any" for _, found in readings)
    grouped = sum(group == found.rule.group for group, found in readings)
    return specific / max(1, len(asked)), grouped / max(1, len(asked))


def _repeats(voices: list[str]) -> int:
    return sum(voice in voices[max(0, at - NEVER_AGAIN_WITHIN) : at] for at, voice in enumerate(voices))


def _interrogation(locale: str) -> list[str]:
    """Everything that the corpus asks the spirit about itself, three times over: that is where lies come out."""
    return [question for group, question in corpus(locale) if group == "self"] * 3


def run_exam(locale: str = "en", slug: str = "the-spirit", *, sessions: int = 5) -> ExamReport:
    """Hold `sessions` evenings of 100 questions, and one interrogation for each seed; about 2 s for five.

    Raises `UnknownPersona` for a persona that is not bundled in this language.
    """
    persona, pack, asked = load_persona(slug, locale), load_pack(locale), corpus(locale)
    reached = sum(read(question, locale).rule.group != "fallback" for _, question in asked) / len(asked)
    specific, grouped = _understood(asked, locale)
    fresh = corpus(locale, HELD_OUT)
    held_out_specific, held_out_grouped = _understood(fresh, locale)
    mended = [line for name in _mended(locale) for line in corpus(locale, name)]
    _, mended_grouped = _understood(mended, locale)

    distinct: list[float] = []
    recalls: list[float] = []
    times: list[float] = []
    words: list[int] = []
    wrong: set[str] = set()
    repeats = 0
    for seed in range(1, sessions + 1):
        evening = [question for _, question in asked]
        random.Random(seed).shuffle(evening)  # noqa: S311 - the exam must be the same every time
        told = hold_session(seed, evening[:SESSION_LENGTH], persona)
        voices = [reply.voice for _, _, reply, _ in told]
        distinct.append(len(set(voices)) / len(voices))
        repeats += _repeats(voices)
        recalls.append(sum(reply.recalled for _, _, reply, _ in told[10:]) / len(told[10:]))
        times += [ms for _, _, _, ms in told]
        words += [len(voice.split()) for voice in voices]
        facts = life(seed, persona)
        pressed = hold_session(seed, _interrogation(locale), persona)
        for _, _, reply, _ in [*told, *pressed]:
            wrong.update(f"seed {seed}: {fact}" for fact in foreign_facts(facts, pack, f"{reply.board}. {reply.voice}"))
    times.sort()
    figures = {
        "600 questions": len(asked) >= 600,
        "60 held-out questions": len(fresh) >= 60,
        "95 % reach a specific rule": specific >= 0.95,
        "95 % of held-out questions reach a specific rule": held_out_specific >= 0.95,
        "75 % of held-out questions reach a rule of their kind": held_out_grouped >= 0.75,
        "90 % of those mended against, too": not mended or mended_grouped >= 0.90,
        "85 % distinct in a session": min(distinct) >= 0.85,
        "none again within 40": repeats == 0,
        "20 % use the room's memory after the tenth": min(recalls) >= 0.20,
        "no contradiction of the biography": not wrong,
        "30 words at most": max(words) <= 30,
        "p95 under 5 ms": times[int(len(times) * 0.95)] < 5.0,
    }
    return ExamReport(
        locale=locale,
        persona=f"{persona.slug}@{persona.version}",
        questions=len(asked),
        held_out=len(fresh),
        held_out_specific=held_out_specific,
        held_out_grouped=held_out_grouped,
        mended=len(mended),
        mended_grouped=mended_grouped,
        reached=reached,
        specific=specific,
        rightly_grouped=grouped,
        sessions=sessions,
        distinct=min(distinct),
        repeats_within_40=repeats,
        recalled_after_tenth=min(recalls),
        contradictions=tuple(sorted(wrong)),
        words_5_to_15=sum(5 <= count <= 15 for count in words) / len(words),
        longest_words=max(words),
        p50_ms=times[len(times) // 2],
        p95_ms=times[int(len(times) * 0.95)],
        faults=tuple(name for name, passed in figures.items() if not passed),
    )
