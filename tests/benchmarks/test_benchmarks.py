"""Tests of the benchmarks: they run from end to end, and their table says what was measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import own_database
from benchmarks.client import masked
from benchmarks.growth_model import Evening, Line, Model, section
from benchmarks.rows import Row, cpu_us, percentile, run_group

ROWS = [Row("micro", "decode", 4.0, "µs"), Row("rooms", "messages", 1234.5, "1/s", True)]


@pytest.mark.long
def test_the_steps_of_a_frame_are_measured_one_by_one() -> None:
    rows = run_group("micro", "--quick")

    names = {row.name.partition(":")[0] for row in rows}
    assert {"receive", "decode", "encode", "frame", "feed", "hub", "publish", "send"} == names
    assert all(0 < row.value < 10_000 for row in rows)


@pytest.mark.long
@pytest.mark.processes
def test_rooms_on_a_real_server_lose_nothing() -> None:
    found = {row.name: row.value for row in run_group("rooms", "--quick")}

    assert found["deliveries that did not come"] == 0
    assert found["connections that the server closed"] == 0
    assert found["5 rooms of 6, closed loop: deliveries"] > 6
    assert found["50 messages a second, open loop: p99"] > 0


@pytest.mark.long
@pytest.mark.services
def test_reads_are_measured_kept_and_not() -> None:
    with own_database() as url:
        rows = run_group("reading", "--quick", DATABASE_URL=url, REDIS_URL=os.environ["REDIS_URL"])

    assert {row.group for row in rows} == {"reading, nothing kept", "reading, kept in Redis"}
    assert len(rows) == 30
    assert all(row.value >= 0 for row in rows)


@pytest.mark.long
def test_the_database_is_measured_in_batches_of_every_size() -> None:
    rows = run_group("database", "--quick")

    assert {row.name.partition(":")[0] for row in rows} == {
        *(f"post, {size} together" for size in (1, 5, 20, 50)), "join, 1 together", "join, 20 together",
        "join and release, 1 together", "join and release, 20 together",
    }  # fmt: skip
    assert all(row.value > 0 for row in rows)


def test_a_table_has_the_ratio_to_the_run_before_and_nothing_where_there_was_none() -> None:
    table = report.table(ROWS, {ROWS[0].key: 2.0})

    assert "| decode | 4.00 | µs | × 2.00 |" in table
    assert "| messages | 1,234 | 1/s, more is better |  |" in table
    assert "Against" not in report.table(ROWS)


def test_a_run_is_kept_and_the_next_is_compared_with_the_newest_of_its_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    assert report.before_of(report.newest(quick=True)) is None

    path = report.store(ROWS, quick=True)

    assert json.loads(path.read_text())["rows"][0][1] == "decode"
    assert report.before_of(report.newest(quick=True)) == {row.key: row.value for row in ROWS}
    assert report.newest(quick=False) is None


def test_only_the_generated_section_of_the_page_changes() -> None:
    page = report.PAGE.read_text(encoding="utf-8")

    made = report.rendered(page, ROWS)

    assert "| decode | 4.00 | µs |" in made
    outside = [report.MARKED.sub("", text) for text in (page, made)]
    assert outside[0] == outside[1]


def test_a_percentile_and_a_cost_are_what_they_say() -> None:
    assert percentile(range(100), 0.99) == 99
    assert percentile([], 0.5) == 0.0
    assert 0 < cpu_us(lambda turns: sum(range(turns * 1000)), 0.01) < 10_000


@pytest.mark.parametrize("size", [0, 125, 126, 60_000])
def test_a_clients_frame_is_masked_and_whole(size: int) -> None:
    wire = masked(b"x" * size)

    assert wire[1] & 0x80
    assert wire.endswith(b"\0\0\0\0" + b"x" * size)


@pytest.mark.long
@pytest.mark.services
@pytest.mark.processes
def test_growth_is_measured_and_a_bill_is_made_of_it() -> None:
    with own_database() as url:
        rows = run_group("growth", "--quick", DATABASE_URL=url, REDIS_URL=os.environ["REDIS_URL"])

    assert {row.group for row in rows} == {
        f"growth, {what}" for what in ("sockets", "size of a room", "rooms", "processes")
    }
    assert [row.value for row in rows if row.name == "lost"] == [0, 0, 0, 0]
    assert "| 1,000,000 | 200,000 | 16,667 |" in section(rows)


def test_costs_that_are_too_small_to_be_seen_are_none() -> None:
    assert Line.through([]) == Line.through([(1, 0.0), (5, 0.0)]) == (0.0, 0.0)
    unseen = [Row("growth, processes", "a message to 6 over 1: PostgreSQL", -3.0, "µs")]

    assert Model.fitted(unseen).postgresql_message == 0


def test_a_bill_grows_with_what_is_done_and_with_what_it_costs() -> None:
    line = Line.through([(1, 12.0), (2, 14.0), (4, 18.0)])
    assert line == pytest.approx((10.0, 2.0))
    model = Model(100 * 1024, 25.0, Line(10_000, 20.0), 2_000, Line(100, 10), 50, 500, 100, Line(0, 1), Line(10, 5))
    evening = Evening(100_000, 20_000, messages_per_minute=0.6, stay_minutes=10)

    bill = model.bill(evening)

    assert (evening.size, evening.messages, round(evening.joins, 1)) == (5, 1000, 166.7)
    said = 1000 * (100 + 10 * 5 + 50 * (bill.pods - 1))
    spent = said + 166.7 * 2_000 + 100_000 * 20 + bill.pods * 10_000
    assert bill.pods == pytest.approx(spent / 600_000, rel=0.05)
    assert bill.postgresql == pytest.approx(0.1 + 0.0833 + 0.1, rel=0.01)
    assert bill.redis == pytest.approx(1000 * (10 + 5 * bill.pods) / 1e6, rel=0.05)
    assert bill.kib == pytest.approx(bill.pods * 100 * 1024 + 2_500_000)
    assert model.bill(evening._replace(messages_per_minute=6)).pods > bill.pods
