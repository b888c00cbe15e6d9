"""sessions_app, reads: what many read at once, kept in Redis as it is told: a session, and its latest messages.

Who may read is never kept: the session's row is read for every caller, from the database. It has the version of what
there is to tell, which is part of the key: what was kept before a write cannot be found any more once that write has
committed, by nobody, however late a slow reader put it there. So nothing has to be deleted; it runs out.

Of the readers of one process one asks, and makes what is not there; the others wait for it. Without Redis everybody
reads the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings
from django.db.models import Exists, OuterRef
from django_redis.exceptions import ConnectionInterrupted

from sessions_app import redis_links
from sessions_app.models import Participant, Session, User
from sessions_app.selectors import history
from sessions_app.selectors.sessions import get_session, taken_seats, visible_session
from sessions_app.selectors.shapes import session_data

log = structlog.get_logger(__name__)

LATEST = 50  # messages, where nobody says how many
LARGEST = 256 << 10  # bytes; what is larger is not kept
WAIT_SECONDS = 1.0  # for another reader
RETRY_SECONDS = 5.0  # until a Redis that was away is asked again
_MORE, _ALL = b"+", b"."
_encode = msgspec.json.Encoder().encode
# Hears of each read that may be kept: what was read, and `hit` (it was in Redis), `miss` (it had to be made), `shared`
# (another reader of this process had it in hand) or `away` (there was no Redis to ask).
tell: Callable[[str, str], None] = lambda *_: None  # noqa: E731  a hook


def session(session_id: UUID, user: User | None, invite: str | None) -> object:
    """A session as it is told, ready to be encoded; raises what `get_session` raises."""
    if not _is_kept("session"):
        return get_session(session_id, user, invite)
    return _session(visible_session(session_id, user, invite))


def page(
    session_id: UUID,
    user: User | None,
    invite: str | None,
    *,
    limit: int,
    after_seq: int | None,
    before_seq: int | None,
) -> tuple[object, bool, Session]:
    """What `services.sessions.get_session_history` returns, the messages ready to be encoded.

    Kept are the latest only: with cursors there are as many pages as anybody cares to make up.
    """
    row = visible_session(session_id, user, invite)
    if after_seq is None and before_seq is None and _is_kept("history"):
        return *_latest(row, limit), row
    return *history.page(row, limit=limit, after_seq=after_seq, before_seq=before_seq), row


def warm(most: int) -> int:
    """Keep what will be asked for: of the sessions in which somebody has a seat, the newest. Returns how many."""
    if not keeps():
        return 0
    seats = Participant.objects.filter(session=OuterRef("pk"), left_at__isnull=True)
    rows = Session.objects.filter(Exists(seats), is_active=True).order_by("-created_at", "-id")[:most]
    for row in rows:
        if _is_kept("session"):
            _session(row)
        if _is_kept("history"):
            _latest(row, LATEST)
    return len(rows)


def keeps() -> bool:
    """Whether anything is kept here."""
    return _is_kept("session") or _is_kept("history")


def _is_kept(what: str) -> bool:
    env = settings.SEANCE
    return bool(env.redis_url and env.read_cache_seconds) and what in env.read_cache


def _session(row: Session) -> msgspec.Raw:
    return msgspec.Raw(_kept("session", "session", row, lambda: _encode(session_data(row, taken_seats(row.id)))))


def _latest(row: Session, limit: int) -> tuple[msgspec.Raw, bool]:
    def make() -> bytes:
        # Never from a replica, which may lack the erasure that made this version: it would stay here.
        found, has_more = history.messages(row.id, limit=limit)
        return (_MORE if has_more else _ALL) + _encode(found)

    body = _kept("history", f"history:{limit}", row, make)
    return msgspec.Raw(body[1:]), body[:1] == _MORE


class _Flights:
    """What is being made, so that nobody makes it beside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[bytes]] = {}

    def run(self, key: str, make: Callable[[], bytes]) -> bytes:
        """What `make` returns, or what somebody else's did who began before; raises what one's own raises."""
        mine: Future[bytes] = Future()
        with self._lock:
            other = self._under_way.setdefault(key, mine)
        if other is not mine:
            try:
                return other.result(WAIT_SECONDS)
            except Exception:  # noqa: BLE001  it was the other's; ours may go well
                return make()
        try:
            body = make()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(body)
            return body
        finally:
            with self._lock:
                del self._under_way[key]


class _Redis:
    """Django's cache, left alone for a while where it did not answer; told once."""

    def __init__(self) -> None:
        self._is_away, self._ask_at = False, 0.0

    def get(self, key: str) -> bytes | None:
        found: bytes | None = self._ask(lambda: redis_links.cache_client().get(key))
        return found

    def put(self, key: str, body: bytes) -> None:
        self._ask(lambda: redis_links.cache_client().set(key, body, timeout=settings.SEANCE.read_cache_seconds))

    def is_left_alone(self) -> bool:
        """Whether it did not answer a moment ago."""
        return time.monotonic() < self._ask_at

    def _ask(self, work: Callable[[], Any]) -> Any:
        if self.is_left_alone():
            return None
        try:
            answer = work()
        except ConnectionInterrupted as error:
            self._ask_at = time.monotonic() + RETRY_SECONDS
            if not self._is_away:
                self._is_away = True
                log.warning("read_cache_without_redis", reason=redis_links.reason(error))
            return None
        if self._is_away:
            self._is_away = False
            log.info("read_cache_with_redis")
        return answer


_flights, _redis = _Flights(), _Redis()


def _kept(what: str, place: str, row: Session, make: Callable[[], bytes]) -> bytes:
    """What is kept of this version of a session, or what is made now and kept."""
    key = f"{place}:{row.id}:{row.epoch}:{row.last_seq}:{row.presence_version}"
    end = "shared"

    def find() -> bytes:
        nonlocal end
        body = _redis.get(key)
        end = "hit" if body is not None else "away" if _redis.is_left_alone() else "miss"
        if body is None:
            body = make()
            if len(body) <= LARGEST:
                _redis.put(key, body)
        return body

    found = _flights.run(key, find)
    tell(what, end)
    return found
