"""Tests of the REST door: the list of sessions and the history: pages, cursors, filters, order."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from pytest_django import DjangoAssertNumQueries

from sessions_app.models import Participant, Session, User
from tests.api.conftest import Answer, Caller


@pytest.fixture
def five(host: User) -> list[Session]:
    """Five listed sessions, in the order of their creation."""
    names = ["Echo", "alpha", "100%_sure", "Bravo", "Éclair"]
    return [Session.objects.create(name=name, host=host, is_listed=True) for name in names]


def names(answer: Answer) -> list[str]:
    return [row["name"] for row in answer.data]


def test_an_empty_list_has_a_first_page(nobody: Caller) -> None:
    answer = nobody.get("/api/sessions?page=1")

    assert (answer.data, answer.meta["page"], answer.meta["per_page"], answer.meta["total"]) == ([], 1, 20, 0)


@pytest.mark.parametrize("path", ["/api/spirits", "/api/auth/oauth", "/api/sessions/{room}/participants"])
def test_a_list_that_is_told_whole_is_its_only_page(nobody: Caller, five: list[Session], path: str) -> None:
    answer = nobody.get(path.format(room=five[0].id))

    count = len(answer.data)
    assert (answer.meta["page"], answer.meta["per_page"], answer.meta["total"]) == (1, max(1, count), count)


def test_pages_follow_each_other(nobody: Caller, five: list[Session]) -> None:
    pages = [nobody.get(f"/api/sessions?per_page=2&page={page}") for page in (1, 2, 3)]

    assert [len(page.data) for page in pages] == [2, 2, 1]
    assert sum((names(page) for page in pages), []) == [row.name for row in reversed(five)]
    assert {page.meta["total"] for page in pages} == {5}


@pytest.mark.parametrize("page", [4, 10**6, 2**62])
def test_a_page_past_the_end_is_a_404(nobody: Caller, five: list[Session], page: int) -> None:
    assert nobody.get(f"/api/sessions?per_page=2&page={page}").outcome == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("page", ["0", "-1", "x", "1.5", "", "١", "9" * 30, "1e3", " 1", "+1", "%00"]),
        ("per_page", ["0", "101", "-5", "x", "", "1.0", "null"]),
        ("is_active", ["1", "True", "yes", ""]),
        ("ordering", ["id", "-host", "", "created_at,name", "--name"]),
    ],
)
def test_a_wrong_parameter_is_named(nobody: Caller, name: str, values: list[str]) -> None:
    for value in values:
        answer = nobody.get(f"/api/sessions?{name}={value if value == '%00' else quote(value)}")

        assert answer.outcome == (400, "VALIDATION_ERROR"), value
        assert list(answer.error["details"]) == [name]


def test_the_order_can_be_chosen(nobody: Caller, five: list[Session]) -> None:
    assert names(nobody.get("/api/sessions?ordering=created_at")) == [row.name for row in five]
    by_name, backwards = (names(nobody.get(f"/api/sessions?ordering={sign}name")) for sign in ("", "-"))
    assert by_name == backwards[::-1]


@pytest.mark.parametrize(
    ("search", "found"),
    [("ech", {"Echo"}), ("%", {"100%_sure"}), ("_", {"100%_sure"}), ("0%_s", {"100%_sure"}), ("\x00", set()),
     ("'; DROP TABLE sessions; --", set()), ("  Bravo ", {"Bravo"}), ("E\u0301clair", {"Éclair"}), ("\\", set()),
     ("x" * 5000, set())],
)  # fmt: skip
def test_a_search_takes_every_character_for_itself(
    nobody: Caller, five: list[Session], search: str, found: set[str]
) -> None:
    answer = nobody.get(f"/api/sessions?search={quote(search)}")

    assert (answer.status, set(names(answer))) == (200, found)


def test_bytes_that_are_no_utf8_find_nothing(nobody: Caller, five: list[Session]) -> None:
    assert nobody.get("/api/sessions?search=%ff%ed%a0%80").data == []


def test_ended_sessions_can_be_left_out(nobody: Caller, as_host: Caller, five: list[Session]) -> None:
    as_host.delete(f"/api/sessions/{five[0].id}")

    assert [nobody.get(f"/api/sessions?is_active={value}").meta["total"] for value in ("true", "false")] == [4, 1]


def test_the_list_shows_what_the_caller_may_know_of(
    nobody: Caller, as_host: Caller, guest: User, member: User, staff: User, host: User
) -> None:
    kinds = [("open", True), ("open", False), ("members", True), ("invite", True), ("invite", False)]
    rows = [Session.objects.create(name=f"{one} {two}", host=host, access=one, is_listed=two) for one, two in kinds]
    Participant.objects.create(session=rows[4], user=guest, name="Grete")
    Participant.objects.create(session=rows[3], user=guest, name="Grete", kicked_at="2026-01-01T00:00:00Z")

    assert set(names(nobody.get("/api/sessions"))) == {"open True"}
    assert set(names(Caller(guest).get("/api/sessions"))) == {"open True", "invite False"}
    assert set(names(Caller(member).get("/api/sessions"))) == {"open True", "members True"}
    assert as_host.get("/api/sessions").meta["total"] == 5
    assert Caller(staff).get("/api/sessions").meta["total"] == 5


def test_a_list_counts_seats_and_costs_two_queries(
    nobody: Caller, five: list[Session], guest: User, host: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Participant.objects.create(session=five[0], user=guest, name="Grete")
    Participant.objects.create(session=five[0], user=host, name="Ada", role="observer")

    with django_assert_num_queries(2):
        answer = nobody.get("/api/sessions?ordering=created_at")

    assert [row["participant_count"] for row in answer.data] == [1, 0, 0, 0, 0]


def seqs(answer: Answer) -> list[int]:
    return [row["seq"] for row in answer.data]


def test_history_goes_forwards_and_backwards(nobody: Caller, path: str, say: Callable[..., object]) -> None:
    for number in range(1, 8):
        say(f"message {number}")

    def ask(query: str) -> Answer:
        return nobody.get(f"{path}/history?{query}")

    assert seqs(nobody.get(f"{path}/history")) == [1, 2, 3, 4, 5, 6, 7]
    assert (seqs(ask("limit=3")), ask("limit=3").meta["has_more"]) == ([5, 6, 7], True)
    assert (seqs(ask("after_seq=2&limit=3")), ask("after_seq=2&limit=3").meta["has_more"]) == ([3, 4, 5], True)
    assert (seqs(ask("before_seq=3&limit=9")), ask("before_seq=3&limit=9").meta["has_more"]) == ([1, 2], False)
    assert seqs(ask("after_seq=2&before_seq=5")) == [3, 4]
    assert seqs(ask("after_seq=0")) == [1, 2, 3, 4, 5, 6, 7]
    assert seqs(ask(f"after_seq={2**63 - 1}")) == []
    assert seqs(ask("before_seq=0")) == []


def test_history_says_where_the_log_stands(
    nobody: Caller, session: Session, path: str, say: Callable[..., object]
) -> None:
    say("hello")

    answer = nobody.get(f"{path}/history")

    assert (answer.meta["last_seq"], answer.meta["epoch"], answer.meta["has_more"]) == (1, session.epoch, False)
    assert list(answer.data[0]) == [
        "id", "session_id", "seq", "user_id", "user_name", "text", "timestamp", "is_spirit", "client_msg_id",
        "in_reply_to", "off_record", "deleted_at",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=", "after_seq=-1", "after_seq=1.0", "before_seq=abc",
              f"before_seq={2**63}", "after_seq=" + "9" * 50, "after_seq=null"]
)  # fmt: skip
def test_a_wrong_cursor_is_named(nobody: Caller, path: str, query: str) -> None:
    answer = nobody.get(f"{path}/history?{query}")

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [query.partition("=")[0]]


def test_history_costs_at_most_two_queries(
    nobody: Caller, path: str, say: Callable[..., object], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        say("hello")

    with django_assert_max_num_queries(2):
        nobody.get(f"{path}/history")
