"""Tests of the page: one window of a browser, in the words of somebody who sits at the table."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
# What Chromium writes when a socket cannot be opened: wanted where a server is taken away.
LINE_LOST = re.compile(r"WebSocket connection to .* failed|net::ERR_CONNECTION|status of 5\d\d")
Path3 = list[tuple[float, float, float]]
RECORDER = """() => {
  window.path = [];
  const planchette = document.querySelector('.planchette'), board = document.querySelector('.board');
  const step = () => {
    const pixels = planchette.style.transform.match(/-?[\\d.]+(?=px)/g) ?? [];
    const [x, y] = pixels.map((n) => n * 1600 / board.clientWidth);
    window.path.push([performance.timeOrigin + performance.now(), x, y]);
    window.recording = requestAnimationFrame(step);
  };
  step();
}"""


class Window:
    """A browser profile with one page. `allow` lists complaints that are expected, besides none."""

    def __init__(
        self,
        browser: Browser,
        base: str,
        *,
        phone: bool = False,
        reduced: bool = False,
        size: dict[str, int] | None = None,
        allow: str = "",
    ) -> None:
        options: dict[str, Any] = {"viewport": size or (PHONE if phone else DESK), "locale": "en-GB"}
        if phone:
            options |= {"device_scale_factor": 2, "is_mobile": True, "has_touch": True}
        if reduced:
            options |= {"reduced_motion": "reduce"}
        self.base, self.allow = base, allow
        self.complaints: list[str] = []
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not (self.allow and re.search(self.allow, message.text)):
            self.complaints.append(f"{message.type}: {message.text}")

    def close(self) -> None:
        self.context.close()

    # --- To get somewhere ---------------------------------------------------------------------------------------------

    def go(self, path: str) -> None:
        """Open a path of the server, or a whole address."""
        self.page.goto(path if path.startswith("http") else self.base + path)

    def open_table(self, name: str, called: str, *, pace: str = "brisk", mode: str = "open") -> str:
        """Begin a séance by the form, and be in it; its path."""
        self.go("/board/")
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_label("The séance is called").fill(called)
        self.page.get_by_text("How it is held").click()
        self.page.get_by_label("Planchette").select_option(pace)
        self.page.get_by_label("When the spirit answers").select_option(mode)
        self.page.get_by_role("button", name="Light the candles").click()
        self.wait_for_room()
        return self.page.url.removeprefix(self.base)

    def sit_down(self, path: str, name: str) -> None:
        """Come in by the door."""
        self.go(path)
        self.page.get_by_label("Your name at the table").fill(name)
        self.page.get_by_role("button", name="Sit down").click()
        self.wait_for_room()

    def wait_for_room(self) -> None:
        self.page.locator(".room .composer").wait_for()

    # --- To do and to see ---------------------------------------------------------------------------------------------

    @property
    def field(self) -> Locator:
        return self.page.get_by_label("Your message")

    def ask(self, text: str) -> None:
        """Write a message and send it."""
        self.field.fill(text)
        self.field.press("Enter")

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def tab_to(self, what: str, text: str = "") -> None:
        """Press Tab until the focus is on an element that matches a selector, and says `text` where one is given."""
        is_there = """([what, text]) => document.activeElement.matches(what)
          && (!text || document.activeElement.textContent === text)"""
        for _ in range(40):
            self.page.keyboard.press("Tab")
            if self.evaluate(is_there, [what, text]):
                return
        raise AssertionError(f"{what} cannot be reached; at {self.evaluate('() => document.activeElement.outerHTML')}")

    def texts(self) -> list[str]:
        """The messages on the screen, in order."""
        return self.page.locator(".lines .line .text").all_inner_texts()

    def see(self, text: str, *, within: float = 15) -> None:
        """Wait until a text is somewhere on the page."""
        self.page.get_by_text(text).first.wait_for(timeout=within * 1000)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def until(self, holds: Callable[[], bool], what: str, *, within: float = 15, every: float = 0.02) -> None:
        """Wait for anything else. The page's own policy forbids the library's way of doing it, which is eval."""
        end = time.monotonic() + within
        while not holds():
            assert time.monotonic() < end, f"not within {within} s: {what}\n{self.page.inner_text('body')[:1500]}"
            time.sleep(every)

    def until_gone(self, selector: str, *, within: float = 15) -> None:
        """Wait until nothing on the screen matches."""
        seen = self.page.locator(selector).filter(visible=True)
        self.until(lambda: seen.count() == 0, f"no {selector} any more", within=within)

    def until_script(self, script: str, what: str, *, within: float = 15) -> None:
        self.until(lambda: bool(self.evaluate(script)), what, within=within)

    def spirit_says(self, count: int, *, within: float = 30) -> str:
        """Wait for the spirit's answer number `count`; its words."""
        said = self.page.locator(".line.spirit .text")
        said.nth(count - 1).wait_for(timeout=within * 1000)
        return said.nth(count - 1).inner_text()

    def record(self) -> None:
        """Write down, at each frame, where the planchette is: [ms since 1970, x, y] in units of the board."""
        self.evaluate(RECORDER)

    def recorded(self) -> Path3:
        self.evaluate("() => cancelAnimationFrame(window.recording)")
        return [tuple(row) for row in self.evaluate("() => window.path") if row[1] is not None]

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path, type="jpeg", quality=86)


def behind(one: Path3, other: Path3, *, near: float = 25) -> list[float]:
    """How many milliseconds two recorded planchettes were apart, at each frame of the first that moved: how far one has
    to look along the other's path until it is within `near` units of the same place. Infinite beyond half a second."""
    found = []
    for (_, x0, y0), (when, x, y) in zip(one, one[1:], strict=False):
        if (x, y) == (x0, y0) or not other[0][0] <= when <= other[-1][0]:
            continue
        gaps = [
            max(t0 - when, when - t1, 0)
            for (t0, ax, ay), (t1, bx, by) in zip(other, other[1:], strict=False)
            if abs(t0 - when) < 500 and _distance(x, y, ax, ay, bx, by) <= near
        ]
        found.append(min(gaps, default=float("inf")))
    return found


def _distance(x: float, y: float, ax: float, ay: float, bx: float, by: float) -> float:
    """From a point to the way between two others."""
    dx, dy = bx - ax, by - ay
    share = max(0.0, min(1.0, ((x - ax) * dx + (y - ay) * dy) / ((dx * dx + dy * dy) or 1)))
    return float(((x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2) ** 0.5)
