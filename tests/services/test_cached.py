"""Tests of sessions_app: what is kept in Redis for many readers is never told after it was changed, by nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.core.management import call_command
from pytest_django import Settings
from structlog.testing import capture_logs

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import UpdateSession
from sessions_app.models import Participant, Session, User
from sessions_app.selectors import cached, history
from sessions_app.selectors.sessions import get_session
from sessions_app.services.departures import erase
from sessions_app.services.messages import Draft, Posted, delete_message, post_message
from sessions_app.services.moderation import set_role
from sessions_app.services.sessions import delete_session, end_session, update_session
from tests.services.helpers import make_account, make_session, sit, with_settings

pytestmark = pytest.mark.django_db
in_redis = pytest.mark.services


class Reads:
    """How often the database was asked for messages, and a hook after each time."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self.count, self._ask = 0, ask
        self.then: Callable[[], object] = int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = self._ask(*args, **kwargs)
        self.count += 1
        self.then()
        return found


@pytest.fixture(autouse=True)
def _on(settings: Settings) -> None:
    settings.SEANCE = with_settings(read_cache=("session", "history"), read_cache_seconds=60)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads(history.messages)
    monkeypatch.setattr(history, "messages", found)
    return found


def say(room: Session, user_id: UUID, text: str) -> Posted:
    return post_message(Draft(room.id, user_id, text))


def texts(room: Session, user: User | None = None, limit: int = 50) -> list[str]:
    """The latest messages as a caller is told them."""
    found, _, _ = cached.page(room.id, user, None, limit=limit, after_seq=None, before_seq=None)
    return [one["text"] for one in msgspec.json.decode(msgspec.json.encode(found))]


def told(room: Session, user: User | None = None) -> events.SessionData:
    """A session as a caller is told it."""
    return msgspec.json.decode(msgspec.json.encode(cached.session(room.id, user, None)), type=events.SessionData)


@in_redis
def test_what_was_read_is_read_from_redis_the_next_time_and_is_the_same(process_id: UUID, reads: Reads) -> None:
    room = make_session(make_account())
    ada = sit(room, process_id)
    for number in range(3):
        say(room, ada.participant.user_id, f"{number}")

    first, again = texts(room), texts(room)
    short, more, row = cached.page(room.id, None, None, limit=2, after_seq=None, before_seq=None)

    assert first == again == ["0", "1", "2"]
    assert reads.count == 2
    assert (more, row.last_seq) == (True, 3)
    assert msgspec.json.encode(short) == msgspec.json.encode(history.messages(room.id, limit=2)[0])
    assert told(room) == told(room) == get_session(room.id, None)


@in_redis
def test_it_is_told_where_a_read_came_from(process_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(cached, "tell", lambda what, end: heard.append((what, end)))
    room = make_session(make_account())
    ada = sit(room, process_id)
    texts(room, limit=2), texts(room, limit=7), texts(room, limit=7)  # what it is told by is no number of limits
    told(room), told(room)
    say(room, ada.participant.user_id, "one")
    texts(room)
    cached.page(room.id, None, None, limit=2, after_seq=0, before_seq=None)  # is never kept
    monkeypatch.setattr(cached._redis, "_ask_at", float("inf"))
    texts(room)

    assert heard == [
        ("history", "miss"), ("history", "miss"), ("history", "hit"), ("session", "miss"), ("session", "hit"),
        ("history", "miss"), ("history", "away"),
    ]  # fmt: skip


def test_whoever_wrote_reads_what_was_written(process_id: UUID) -> None:
    host = make_account()
    room = make_session(host)
    ada = sit(room, process_id)
    assert (texts(room), told(room).name) == ([], "A room")

    posted = say(room, ada.participant.user_id, "one")
    assert texts(room) == ["one"]
    say(room, ada.participant.user_id, "two")
    assert texts(room) == ["one", "two"]
    delete_message(actor=host, session_id=room.id, message_id=posted.message.id)
    assert texts(room) == ["two"]
    update_session(actor=host, session_id=room.id, values=UpdateSession(name="Another"))
    assert told(room).name == "Another"
    sit(room, process_id)
    assert told(room).participant_count == 2
    set_role(actor=host, session_id=room.id, participant_id=ada.participant.id, role="observer")
    assert told(room).participant_count == 1
    set_role(actor=host, session_id=room.id, participant_id=ada.participant.id, role="participant")
    assert told(room).participant_count == 2
    end_session(actor=host, session_id=room.id)
    assert (told(room).is_active, told(room).participant_count) == (False, 0)
    delete_session(actor=make_account(is_staff=True), session_id=room.id)
    with pytest.raises(SeanceError):
        texts(room)


def test_an_observer_who_sits_down_is_counted(process_id: UUID) -> None:
    room, ada = make_session(), make_account()
    sit(room, process_id, ada, role="observer")
    assert told(room).participant_count == 0

    sit(room, process_id, ada, role="participant")

    assert told(room).participant_count == 1


def test_the_name_of_the_erased_is_told_no_more(process_id: UUID) -> None:
    room, ada = make_session(), make_account("Ada")
    sit(room, process_id, ada)
    say(room, ada.id, "I was here")
    Participant.objects.filter(user=ada).update(left_at=events.now())
    page = cached.page(room.id, None, None, limit=50, after_seq=None, before_seq=None)
    assert b'"Ada"' in msgspec.json.encode(page[0])

    erase(actor=ada)

    page = cached.page(room.id, None, None, limit=50, after_seq=None, before_seq=None)
    assert b'"Ada"' not in msgspec.json.encode(page[0])
    assert str(ada.id).encode() not in msgspec.json.encode(page[0])


def test_who_may_read_is_never_kept(process_id: UUID) -> None:
    host = make_account()
    room = make_session(host)
    ada = sit(room, process_id)
    say(room, ada.participant.user_id, "among us")
    assert texts(room) == ["among us"]
    assert told(room).access == "open"

    update_session(actor=host, session_id=room.id, values=UpdateSession(access="invite"))

    assert texts(room, host) == ["among us"]
    assert told(room, host).access == "invite"
    for ask in (texts, told):
        with pytest.raises(SeanceError) as caught:
            ask(room)
        assert caught.value.code == Code.SESSION_NOT_FOUND


@in_redis
@pytest.mark.django_db(transaction=True)
def test_a_slow_reader_who_keeps_what_is_old_by_then_deceives_nobody(process_id: UUID, reads: Reads) -> None:
    room = make_session()
    ada = sit(room, process_id).participant.user_id
    say(room, ada, "old")
    has_read, may_go_on = threading.Event(), threading.Event()

    def dawdle() -> None:
        if not has_read.is_set():
            has_read.set()
            assert may_go_on.wait(10)

    reads.then = dawdle
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(in_thread, lambda: texts(room))
        assert has_read.wait(10)
        say(room, ada, "new")  # it is acknowledged: what was read before the wait is old now
        at_once = texts(room)
        may_go_on.set()
        assert slow.result(10) == ["old"]  # it asked before
        afterwards = texts(room)

    assert at_once == afterwards == ["old", "new"]


@in_redis
@pytest.mark.django_db(transaction=True)
def test_of_many_who_read_the_same_at_once_one_asks_the_database(
    process_id: UUID, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(cached, "tell", lambda _, end: heard.append(end))
    room = make_session()
    say(room, sit(room, process_id).participant.user_id, "one")
    gate, others_wait = threading.Barrier(6), threading.Event()
    reads.then = lambda: others_wait.wait(0.3)

    def read(_: int) -> list[str]:
        gate.wait(10)
        return in_thread(lambda: texts(room))

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(read, range(6)))

    assert found == [["one"]] * 6
    assert reads.count == 1
    assert sorted(heard) == ["miss", *["shared"] * 5]


def test_who_waited_in_vain_for_another_reader_asks_by_oneself() -> None:
    flights, under_way, go_on = cached._Flights(), threading.Event(), threading.Event()

    def fail() -> bytes:
        under_way.set()
        go_on.wait(10)
        raise SeanceError(Code.UNAVAILABLE)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(flights.run, "key", fail)
        under_way.wait(10)
        second = threads.submit(flights.run, "key", lambda: b"mine")
        go_on.set()

        assert second.result(10) == b"mine"
        with pytest.raises(SeanceError):
            first.result(10)


def test_without_redis_everything_is_told_and_that_is_said_once(
    process_id: UUID, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEANCE = with_settings(redis_url="redis://127.0.0.1:1/0")
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": ["redis://127.0.0.1:1/0"],
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "CONNECTION_FACTORY": "sessions_app.redis_links.Factory"},
        }
    }
    monkeypatch.setattr(cached, "_redis", cached._Redis())
    room = make_session()
    say(room, sit(room, process_id).participant.user_id, "one")

    with capture_logs() as logs:
        found = [texts(room), texts(room)]
        monkeypatch.setattr(cached._redis, "_ask_at", 0.0)
        found.append(texts(room))

    assert found == [["one"]] * 3
    assert told(room).participant_count == 1
    assert [(line["event"], line["reason"]) for line in logs] == [("read_cache_without_redis", "unreachable")]


@in_redis
def test_a_command_keeps_what_will_be_read(process_id: UUID, reads: Reads, capsys: pytest.CaptureFixture[str]) -> None:
    room, empty = make_session(), make_session()
    say(room, sit(room, process_id).participant.user_id, "one")

    call_command("warm_cache", "--json")

    warmed = reads.count
    assert msgspec.json.decode(capsys.readouterr().out) == {"sessions": 1}
    assert texts(room) == ["one"]
    assert reads.count == warmed == 1
    texts(empty)
    assert reads.count == 2


def test_a_command_that_keeps_nothing_says_why(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SEANCE = with_settings(read_cache=())
    make_session()

    call_command("warm_cache", "--json")

    found = capsys.readouterr()
    assert msgspec.json.decode(found.out) == {"sessions": 0}
    assert "READ_CACHE" in found.err


def in_thread(read: Callable[[], list[str]]) -> list[str]:
    """In a thread of its own, whose connection to the database is closed at the end."""
    from django.db import connections

    try:
        return read()
    finally:
        connections.close_all()
