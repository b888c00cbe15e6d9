"""Tests of the page: a room that its host locks, for who sits there and for who stands in front of it."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenWindow
from tests.browser.test_quality import faults

pytestmark = pytest.mark.processes


def test_the_host_locks_the_room_and_whoever_comes_is_told_and_can_go_on(window: OpenWindow) -> None:
    ada, grace, late = window(), window(), window()
    path = ada.open_table("Ada", "Behind a lock", mode="off")
    grace.sit_down(path, "Grace")

    ada.press("Host")
    ada.press("Lock the room")
    ada.see("The room is locked.")
    ada.page.get_by_role("button", name="Unlock the room").wait_for()
    found = {"host": faults(ada)}
    ada.press("Close")
    for one in (ada, grace):
        one.page.locator(".bar .lock").wait_for()
        one.see("The room was locked: nobody new comes in.")
    grace.press("Invite")
    grace.see("nobody new comes in by this link before the host unlocks it")
    grace.press("Close")

    late.go(path)
    late.page.get_by_role("heading", name="The room is locked").wait_for()
    found["door"] = faults(late)
    assert late.page.get_by_label("Your name at the table").count() == 0
    late.press("Knock again")
    late.see("Still locked.")
    grace.page.reload()  # whoever sat there comes back
    grace.wait_for_room()
    ada.press("Host")
    ada.press("Unlock the room")
    grace.until_gone(".bar .lock")
    late.press("Knock again")
    late.page.get_by_label("Your name at the table").fill("Late")
    late.press("Sit down")
    late.wait_for_room()

    assert {screen: list_ for screen, list_ in found.items() if list_} == {}


def test_a_room_that_is_locked_while_one_stands_at_the_door_does_not_know_one(window: OpenWindow) -> None:
    ada, late = window(), window(allow="WebSocket|4501")
    path = ada.open_table("Ada", "Just now", mode="off")
    late.go(path)
    late.page.get_by_label("Your name at the table").fill("Late")
    ada.press("Host")
    ada.press("Lock the room")
    ada.see("The room is locked.")

    late.press("Sit down")

    late.page.get_by_role("heading", name="The room is locked").wait_for()
    assert late.page.get_by_role("button", name="Come back as").count() == 0
    late.page.get_by_role("link", name="To the beginning").click()
    late.page.get_by_role("button", name="Light the candles").wait_for()


def test_the_lock_is_turned_and_the_door_is_knocked_at_by_keyboard(window: OpenWindow) -> None:
    ada, late = window(), window()
    path = ada.open_table("Ada", "By hand", mode="off")

    ada.tab_to("button", "Host")
    ada.page.keyboard.press("Enter")
    ada.tab_to("button", "Lock the room")
    ada.page.keyboard.press("Enter")
    ada.page.get_by_role("button", name="Unlock the room").wait_for()
    assert ada.page.get_by_role("button", name="Unlock the room").evaluate("(one) => one === document.activeElement")
    late.go(path)
    late.page.get_by_role("heading", name="The room is locked").wait_for()
    late.tab_to("button", "Knock again")
    late.page.keyboard.press("Enter")

    late.page.get_by_role("alert").filter(has_text="Still locked.").first.wait_for(state="attached")
    assert late.page.get_by_role("button", name="Knock again").evaluate("(one) => one === document.activeElement")
