"""Tests of the terminal client's small rules: when to come back, where the planchette is, what a key does."""

from __future__ import annotations

import msgspec
import pytest

from sessions_app.management.terminal import retry
from sessions_app.management.terminal.keyboard import Closed, Edited, Entered, LineEditor, LineSplitter
from sessions_app.management.terminal.outbox import Outbox
from sessions_app.management.terminal.planchette import Planchette
from sessions_app.spirits.board import board_script

pytestmark = pytest.mark.once

SCRIPT = board_script("OH NO")
MOVES = [msgspec.to_builtins(move) for move in SCRIPT.moves]


@pytest.mark.parametrize("code", [1001, 1006, 1009, 1011, 1012, 4000, 4001, 4002, 4003, 4005, 4006, 4008, 4499])
def test_codes_that_say_come_back(code: int) -> None:
    assert retry.comes_back(code)


@pytest.mark.parametrize("code", [1000, 1002, 4500, 4501, 4502, 4503, 4505, 4506, 4507, 4510, 4511, 4999])
def test_codes_that_say_stay_away(code: int) -> None:
    assert not retry.comes_back(code)


def test_the_server_says_when_for_the_first_attempt_only() -> None:
    assert retry.delay(1, 1500) == 1.5
    assert retry.delay(2, 1500, uniform=lambda low, high: high) == 2.0


def test_jitter_is_full_and_bounded() -> None:
    ceilings = [retry.delay(attempt, uniform=lambda low, high: high) for attempt in range(1, 12)]
    floor = retry.delay(9, uniform=lambda low, high: low)

    assert ceilings == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0]
    assert floor == 0.5


def test_letters_come_when_the_lens_arrives() -> None:
    planchette = Planchette()
    planchette.move("t", 100.0, MOVES)
    first = 100.0 + (MOVES[0]["t_ms"] + MOVES[0]["travel_ms"]) / 1000

    before = planchette.letters(first - 0.001)
    at = planchette.letters(first)

    assert before == []
    assert at == [("t", "O")]


def test_a_whole_script_spells_its_text_however_often_it_is_told() -> None:
    planchette = Planchette()
    planchette.move("t", 100.0, MOVES[:2])
    planchette.move("t", 100.0, MOVES[1:3])
    planchette.complete("t", MOVES)

    spelt = "".join(glyph for _, glyph in planchette.letters(100.0 + SCRIPT.duration_ms / 1000))

    assert spelt == "OH NO"
    assert planchette.is_at_rest("t")
    assert planchette.due() is None


def test_a_turn_that_never_moved_cannot_be_completed() -> None:
    assert not Planchette().complete("t", MOVES)


def test_the_editor_makes_lines_of_keys() -> None:
    editor = LineEditor()

    found = list(editor.feed("hé\x7fi \x1b[Dyou\x17\x15ok\r"))

    assert found[-1] == Entered("ok")
    assert [one.line for one in found if isinstance(one, Edited)][:5] == ["h", "hé", "h", "hi", "hi "]
    assert list(editor.feed("\x04")) == [Closed()]


def test_a_pipe_is_split_into_lines_the_last_one_too() -> None:
    splitter = LineSplitter()

    found = [*splitter.feed("one\r\ntw"), *splitter.feed("o\nthree"), *splitter.close()]

    assert found == [Entered("one"), Entered("two"), Entered("three"), Closed()]


def test_an_ack_of_something_else_settles_nothing() -> None:
    outbox = Outbox()
    outbox.add("hello")
    outbox.take(0.0)

    assert not outbox.settle("another")
    assert not outbox.settle(None)
    assert len(outbox) == 1
