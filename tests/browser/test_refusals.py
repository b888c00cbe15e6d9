"""Tests of the page: what cannot be, in plain words, with a way on; and words that want to be more than words."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.browser.conftest import OpenWindow
from tests.harness.server import Server

pytestmark = pytest.mark.processes
NOT_OK = r"status of 4\d\d"  # Chromium complains of every answer that is no success
MARKUP = '<img src=x onerror="window.hacked=1">'
HANDLERS = """() => [...document.querySelectorAll('#page *')]
  .filter((element) => [...element.attributes].some(({ name }) => name.startsWith('on'))).length"""
SCRIPT = "</li></ol><script>window.hacked=2</script><svg onload=window.hacked=3>"


@pytest.mark.parametrize("path", [f"/board/{uuid.UUID(int=7)}", "/board/nonsense", "/board/%3Cimg%20src=x%3E"])
def test_a_session_that_is_not_there(window: OpenWindow, path: str) -> None:
    visitor = window(allow=NOT_OK)
    visitor.go(path)

    visitor.see("Nobody sits here")
    visitor.page.get_by_role("link", name="To the beginning").click()
    visitor.page.get_by_role("button", name="Light the candles").wait_for()


def test_a_full_table_lets_one_watch_or_wait(window: OpenWindow, table_server: Server) -> None:
    ada, grace, late, watcher = (window(allow="WebSocket|4008") for _ in range(4))
    session = table_server.create_session(max_users=2, name="Small")
    path = f"/board/{session.id}"
    ada.sit_down(path, "Ada")
    grace.sit_down(path, "Grace")

    for one in (late, watcher):
        one.go(path)
        one.page.get_by_label("Your name at the table").fill("Third")
        one.press("Wait for a seat")
        one.see("Every seat is taken")
    watcher.press("Only watch")
    watcher.see("You watch.")
    grace.press("Leave")
    late.page.locator(".room .composer").wait_for(timeout=45_000)

    assert watcher.page.locator(".composer").is_hidden()


def test_an_ended_session_shows_what_was_said(window: OpenWindow, table_server: Server) -> None:
    session = table_server.create_session(name="Long ago")
    table_server.http(
        "POST", f"/api/sessions/{session.id}/messages", json={"text": "Good night."}, token=session.host_token
    )
    table_server.http("DELETE", f"/api/sessions/{session.id}", token=session.host_token)
    visitor = window()

    visitor.go(f"/board/{session.id}")

    visitor.see("This séance is over.")
    visitor.see("Good night.")
    visitor.page.get_by_role("link", name="Begin another").wait_for()


def test_an_invitation_opens_what_is_closed(window: OpenWindow) -> None:
    ada, stranger, guest = window(), window(allow=NOT_OK), window()
    ada.go("/board/")
    ada.page.get_by_label("Your name").fill("Ada")
    ada.page.get_by_label("The séance is called").fill("Behind the curtain")
    ada.page.get_by_text("How it is held").click()
    ada.page.get_by_label("Who gets in").select_option("invite")
    ada.press("Light the candles")
    ada.wait_for_room()
    ada.press("Invite")
    link = ada.page.get_by_role("textbox", name="Link")
    ada.until(lambda: "#invite=" in link.input_value(), "the link has an invite")

    stranger.go(ada.page.url)
    stranger.see("Nobody sits here")
    guest.sit_down(link.input_value(), "Grace")
    guest.page.reload()
    guest.wait_for_room()


def test_a_table_for_members_asks_who_one_is(window: OpenWindow, table_server: Server) -> None:
    session = table_server.create_session(name="Members", access="members")
    account = {"email": f"{uuid.uuid4()}@example.com", "password": "a candle in the dark", "name": "Ada"}
    registered = table_server.http("POST", "/api/auth/register", json=account).status
    visitor = window(allow=NOT_OK)

    visitor.go(f"/board/{session.id}")
    visitor.see("Who are you?")
    visitor.page.get_by_label("E-mail address").fill(account["email"])
    visitor.page.get_by_label("Password").fill("something else")
    visitor.press("Sign in")
    visitor.page.locator(".problem").wait_for()

    if registered == 201:
        visitor.page.get_by_label("Password").fill(account["password"])
        visitor.press("Sign in")
        visitor.wait_for_room()


def test_a_name_that_is_refused_says_why(window: OpenWindow) -> None:
    visitor = window(allow=NOT_OK)
    visitor.go("/board/")
    visitor.page.get_by_label("Your name").fill("\u200b\u200b")
    visitor.page.get_by_label("The séance is called").fill("Friday")
    visitor.press("Light the candles")

    visitor.page.locator(".problem").first.wait_for()
    assert visitor.page.locator(".problem").first.inner_text()


def test_hostile_names_and_messages_are_text_in_every_place(window: OpenWindow, table_server: Server) -> None:
    name = MARKUP
    ada, eve, door = window(), window(), window()
    path = ada.open_table(name, f"{MARKUP} séance", mode="open", pace="ritual")
    eve.sit_down(path, SCRIPT[:50])
    listed = table_server.create_session(name=f"{MARKUP} list", is_listed=True)

    eve.field.press_sequentially("…")
    ada.see("writes …")
    for text in (SCRIPT, f"{MARKUP} who are you?", "\u202egnihton si siht\u202c"):
        eve.ask(text)
    ada.ask(f"My name is {MARKUP}; say it.")
    ada.spirit_says(2, within=60)
    ada.press("Host")
    ada.press("Close")
    eve.page.locator(".seat").nth(1).wait_for()
    door.go(path)
    door.see(f"{MARKUP} séance")
    door.go("/board/")
    door.see(f"{MARKUP} list")
    ada.press("Host")
    ada.press("End the séance")
    ada.press("End it for everybody?")
    eve.page.get_by_role("link", name="Look back").click()
    eve.see("This séance is over.")
    eve.press("Play it again")
    eve.until(lambda: eve.page.locator(".line.now").count() == 1, "it plays")

    for one in (ada, eve, door):
        assert one.evaluate("() => window.hacked") is None
        assert one.page.locator("#page img, #page script, #page svg[onload], #page li script").count() == 0
        assert one.evaluate(HANDLERS) == 0
    assert any(SCRIPT in text for text in eve.texts())
    assert MARKUP in eve.page.title()
    assert listed.id


def test_every_answer_for_the_page_has_the_strict_policy(window: OpenWindow, table_server: Server) -> None:
    visitor = window()
    answers = []
    visitor.page.on("response", lambda response: answers.append(response))
    visitor.go("/board/")
    visitor.page.get_by_role("button", name="Light the candles").wait_for()

    policy = next(one for one in answers if one.url.endswith("/board/")).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert re.search(r"script-src 'self'(;|$)", policy)
    assert {one.url.split("/")[2] for one in answers} == {table_server.base.removeprefix("http://")}
    assert all(one.status == 200 for one in answers), [(one.status, one.url) for one in answers if one.status != 200]
