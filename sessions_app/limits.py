"""sessions_app, the kitchen: how often something may be done. One table, for both doors.

`Pace` is the cheap first line: in one process, for a socket or a user. What the table names is counted over all
processes, by `counters`. Both are off with RATE_LIMITS_ENABLED=false.
"""

import hashlib
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple

from django.conf import settings

from sessions_app.addresses import counted_address
from sessions_app.counters import Engine
from sessions_app.errors import Code, SeanceError

Scope = Literal["address", "caller", "account", "user", "session"]


class Limit(NamedTuple):
    """So many in so long; `scope` says for whom it is counted: a caller is a user or, without a token, an address.

    A `strict` one is counted in this process too while Redis is there, so that it does not begin anew when Redis goes:
    what keeps guessing out stays shut.
    """

    rates: str
    scope: Scope
    what: str
    strict: bool = False


# Wide enough for an office behind one address; narrow where guessing pays. RATE_LIMITS replaces rates by name.
TABLE: Mapping[str, Limit] = {
    "logins": Limit("60/minute;600/hour", "address", "attempts to log in", strict=True),
    "account-logins": Limit("10/minute;100/hour", "account", "attempts to log in with one e-mail address", strict=True),
    "registrations": Limit("120/minute;1200/hour", "address", "accounts made or asked for, new passwords"),
    "mails": Limit("5/hour;20/day", "account", "mails asked for to one e-mail address", strict=True),
    "guests": Limit("300/minute;3000/hour", "address", "guests made over REST"),
    "refreshes": Limit("300/minute", "address", "refresh tokens traded or revoked"),
    "anonymous-sessions": Limit("300/minute;3000/hour", "address", "sessions opened without a token"),
    "sessions": Limit("120/minute;1200/hour", "user", "sessions opened with a token"),
    "reads": Limit("6000/minute", "caller", "REST requests that only read"),
    "writes": Limit("1200/minute", "caller", "all other REST requests"),
    "message-bursts": Limit("{messages_burst}/second", "user", "messages over REST"),
    "messages": Limit("{messages_sum}/minute", "user", "messages over both doors and all processes"),
    "handshakes": Limit("1200/minute", "address", "WebSockets opened"),
    "joins": Limit("1200/minute", "address", "attempts to join"),
    # Only of those who sit there: whoever does not must have no lever against a room.
    "session-messages": Limit("2000/10 second;6000/minute", "session", "messages in one session, over both doors"),
    "reports": Limit("20/hour", "user", "reports to staff"),
    "oauth": Limit("60/minute;600/hour", "address", "ways to an OAuth provider and back"),
}


def hit(name: str, key: str) -> None:
    """Count one more for this key; raises `RATE_LIMITED` with `retry_after_ms` where it is too many."""
    if settings.SEANCE.rate_limits_enabled:
        _refuse(engine().hit(rates_of(name), (name, counted(name, key)), strict=TABLE[name].strict))


def hit_at_once(name: str, key: str) -> bool:
    """The same where that takes no round trip; returns whether it is done. Nothing that is strict is."""
    if not settings.SEANCE.rate_limits_enabled:
        return True
    if TABLE[name].strict:
        return False
    seconds = engine().hit_at_once(rates_of(name), (name, counted(name, key)))
    _refuse(seconds or 0.0)
    return seconds is not None


def _refuse(seconds: float) -> None:
    if seconds > 0:
        raise SeanceError(Code.RATE_LIMITED, retry_after_ms=max(1, round(seconds * 1000)))


def hit_all(*counts: tuple[str, str]) -> None:
    """Count several, in their order up to the first that is full."""
    for name, key in counts:
        hit(name, key)


def forget(name: str, key: str) -> None:
    """Begin anew for this key: whoever got in has shown not to be guessing."""
    if settings.SEANCE.rate_limits_enabled:
        engine().forget(rates_of(name), (name, counted(name, key)))


def counted(name: str, key: str) -> str:
    """What stands for the key in the count; no e-mail address is kept there."""
    scope = TABLE[name].scope
    if scope == "account":
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return counted_address(key) if scope in ("address", "caller") else key


def rates_of(name: str) -> str:
    """The rates that hold: the table's, or those of RATE_LIMITS."""
    env = settings.SEANCE
    rates = _replaced(env.rate_limits).get(name, TABLE[name].rates)
    return rates.format(messages_burst=env.messages_burst, messages_sum=env.messages_burst + env.messages_per_minute)


@cache
def _replaced(given: Iterable[str]) -> dict[str, str]:
    return {name: rates for name, _, rates in (item.partition("=") for item in given)}


@cache
def engine() -> Engine:
    """This process's engine. `engine.cache_clear()` forgets what it has counted here."""
    return Engine(settings.SEANCE.redis_url)


class Pace:
    """`burst` at once, `per_minute` in the long run (GCRA): one float of state, exact, without a timer."""

    __slots__ = ("__weakref__", "_gap", "_slack", "_until")

    def __init__(self, *, burst: int, per_minute: int) -> None:
        self._gap = 60.0 / per_minute
        self._slack = self._gap * (burst - 1)
        self._until = 0.0

    def wait(self, now: float | None = None) -> float:
        """Count one more; returns 0.0, or without counting it the seconds until it would be allowed."""
        moment = time.monotonic() if now is None else now
        due = max(self._until, moment)
        if due - moment > self._slack + 1e-9:
            return due - moment - self._slack
        self._until = due + self._gap
        return 0.0

    def hit(self) -> None:
        """Count one more; raises `RATE_LIMITED` with `retry_after_ms` where it is too many."""
        if (seconds := self.wait()) > 0:
            raise SeanceError(Code.RATE_LIMITED, retry_after_ms=max(1, round(seconds * 1000)))
