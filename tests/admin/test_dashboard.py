"""Tests of the admins' room: the dashboard tells what was counted, and its charts draw what it tells."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from realtime.asyncapi_words import CLOSE_CODES
from sessions_app.admin.charts import HEIGHT, WIDTH, Series, ceiling, chart
from sessions_app.admin.dashboard import CLOSES
from sessions_app.models import CloseHour, Message, Session, SpiritTurn, User
from sessions_app.services.rollup import rollup
from tests.services.helpers import make_process, sit


@pytest.fixture
def answered(session: Session, say: Callable[[str], Message]) -> Session:
    """Three questions: answered in two seconds, answered worse in ten, and failed."""
    now = timezone.now()
    for seconds, state, degraded in ((2, "answered", ""), (10, "answered", "timeout"), (1, "failed", "")):
        said = say("Is anyone there?")
        SpiritTurn.objects.filter(message=said).delete()
        SpiritTurn.objects.create(
            session=session, message=said, number=said.seq + 10, state=state, degraded=degraded,
            created_at=now - timedelta(seconds=seconds), ended_at=now,
        )  # fmt: skip
    CloseHour.objects.create(hour=now.replace(minute=0, second=0, microsecond=0), code=4505, count=7)
    rollup()
    return session


def tiles(page: str) -> dict[str, str]:
    """The words and numbers of the tiles."""
    found = re.findall(r"<dt>([^<]+)</dt><dd>(?:<a [^>]*>)?([^<]+)", page)
    return {name: value.strip() for name, value in found}


@pytest.mark.parametrize("span", ["day", "week", "month", "year", "nonsense"])
def test_the_front_page_tells_what_was_counted(admin: Client, answered: Session, span: str) -> None:
    page = admin.get("/admin/", {"span": span}).content.decode()

    told = tiles(page)
    assert (told["messages"], told["answers"], told["degraded"], told["failed"]) == ("3", "2", "50.0 %", "1")
    assert float(told["95 % answered within"].removesuffix(" ms").replace(",", "")) == pytest.approx(10_000, rel=0.05)
    assert re.search(r'<th scope="row">4505</th><td>session ended</td><td class="number">7</td>', page)
    assert re.search(
        rf'{answered.pk}/change/">Friday</a></td>\s*<td class="number">3</td><td class="number">2</td>', page
    )


def test_it_has_a_word_for_every_close_code() -> None:
    assert set(CLOSES) == set(CLOSE_CODES)


def test_it_tells_who_is_there_now(admin: Client, session: Session, host: User) -> None:
    process = make_process()
    sit(session, process, host)
    sit(session, process, host)
    sit(session, process, User.objects.create(name="Bo", is_guest=True))

    told = tiles(admin.get("/admin/").content.decode())

    assert (told["live sessions"], told["people there"], told["open sockets"]) == ("1", "2", "3")


def test_it_costs_as_many_queries_however_much_there_is(
    admin: Client, answered: Session, crowd: list[Session], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rollup()

    with django_assert_max_num_queries(14):
        assert admin.get("/admin/?span=week").status_code == 200


def test_nothing_on_it_is_executable_or_styled_by_hand_or_from_elsewhere(admin: Client, crowd: list[Session]) -> None:
    rollup()
    response = admin.get("/admin/")
    page = response.content.decode()

    assert page.count("&lt;script&gt;alert(") >= 10
    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=\"", page)
    assert not re.findall(r"(?:src|href)=\"(?!/|\?|#|\.\./|[0-9a-f-]{36})", page)
    assert "unsafe" not in response["Content-Security-Policy"]


def test_its_links_lead_somewhere(admin: Client, answered: Session) -> None:
    board = admin.get("/admin/").content.decode().partition('class="seance-board"')[2].partition("seance-charts")[0]

    links = [link for link in re.findall(r'href="([^"]+)"', board) if link.startswith("/")]
    assert len(links) == 2
    assert [admin.get(link).status_code for link in links] == [200, 200]


def test_a_chart_is_drawn_to_scale_and_within_its_frame(admin: Client, answered: Session) -> None:
    page = admin.get("/admin/").content.decode()

    drawings = [ET.fromstring(one) for one in re.findall(r"<svg viewBox=\"0 0 640.*?</svg>", page, re.DOTALL)]  # noqa: S314  our own
    assert len(drawings) == 3
    for one in drawings:
        for bar in one.iter("rect"):
            x, y, width, height = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
            assert 0 <= x <= x + width <= WIDTH
            assert 0 <= y < y + height <= HEIGHT
    assert [len(list(one.iter("rect"))) for one in drawings] == [1, 0, 1]
    assert [len(list(one.iter("path"))) for one in drawings] == [1, 2, 0]


def test_bars_are_as_high_as_their_numbers_and_gaps_break_a_line() -> None:
    bars = Series("a", "tone-a", "bars", [10, 0, 5, None])
    line = Series("b", "tone-b", "line", [1, 2, None, 3])

    drawn = chart("Two", ["1", "2", "3", "4"], [bars, line], unit=" s")

    first, second = drawn.drawn
    assert [round(float(one.height) / 15.8, 2) for one in first.bars] == [10, 5]
    assert re.fullmatch(r"M\S+ \S+L\S+ \S+M\S+ \S+H\S+", second.path)
    assert [tick.text for tick in drawn.up] == ["0 s", "5 s", "10 s"]
    assert drawn.rows[2] == ("3", ["5 s", "–"])


@pytest.mark.parametrize(("most", "top"), [(1, 1), (3, 5), (10, 10), (11, 20), (0.04, 0.05), (999, 1000), (1e6, 1e6)])
def test_an_axis_ends_at_a_round_number(most: float, top: float) -> None:
    assert ceiling(most) == pytest.approx(top)


def test_a_chart_of_nothing_is_an_empty_frame() -> None:
    drawn = chart("None", ["a", "b"], [Series("x", "tone-a", "line", [None, None])])

    assert (drawn.drawn[0].path, [tick.text for tick in drawn.up]) == ("", ["0", "0.5", "1"])
