"""Tests of the page: questions that wait, that are one, that are not for the table; and whose turn it is to ask."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.browser.conftest import QUICK, OpenWindow
from tests.browser.windows import Window
from tests.harness.model import Model
from tests.harness.plugin import MakeStack
from tests.harness.server import Server

pytestmark = pytest.mark.processes
LONG = "Tell me everything about the long road to the house"  # whatever it is, it takes a while to spell
HOSTILE = '<img src=x onerror="window.hacked=1">'


HELD = "What is it that you held in your hand?"  # the model holds its answer back for a minute


@pytest.fixture
def slow_server(make_stack: MakeStack) -> Iterator[Server]:
    """A server whose spirit takes its time, so that questions have to wait."""
    model = Model().start()
    patience = {"SPIRIT_TOTAL_SECONDS": "60", "SPIRIT_LEASE_SECONDS": "60"}
    yield make_stack(**{**QUICK, **model.env, **patience}).server()
    model.stop()


def queue(one: Window) -> list[str]:
    return one.page.locator(".waiting li").all_inner_texts()


def waits(one: Window, count: int) -> bool:
    return len(queue(one)) == count


def is_next(one: Window) -> bool:
    return "Next" in queue(one)[0]


def test_questions_wait_in_order_and_one_is_withdrawn(window: OpenWindow, slow_server: Server) -> None:
    ada, grace, eve = (window(slow_server) for _ in range(3))
    path = ada.open_table("Ada", "A queue", pace="ritual")
    grace.sit_down(path, "Grace")
    eve.sit_down(path, HOSTILE)

    ada.ask(HELD)
    ada.page.locator(".asking").wait_for()
    grace.ask("Who is with you?")
    ada.until(lambda: len(queue(ada)) == 1, "Grace's question waits")
    eve.ask(f"{HOSTILE} where are you?")
    for one in (ada, grace, eve):
        one.until(partial(waits, one, 2), "two questions wait")
        first, second = queue(one)
        assert "Next Grace: Who is with you?" in first
        assert f"2. {HOSTILE}: {HOSTILE} where are you?" in second
        assert one.page.locator(".turn img").count() == 0
    assert eve.page.get_by_role("button", name="Withdraw").count() == 1  # of her own only
    assert ada.page.get_by_role("button", name="Withdraw").count() == 2  # the host's
    late = window(slow_server)
    late.sit_down(path, "Late")
    late.until(partial(waits, late, 2), "who comes late sees them, too")
    assert queue(late) == [text.removesuffix("Withdraw").rstrip() for text in queue(ada)]
    grace.press("Withdraw")

    for one in (ada, grace, eve):
        one.until(partial(waits, one, 1), "one is gone")
        one.until(partial(is_next, one), "the other has its place")
    grace.see("A question was let be.")
    assert eve.evaluate("() => window.hacked") is None


def test_equal_questions_share_an_answer(window: OpenWindow, slow_server: Server) -> None:
    ada, grace, eve = (window(slow_server) for _ in range(3))
    path = ada.open_table("Ada", "The same", pace="ritual")
    grace.sit_down(path, "Grace")
    eve.sit_down(path, HOSTILE)

    ada.ask(HELD)
    ada.page.locator(".asking").wait_for()
    grace.ask("Who is with you?")
    ada.until(lambda: len(queue(ada)) == 1, "Grace's question waits")
    eve.ask("who is with you")

    eve.see("Your question is answered together with one that waits.")
    ada.see(f"{HOSTILE}’s question is answered together with one that waits.")
    ada.until(lambda: "one more who asks it" in queue(ada)[0], "the queue tells of both")
    assert len(queue(ada)) == 1


def test_a_cry_for_help_is_answered_in_private(window: OpenWindow) -> None:
    ada, grace = window(), window()
    path = ada.open_table("Ada", "Heavy", mode="open")
    grace.sit_down(path, "Grace")
    ada.ask("I want to kill myself")

    notice = ada.page.locator(".notice")
    notice.get_by_role("link", name="findahelpline.com").wait_for()
    assert notice.get_by_role("link").get_attribute("href") == "https://findahelpline.com"
    assert "deserves a person" in notice.inner_text()
    grace.see("A question was withdrawn.")
    assert "kill" not in grace.page.inner_text("body")
    assert ada.texts() == grace.texts() == []
    assert grace.page.locator(".notice").is_hidden()
    ada.press("Put this away")
    ada.until_gone(".notice")


def test_in_a_circle_each_asks_in_turn(window: OpenWindow) -> None:
    ada, grace = window(), window()
    path = ada.open_table("Ada", "Around", mode="circle", pace="instant")
    grace.sit_down(path, HOSTILE)
    ada.until(lambda: "your turn" in ada.page.locator(".circle").inner_text(), "Ada begins")
    ada.ask("Who are you?")

    ada.see(f"It is {HOSTILE}’s turn to ask.")
    grace.see("It is your turn to ask.")
    assert "may ask" in grace.page.locator(".seat.asks").inner_text()
    late = window()
    late.sit_down(path, "Late")
    late.see(f"It is {HOSTILE}’s turn to ask.")
    ada.ask("And I once more?")
    ada.see("It is somebody else’s turn to ask.")
    assert ada.field.input_value() == "And I once more?"
    ada.field.fill("")
    ada.page.get_by_label("Among us").check()
    ada.ask("She is thinking")
    grace.see("She is thinking")
    grace.ask("Is it cold there?")
    ada.see("It is your turn to ask.")
    assert ada.page.locator(".circle img").count() == 0


def test_nobody_reads_the_answer_ahead_of_the_board(window: OpenWindow) -> None:
    ada, dropped = window(), window()
    path = ada.open_table("Ada", "Patience", pace="ritual")
    dropped.sit_down(path, "Grace")
    ada.ask(LONG)
    ada.until(lambda: ada.page.locator(".fire.on").count() > 0, "the planchette is on a letter")
    session = path.removeprefix("/board/")
    stored = (
        "async (id) => (await (await fetch(`/api/sessions/${id}/history`)).json()).data.some((one) => one.is_spirit)"
    )
    ada.until(lambda: bool(ada.evaluate(stored, session)), "the answer is stored")
    late = window()
    late.sit_down(path, "Late")
    dropped.page.reload()
    dropped.wait_for_room()

    assert ada.page.locator(".line.spirit").count() == 0, "the script was too short for this test"
    for one in (late, dropped):
        one.page.wait_for_timeout(300)
        assert one.page.locator(".line.spirit").count() == ada.page.locator(".line.spirit").count() == 0
    answers = [one.spirit_says(1) for one in (ada, late, dropped)]
    assert len(set(answers)) == 1
