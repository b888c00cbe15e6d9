"""Tests of the page: a whole séance, from its creation to its transcript."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.browser.conftest import QUICK, OpenWindow
from tests.browser.windows import LINE_LOST, behind
from tests.harness.plugin import MakeStack
from tests.harness.processes import manage

pytestmark = pytest.mark.processes
LONG = "Tell me everything about the long road to the house"  # whatever it is, it takes a while to spell


def test_two_people_hold_a_seance_and_a_third_comes_late(window: OpenWindow, tmp_path: Path) -> None:
    ada, grace = window(), window(phone=True)
    path = ada.open_table("Ada", "Friday night", pace="ritual")
    ada.press("Invite")
    link = ada.page.get_by_role("textbox", name="Link").input_value()
    ada.press("Close")
    grace.sit_down(link, "Grace")

    grace.field.press_sequentially("Is any")
    ada.see("Grace writes …")
    ada.see("Grace sat down.")
    grace.field.fill("")
    for one in (ada, grace):
        one.record()
    ada.ask("Who are you?")
    grace.ask(LONG)
    ada.until(lambda: ada.page.locator(".fire.on").count() > 0, "the planchette is on a letter")
    late = window()
    late.sit_down(path, "Late")
    late.record()
    answer = ada.spirit_says(2, within=45)
    paths = [one.recorded() for one in (ada, grace, late)]

    for other in paths[1:]:
        # Each frame of the first, and each that the other drew.
        for apart in (sorted(behind(paths[0], other)), sorted(behind(other, paths[0]))):
            half, most = apart[len(apart) // 2], apart[int(len(apart) * 0.95)]
            print(f"{len(apart)} frames in step: half within {half:.0f} ms, 95 % in {most:.0f}")
            assert len(apart) > 30, "it stood still for the other"
            assert half <= 20
            assert most <= 60
    for one in (grace, late):
        assert one.spirit_says(2) == answer
        assert one.texts() == ada.texts()

    ada.press("Host")
    ada.press("End the séance")
    ada.press("End it for everybody?")
    for one in (ada, grace, late):
        one.see("The séance is over")
    grace.page.get_by_role("link", name="Look back").click()
    grace.page.get_by_role("button", name="Play it again").click()
    grace.until(lambda: grace.page.locator(".line.now").count() == 1, "a message is marked")
    grace.until(lambda: grace.page.locator(".fire.on").count() > 0, "it is spelt again")
    grace.press("Pause")
    time.sleep(0.1)  # what was asked for before is drawn
    held = grace.evaluate("() => document.querySelector('.planchette').style.transform")
    time.sleep(0.4)
    assert grace.evaluate("() => document.querySelector('.planchette').style.transform") == held
    grace.press("Go on")
    with grace.page.expect_download() as download:
        grace.page.get_by_role("button", name="Transcript as Text").click()
    download.value.save_as(tmp_path / "transcript.txt")
    assert answer in (tmp_path / "transcript.txt").read_text(encoding="utf-8")


def test_the_last_answer_goes_from_the_board_when_the_next_is_spelt(window: OpenWindow) -> None:
    ada = window()
    ada.open_table("Ada", "One after another", pace="ritual")
    ada.ask("Is anyone there?")
    first = ada.spirit_says(1)
    assert first in ada.page.locator(".voice").inner_text()

    ada.ask(LONG)
    ada.until(lambda: ada.page.locator(".fire.on").count() > 0, "the next one is spelt", within=30)

    assert ada.page.locator(".line.spirit").count() == 1
    assert ada.page.locator(".voice").inner_text() == ""


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_a_long_message_in_a_replay_leaves_the_buttons_free(window: OpenWindow, *, phone: bool) -> None:
    ada = window(phone=phone)
    ada.open_table("Ada", "At length", mode="off")
    ada.ask("m" * 500)
    ada.page.locator(".line.mine:not(.pending)").wait_for()
    ada.press("Host")
    ada.press("End the séance")
    ada.press("End it for everybody?")
    ada.page.get_by_role("link", name="Look back").click()
    ada.press("Play it again")
    ada.page.locator(".where", has_text="mmm").wait_for()

    # How far its text reaches, and not only its box.
    top, height, line = ada.evaluate("""() => {
      const where = document.querySelector('.where'), { overflow, lineHeight } = getComputedStyle(where);
      const height = overflow === 'hidden' ? where.clientHeight : where.scrollHeight;
      return [where.getBoundingClientRect().y, height, parseFloat(lineHeight)];
    }""")
    row = ada.page.locator(".player .row").bounding_box()
    assert row is not None
    assert height >= 2 * line - 1
    assert top + height <= row["y"]


def test_a_reload_comes_back_to_the_same_seat(window: OpenWindow) -> None:
    ada, grace = window(), window()
    path = ada.open_table("Ada", "Reload", mode="off")
    grace.sit_down(path, "Grace")
    ada.ask("Before the reload")
    grace.see("Before the reload")

    ada.page.reload()
    ada.wait_for_room()
    ada.ask("After it")
    grace.see("After it")

    assert ada.page.locator(".seat").count() == 2
    assert ada.page.get_by_role("button", name="Host").is_visible()
    assert grace.page.get_by_text("Ada got up.").count() == 0


def test_a_second_window_of_the_same_browser_can_be_somebody_else(window: OpenWindow) -> None:
    ada = window()
    path = ada.open_table("Ada", "One browser", mode="off")
    second = ada.context.new_page()
    second.goto(ada.base + path)
    second.get_by_role("button", name="Come back as Ada").wait_for()
    second.get_by_label("Your name at the table").fill("Grace")
    second.get_by_role("button", name="Sit down").click()

    ada.until(lambda: ada.page.locator(".seat").count() == 2, "two people sit there")


def test_a_server_that_restarts_in_the_middle_loses_nothing(make_stack: MakeStack, window: OpenWindow) -> None:
    server = make_stack(**QUICK).server()
    ada, grace = (window(server, allow=LINE_LOST.pattern) for _ in range(2))
    path = ada.open_table("Ada", "Restart", mode="off")
    grace.sit_down(path, "Grace")
    ada.ask("Before")
    grace.see("Before")

    server.kill9()
    ada.see("The line went quiet")
    ada.ask("While it was away")
    grace.ask("I write too")
    ada.see("on its way …")
    server.start()
    for one in (ada, grace):
        one.until_gone(".line-state", within=45)
        one.until_gone(".pending")
    ada.ask("After")
    grace.see("After")

    assert sorted(ada.texts()) == ["After", "Before", "I write too", "While it was away"]
    assert ada.texts() == grace.texts()


def test_a_seance_that_ended_while_one_was_away_is_looked_back_at(make_stack: MakeStack, window: OpenWindow) -> None:
    server = make_stack(**QUICK).server()
    session = server.create_session(name="Gone")
    grace = window(server, allow=LINE_LOST.pattern + "|4505")
    grace.sit_down(f"/board/{session.id}", "Grace")
    grace.ask("Before")
    grace.page.locator(".line.mine:not(.pending)").wait_for()

    server.kill9()
    grace.see("The line went quiet")
    grace.field.press_sequentially("Half a thou")
    manage("end_session", session.id, env=server.env)
    server.start()

    grace.see("This séance is over.", within=45)
    assert grace.texts() == ["Before"]


def test_the_host_changes_the_spirit_and_sends_somebody_away(window: OpenWindow) -> None:
    ada, eve = window(), window()
    path = ada.open_table("Ada", "Manners", mode="open")
    eve.sit_down(path, "Eve")

    ada.press("Host")
    sheet = ada.page.locator("dialog.host")
    sheet.get_by_label("Name of the séance").fill("Better manners")
    sheet.get_by_label("Spirit").select_option("aunt-posy")
    sheet.get_by_label("When it answers").select_option("off")
    sheet.get_by_role("button", name="Keep it so").click()
    eve.see("Better manners")
    eve.until(lambda: eve.field.get_attribute("placeholder") == "The spirit is away …", "the mode is told")
    sheet.get_by_role("button", name="Mute: Eve").click()
    sheet.get_by_role("button", name="Let speak: Eve").wait_for()
    eve.ask("Can you hear me?")
    eve.page.locator(".problem").wait_for()
    assert eve.field.input_value() == "Can you hear me?"
    sheet.get_by_role("button", name="Send away: Eve").click()
    sheet.get_by_role("button", name="Send away for good?").click()

    eve.see("You were asked to leave")
    eve.page.get_by_role("link", name="To the beginning").wait_for()
    ada.until(lambda: ada.page.locator(".seat").count() == 1, "her seat is free")
    assert re.search("Eve was sent away", ada.page.locator(".note").last.inner_text())


def test_a_message_is_deleted_for_everybody_and_an_aside_is_marked(window: OpenWindow) -> None:
    ada, grace = window(), window()
    path = ada.open_table("Ada", "Words", mode="open")
    grace.sit_down(path, "Grace")

    ada.page.get_by_label("Among us").check()
    ada.ask("Do not tell the spirit")
    grace.see("among us")
    ada.page.locator(".line", has_text="Do not tell the spirit").hover()
    ada.page.get_by_role("button", name="Delete: what Ada said").click()

    for one in (ada, grace):
        one.until_gone(".line")
    assert ada.page.locator(".line.spirit").count() == 0
