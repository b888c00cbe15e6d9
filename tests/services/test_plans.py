"""Tests of how PostgreSQL finds rows among a hundred million: the plans of the statements that the product makes.

A few rows stand for many: the planner is told that there are a hundred million messages, of a million sessions. It is
asked with the number of sessions as it is, and with a fiftieth of it, as ANALYZE may guess in a table of that size.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.db import connection
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.models import Message, Session
from sessions_app.selectors import history
from sessions_app.selectors.sessions import get_session, listed_sessions
from sessions_app.services import fastpath, retention
from sessions_app.services.presence import poll
from tests.services.helpers import make_account, make_session

pytestmark = [pytest.mark.services, pytest.mark.django_db]
LARGE = {"messages": 100_000_000, "events": 20_000_000, "answers": 30_000_000, "sessions": 1_000_000}
FILL = """
INSERT INTO messages (id, session_id, seq, user_id, user_name, text, timestamp, is_spirit, client_msg_id, off_record)
SELECT gen_random_uuid(), s.id, n, s.host_id, 'Ada', 'Is anyone there?', now(), false, 'm' || n, false
FROM sessions s, generate_series(1, s.last_seq) n ORDER BY n
"""


class Plan(NamedTuple):
    """A statement that was run, and the nodes of its plan."""

    sql: str
    nodes: list[dict[str, Any]]

    def of(self, table: str) -> list[tuple[str, str]]:
        """How a table is read: the kind of scan, and the index."""
        return [
            (one["Node Type"], one.get("Index Name") or one.get("Plans", [{}])[0].get("Index Name", ""))
            for one in self.nodes
            if one.get("Relation Name") == table and one["Node Type"].endswith("Scan")
        ]


Explain = Callable[[Callable[[], Any]], list[Plan]]


@pytest.fixture(params=[-0.01, 20_000], ids=["sessions as they are", "sessions underestimated"])
def rooms(request: pytest.FixtureRequest) -> list[UUID]:
    """Sessions with messages, the first one long; and the planner believes that there are many more."""
    host = make_account("Ada")
    made = [make_session(host, is_listed=True, last_seq=60 if n else 3000) for n in range(120)]
    Session.objects.filter(pk__in=[one.pk for one in made[60:]]).update(is_active=False, ended_at=events.now())
    with connection.cursor() as cursor:
        # Few rows to a page, or so small a table is cheap to read in any way.
        cursor.execute("ALTER TABLE messages SET (fillfactor = 10)")
        cursor.execute(FILL)
        cursor.execute(
            "INSERT INTO events (session_id, seq, type, data, timestamp)"
            " SELECT id, last_seq + n, 'session_updated', '{}', now() FROM sessions, generate_series(1, 20) n"
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no table with checks to come can be altered
        cursor.execute(f"ALTER TABLE messages ALTER session_id SET (n_distinct = {request.param})")
        cursor.execute("ANALYZE")
        # The few that are here are not so large a part of all.
        cursor.execute(
            "UPDATE pg_statistic SET stakind1 = 0, stanumbers1 = NULL, stavalues1 = NULL WHERE stakind1 = 1"
            " AND (starelid, staattnum) IN (SELECT attrelid, attnum FROM pg_attribute WHERE attname = 'session_id')"
        )
        for table, rows in LARGE.items():
            cursor.execute(
                "UPDATE pg_class SET reltuples = %s, relallvisible = relpages WHERE oid = %s::regclass"
                " OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %s::regclass)",
                [rows, table, table],
            )
    return [one.pk for one in made]


@pytest.fixture
def explain() -> Explain:
    """Run something of the product; the plans of its statements, as they were run."""
    connection.ensure_connection()
    said: list[str] = []

    def hear(notice: Any) -> None:
        said.append(notice.message_primary)

    with connection.cursor() as cursor:
        cursor.execute("LOAD 'auto_explain'")
        for name, value in (("log_min_duration", "0"), ("log_format", "json")):
            cursor.execute(f"SET LOCAL auto_explain.{name} = '{value}'")

    def run(work: Callable[[], Any]) -> list[Plan]:
        raw = connection.connection
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL client_min_messages = log")
        said.clear()
        raw.add_notice_handler(hear)
        work()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL client_min_messages = log")  # a plan is told when the next statement comes
            raw.remove_notice_handler(hear)
            cursor.execute("RESET client_min_messages")
        return [plan_of(one) for one in said if "plan:" in one]

    return run


def plan_of(said: str) -> Plan:
    found = json.loads(said.partition("plan:")[2])
    nodes, waiting = [], [found["Plan"]]
    while waiting:
        nodes.append(waiting.pop())
        waiting += nodes[-1].get("Plans", [])
    return Plan(found["Query Text"], nodes)


def by_index(plans: list[Plan], *, but: tuple[str, ...] = ()) -> None:
    """No table that grows is read from its beginning to its end."""
    assert plans
    for plan in plans:
        for table in (*LARGE, "participants", "connections"):
            whole = [kind for kind, _ in plan.of(table) if kind == "Seq Scan"]
            assert whole == [] or table in but, plan.sql


PAGES: dict[str, dict[str, int]] = {
    "the latest": {},
    "after": {"after_seq": 20},
    "before": {"before_seq": 40},
    "between": {"after_seq": 10, "before_seq": 50},
    "from the beginning": {"after_seq": 0},
    "far back": {"before_seq": 2},
}


@pytest.mark.parametrize("where", PAGES)
def test_a_page_of_history_reads_its_rows_in_their_order_and_no_others(
    where: str, rooms: list[UUID], explain: Explain
) -> None:
    for room in rooms[:2]:
        (plan,) = explain(lambda room=room: history.messages(room, limit=50, **PAGES[where]))  # type: ignore[misc]

        assert plan.of("messages") == [("Index Scan", "messages_session_seq")]
        assert "Sort" not in {one["Node Type"] for one in plan.nodes}
        by_index([plan], but=("answers",))  # in these tests that table has no row and no page


def test_a_resume_reads_both_tables_of_the_log_by_its_numbers(rooms: list[UUID], explain: Explain) -> None:
    Message.objects.filter(session=rooms[1], seq=50).update(seq=61)

    plans = explain(lambda: history.entries(rooms[1], after_seq=40, upto_seq=60))

    said, happened = plans
    assert [index for _, index in said.of("messages")] == ["messages_session_seq"]
    assert [index for _, index in happened.of("events")] == ["events_session_seq"]


def test_the_latest_of_many_sessions_are_read_by_their_numbers(rooms: list[UUID], explain: Explain) -> None:
    (plan,) = explain(lambda: history.recent(rooms[:30], 50)())

    (node,) = (one for one in plan.nodes if one.get("Index Name") == "messages_session_seq")
    assert "seq > (sessions.last_seq" in node["Index Cond"], "not all that was ever said there"
    by_index([plan], but=("answers",))


def test_the_head_poll_reads_sessions_by_their_keys(rooms: list[UUID], explain: Explain) -> None:
    plans = explain(lambda: poll(process_id=uuid7(), session_ids=rooms))

    heads = next(plan for plan in plans if "last_seq" in plan.sql)
    assert [index for _, index in heads.of("sessions") if index] == ["sessions_pkey"] or "sessions_pkey" in {
        one.get("Index Name") for one in heads.nodes
    }
    by_index([heads])


@pytest.mark.parametrize("count", [1, 100])
def test_a_message_is_stored_without_reading_what_was_said(rooms: list[UUID], explain: Explain, count: int) -> None:
    row = Session.objects.get(pk=rooms[1])
    assert row.host_id is not None
    drafts = [fastpath.Plain(n, uuid7(), row.id, row.host_id, "Hello", f"new-{n}", False) for n in range(count)]

    plans = explain(lambda: fastpath.post(drafts, events.now(), silent_only=False))

    plan = next(plan for plan in plans if "INSERT INTO messages" in plan.sql)
    assert plan.of("messages") == [("Index Scan", "messages_client_msg_id")]


def test_a_session_and_a_page_of_the_list_are_read_by_index(rooms: list[UUID], explain: Explain) -> None:
    by_index(explain(lambda: get_session(rooms[0], None)), but=("participants",))
    (page,) = explain(lambda: list(listed_sessions(None).order_by("-created_at", "-id")[:20]))

    assert page.of("sessions") == [("Index Scan", "sessions_created_at")]


def test_retention_counts_by_the_index_alone_and_deletes_by_key(rooms: list[UUID], explain: Explain) -> None:
    room = Session.objects.get(pk=rooms[70])

    counted = explain(lambda: Message.objects.filter(session__in=[room.id]).count())
    deleted = explain(lambda: retention._delete(Message.objects.filter(session=room)))

    assert [kind for kind, _ in counted[0].of("messages")] == ["Index Only Scan"]
    by_index(deleted, but=("answers", "participants", "connections"))
    chunk = next(plan for plan in deleted if "LIMIT" in plan.sql)
    assert [index for _, index in chunk.of("messages")] == ["messages_session_seq"]


def test_a_plan_without_the_index_would_be_refused(rooms: list[UUID], explain: Explain) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE messages DROP CONSTRAINT messages_session_seq")

    (plan,) = explain(lambda: history.messages(rooms[0], limit=50, after_seq=20))

    assert plan.of("messages") != [("Index Scan", "messages_session_seq")]
    assert retention.due(events.now() + timedelta(days=1)).count() == 60


def test_what_asks_to_be_prepared_is() -> None:
    history.messages(uuid7(), limit=1)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%messages%'")
        assert cursor.fetchone() == (1,)
