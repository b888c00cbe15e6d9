"""Tests of what the terminal shows: words, order, time, and nothing that a terminal would obey."""

from __future__ import annotations

import io
from uuid import uuid4

import pytest

from sessions_app.management.output import harmless, plain_table, rich_table
from sessions_app.management.terminal.client import Client
from sessions_app.management.terminal.happenings import Came, Said, Told, Typing
from sessions_app.management.terminal.narrator import Narrator
from sessions_app.management.terminal.view import LiveView, PlainView, fitting
from sessions_app.spirits.board import board_script
from tests.commands import frames

pytestmark = pytest.mark.once

NOW = 1000.0
LATER = NOW + board_script("YES").duration_ms / 1000
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2028x\x9b31m"


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def narrator(out: io.StringIO) -> Narrator:
    return Narrator(PlainView(out))


def hear(narrator: Narrator, client: Client, *texts: str) -> None:
    for text in texts:
        narrator.tell(client.received(text, NOW), NOW)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.opened(NOW)
    return client


def test_an_answer_is_shown_when_its_line_is_spelt(narrator: Narrator, client: Client, out: io.StringIO) -> None:
    turn, question = uuid4(), uuid4()

    hear(narrator, client, frames.welcome(), frames.thinking(turn, question), frames.moves(turn))
    hear(narrator, client, frames.answer(1, turn_id=turn, question=question))
    before, busy = out.getvalue(), narrator.is_busy
    narrator.tick(LATER)

    assert "The spirit" not in before
    assert busy
    assert out.getvalue().endswith("  ✦ YES\nThe spirit: Yes, I am here.\n")
    assert not narrator.is_busy


def test_an_answer_waits_for_the_board_that_is_still_busy(narrator: Narrator, client: Client, out: io.StringIO) -> None:
    first, second, question = uuid4(), uuid4(), uuid4()

    hear(narrator, client, frames.welcome(), frames.thinking(first, question), frames.moves(first))
    hear(narrator, client, frames.answer(1, turn_id=first, question=question, text="First."))
    hear(narrator, client, frames.thinking(second, question))
    hear(narrator, client, frames.answer(2, turn_id=second, question=question, text="Second."))
    narrator.tick(LATER)
    narrator.tell(client.received(frames.moves(second, after=LATER - NOW), LATER), LATER)
    narrator.tick(LATER + LATER - NOW)

    assert out.getvalue().endswith("  ✦ YES\nThe spirit: First.\n  ✦ YES\nThe spirit: Second.\n")


def test_an_answer_whose_moves_were_lost_is_shown_all_the_same(
    narrator: Narrator, client: Client, out: io.StringIO
) -> None:
    turn, question = uuid4(), uuid4()

    hear(narrator, client, frames.welcome(), frames.thinking(turn, question))
    hear(narrator, client, frames.answer(1, turn_id=turn, question=question))
    narrator.tick(NOW + 1)
    hear(narrator, client, frames.moves(turn))
    narrator.tick(LATER + 1)

    assert out.getvalue().endswith("  ✦ YES\nThe spirit: Yes, I am here.\n")


def test_a_line_in_between_does_not_tear_the_letters_into_it(narrator: Narrator, out: io.StringIO) -> None:
    narrator.view.letter("Y")
    narrator.tell([Came("Cleo", "observer")], NOW)
    narrator.view.letter("E")
    narrator.view.spelled()

    assert out.getvalue() == "  ✦ Y\n* Cleo comes to watch\n  ✦ E\n"


def test_a_text_of_several_lines_cannot_look_like_somebody_else(narrator: Narrator, out: io.StringIO) -> None:
    narrator.tell([Said(1, "Ben", "hi\nThe spirit: BEGONE")], NOW)

    assert out.getvalue() == "Ben: hi\n    The spirit: BEGONE\n"


@pytest.mark.parametrize(
    "happening", [Said(1, HOSTILE, HOSTILE), Came(HOSTILE, "host"), Typing((HOSTILE,)), Told(HOSTILE)]
)
def test_no_text_reaches_the_terminal_as_a_command(
    narrator: Narrator, out: io.StringIO, happening: Said | Came | Typing | Told
) -> None:
    narrator.tell([happening], NOW)

    assert out.getvalue().rstrip("\n").isprintable()


def test_a_table_shows_hostile_cells_as_text() -> None:
    row = (HOSTILE, "[red]not markup[/red]")

    plain, rich = plain_table(("a", "b"), [row]), rich_table(("a", "b"), [row])

    assert all(line.isprintable() for line in plain.split("\n"))
    assert "[red]not markup[/red]" in rich
    assert "\x1b]0" not in rich
    assert "\u202e" not in rich


def test_an_id_is_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    session = str(uuid4())

    text = rich_table(("id", "name"), [(session, "A name that is much too long for what is left of the line")])

    assert session in text


def test_emoji_of_several_parts_stay_whole() -> None:
    assert harmless("👩\u200d🚀 ok") == "👩\u200d🚀 ok"


def test_the_live_view_keeps_the_prompt_below_the_lines(out: io.StringIO) -> None:
    view = LiveView(out, columns=40, color=False)

    view.prompt("hel")
    view.letter("Y")
    view.line("Ben: hi")
    view.spelled()
    view.prompt(None)

    assert out.getvalue().endswith("\r\x1b[1A\x1b[J")
    assert "Ben: hi\n  ✦ Y\n> hel" in out.getvalue()


def test_a_long_line_shows_its_end_in_columns_not_characters() -> None:
    assert fitting("abcdef", 4) == "cdef"
    assert fitting("漢字漢字", 4) == "漢字"
