"""Tests of the page: what nobody acknowledged before the end is on it as not sent, until its author puts it away."""

from __future__ import annotations

import pytest

from tests.browser.conftest import QUICK, OpenWindow
from tests.browser.test_quality import faults
from tests.browser.windows import LINE_LOST, Window
from tests.harness.plugin import MakeStack
from tests.harness.processes import manage

pytestmark = pytest.mark.processes
HOSTILE = '<img src=x onerror="window.hacked=1"> I know who did it'


def not_sent(one: Window) -> list[str]:
    return one.page.locator(".unsent .text").filter(visible=True).all_inner_texts()


def test_what_waited_when_the_seance_ended_stays_as_not_sent(make_stack: MakeStack, window: OpenWindow) -> None:
    server = make_stack(**QUICK).server()
    session = server.create_session(name="Gone")
    grace = window(server, allow=LINE_LOST.pattern + "|4505")
    grace.context.grant_permissions(["clipboard-read", "clipboard-write"])
    grace.sit_down(f"/board/{session.id}", "Grace")
    grace.ask("Before")
    grace.page.locator(".line.mine:not(.pending)").wait_for()
    server.kill9()
    grace.see("The line went quiet")
    grace.ask(HOSTILE)
    grace.see("on its way …")
    grace.field.press_sequentially("Half a thou")
    manage("end_session", session.id, env=server.env)
    server.start()

    grace.see("This séance is over.", within=45)
    assert (grace.texts(), not_sent(grace)) == (["Before"], [HOSTILE, "Half a thou"])
    assert faults(grace) == []
    grace.page.get_by_role("button", name="Copy").first.click()
    grace.see("Copied.")
    assert grace.evaluate("() => navigator.clipboard.readText()") == HOSTILE
    grace.page.reload()
    grace.see("This séance is over.")
    assert not_sent(grace) == [HOSTILE, "Half a thou"]
    grace.page.get_by_role("button", name="Put away").first.click()
    assert not_sent(grace) == ["Half a thou"]
    assert grace.evaluate("() => window.hacked") is None


def test_half_a_sentence_is_kept_when_the_host_ends_the_seance(window: OpenWindow) -> None:
    ada, grace = window(), window()
    path = ada.open_table("Ada", "Short", mode="off")
    grace.sit_down(path, "Grace")
    grace.field.press_sequentially("But I wanted")
    ada.press("Host")
    ada.press("End the séance")
    ada.press("End it for everybody?")

    grace.see("The séance is over")
    grace.until(lambda: not_sent(grace) == ["But I wanted"], "it is on the page")
    grace.page.get_by_role("link", name="Look back").click()
    grace.see("This séance is over.")
    assert not_sent(grace) == ["But I wanted"]


def test_what_waited_when_the_window_was_reloaded_is_not_sent_and_what_was_stored_is(
    make_stack: MakeStack, window: OpenWindow
) -> None:
    server = make_stack(**QUICK).server()
    session = server.create_session(name="Reload")
    grace = window(server, allow=LINE_LOST.pattern)
    path = f"/board/{session.id}"
    grace.sit_down(path, "Grace")
    grace.ask("Stored")
    grace.page.locator(".line.mine:not(.pending)").wait_for()
    server.kill9()
    grace.see("The line went quiet")
    grace.ask("Too late")
    grace.see("on its way …")
    grace.page.goto("about:blank")
    server.start()

    grace.go(path)
    grace.wait_for_room()
    grace.see("Stored")

    assert not_sent(grace) == ["Too late"]
    assert grace.texts() == ["Stored"]


def test_a_refused_message_stays_where_the_next_one_is_in_the_field_already(window: OpenWindow) -> None:
    ada, eve = window(), window()
    path = ada.open_table("Ada", "Mute", mode="off")
    eve.sit_down(path, "Eve")
    ada.press("Host")
    ada.press("Mute: Eve")
    ada.page.get_by_role("button", name="Let speak: Eve").wait_for()

    # In one step: the refusal comes when the next message is in the field already.
    eve.evaluate("""() => {
      const field = document.querySelector('textarea');
      field.value = 'First';
      field.form.requestSubmit();
      field.value = 'Second';
    }""")

    eve.until(lambda: not_sent(eve) == ["First"], "what was refused is on the page")
    assert eve.field.input_value() == "Second"
