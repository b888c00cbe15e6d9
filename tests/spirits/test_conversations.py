"""Room: tests/spirits. The ten conversations of docs/spirit.md are what the oracle says, word for word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from sessions_app.spirits.base import Line, SpiritRequest
from sessions_app.spirits.oracle.reply import answer
from sessions_app.spirits.personas import load_persona

PAGE = Path(__file__).parent.parent.parent / "docs" / "spirit.md"
_TITLE = re.compile(r"^### \d+\. .+?\n\n`(?P<slug>[a-z-]+)` \((?P<locale>\w+)\), seed (?P<seed>\d+)\n\n```text\n", re.M)


class Conversation(NamedTuple):
    """One evening as the page shows it: who asked what, and the answer's two lines in one."""

    slug: str
    locale: str
    seed: int
    told: list[tuple[str, str, str]]


def conversations() -> list[Conversation]:
    text = PAGE.read_text(encoding="utf-8")
    found = []
    for title in _TITLE.finditer(text):
        lines = text[title.end() : text.index("```", title.end())].splitlines()
        told = []
        for asked, answered in zip(lines[::2], lines[1::2], strict=True):
            who, _, question = asked.partition(":")
            told.append((who, question.strip(), answered.strip()))
        found.append(Conversation(title["slug"], title["locale"], int(title["seed"]), told))
    return found


def hold(talk: Conversation, people: tuple[str, ...]) -> list[str]:
    history: list[Line] = []
    said = []
    for turn, (asker, question, _) in enumerate(talk.told, start=1):
        request = SpiritRequest(
            "s", talk.seed, turn, 1, question, asker, people, tuple(history),
            load_persona(talk.slug, talk.locale), len(history),
        )  # fmt: skip
        reply = answer(request)
        said.append(f"[{reply.board}] {reply.voice}")
        history.append(Line(2 * turn - 1, asker, question, is_spirit=False))
        history.append(Line(2 * turn, None, reply.voice, is_spirit=True))
    return said


@pytest.mark.parametrize("talk", conversations(), ids=lambda talk: f"{talk.slug}-{talk.seed}")
def test_a_conversation_of_the_page_is_what_the_oracle_says(talk: Conversation) -> None:
    assert hold(talk, ("Ana", "Ben", "Cleo")) == [answered for _, _, answered in talk.told]


def test_there_are_ten() -> None:
    assert len(conversations()) == 10
