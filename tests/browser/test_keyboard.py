"""Tests of the page: everything that can be done at it is done by the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Keyboard

from tests.browser.conftest import OpenWindow
from tests.browser.test_unsent import not_sent
from tests.browser.windows import Window

pytestmark = pytest.mark.processes


def push(one: Window, name: str, *, key: str = "Enter", among: str = "") -> None:
    """Go to a button, box or field by its accessible name, forwards by Tab, and press a key there."""
    keys: Keyboard = one.page.keyboard
    seen: list[str] = []
    for _ in range(80):
        keys.press("Tab")
        here = one.page.locator(f"{among} :focus".strip())
        if here.count() == 0:
            continue
        seen.append(here.evaluate(NAME))
        if seen[-1] == name:
            keys.press(key)
            return
    raise AssertionError(f"{name!r} cannot be reached by Tab, only {seen}")


NAME = """(one) => one.getAttribute('aria-label') ?? one.labels?.[0]?.querySelector('span')?.textContent
  ?? one.labels?.[0]?.textContent ?? one.textContent"""


def test_a_seance_by_keyboard_alone(window: OpenWindow) -> None:
    ada = window()
    ada.go("/board/")
    ada.page.get_by_role("button", name="Light the candles").wait_for()
    keys = ada.page.keyboard

    ada.tab_to("input[autocomplete=nickname]")
    keys.type("Ada")
    keys.press("Tab")
    keys.type("By hand")
    keys.press("Enter")
    ada.wait_for_room()
    ada.until_script("() => document.activeElement.matches('h1')", "the focus is at the beginning of the new screen")
    ada.tab_to("textarea")
    keys.type("Is anyone there?")
    keys.press("Enter")
    ada.spirit_says(1)
    keys.press("Shift+Tab")
    assert ada.evaluate("() => document.activeElement.matches('.scroller, .scroller *')")
    for _ in range(12):
        if ada.evaluate("() => document.activeElement.textContent === 'Invite'"):
            break
        keys.press("Shift+Tab")
    keys.press("Enter")
    ada.page.locator("dialog.share").wait_for()
    keys.press("Escape")
    ada.page.locator("dialog.share").wait_for(state="hidden")
    assert ada.evaluate("() => document.activeElement.textContent") == "Invite"


def test_what_a_host_does_by_keyboard(window: OpenWindow) -> None:
    ada, eve = window(), window()
    path = ada.open_table("Ada", "By key", mode="open")
    eve.sit_down(path, "Eve")
    keys = ada.page.keyboard

    push(ada, "Sound", key="Space")
    assert ada.page.get_by_role("button", name="Sound").get_attribute("aria-pressed") == "true"
    ada.tab_to("textarea")
    keys.type("A slip of the tongue")
    keys.press("Enter")
    ada.page.locator(".line.mine:not(.pending)").wait_for()
    push(ada, "Delete: what Ada said")
    eve.until_gone(".line.mine")
    push(ada, "Host")
    sheet = "dialog.host"
    ada.page.locator(sheet).wait_for()
    push(ada, "Mute: Eve", among=sheet)
    ada.page.get_by_role("button", name="Let speak: Eve").wait_for()
    assert ada.page.locator(":focus").get_attribute("aria-label") == "Let speak: Eve"
    push(ada, "Send away: Eve", among=sheet, key="Space")
    ada.page.get_by_role("button", name="Send away for good?").wait_for()
    keys.press("Space")
    eve.see("You were asked to leave")
    push(ada, "End the séance", among=sheet)
    ada.page.get_by_role("button", name="End it for everybody?").wait_for()
    keys.press("Enter")
    ada.see("The séance is over")
    push(ada, "Look back")
    ada.see("This séance is over.")


def test_looking_back_by_keyboard(window: OpenWindow) -> None:
    ada = window()
    ada.open_table("Ada", "Long ago")
    ada.ask("Is anyone there?")
    words = ada.spirit_says(1, within=60)
    ada.ask("Half a thought")
    ada.spirit_says(2, within=60)
    ada.field.press_sequentially("Never sent")
    ada.press("Host")
    ada.press("End the séance")
    ada.press("End it for everybody?")
    ada.see("The séance is over")
    ada.page.get_by_role("link", name="Look back").click()
    ada.see("This séance is over.")
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])

    push(ada, "Play it again")
    ada.until(lambda: ada.page.locator(".fire.on").count() > 0, "the board spells it again")
    ada.page.get_by_role("button", name="Pause").wait_for()
    ada.page.keyboard.press("Space")
    ada.page.get_by_role("button", name="Go on").wait_for()
    push(ada, "Stop")
    ada.page.get_by_role("button", name="Play it again").wait_for()
    push(ada, "Spell again: what the spirit said")
    ada.until(lambda: ada.page.locator(".fire.on").count() > 0, "one answer is spelt again")
    with ada.page.expect_download() as taken:
        push(ada, "Transcript as Text")
    assert words in taken.value.path().read_text(encoding="utf-8")
    push(ada, "Copy: Never sent")
    ada.see("Copied.")
    assert ada.evaluate("() => navigator.clipboard.readText()") == "Never sent"
    push(ada, "Put away: Never sent")
    assert not_sent(ada) == []
    push(ada, "Begin another")
    ada.page.get_by_role("button", name="Light the candles").wait_for()
