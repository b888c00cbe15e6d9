"""sessions_app, the one door out: connections to Redis, all made here, all with short time limits.

With Sentinels a connection that has to be made anew goes to whoever is the primary then: nobody has to be told of a
failover. A connection that turns out to be closed is made anew once, within the same call; nothing waits longer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import redis
from django.core.cache import caches
from django_redis.pool import ConnectionFactory
from redis import asyncio as redis_asyncio
from redis import sentinel
from redis.asyncio import sentinel as sentinel_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    ReadOnlyError,
)
from redis.exceptions import ConnectionError as RedisBroken
from redis.exceptions import TimeoutError as RedisTimeout
from redis.retry import Retry

from sessions_app.redis_url import Address, parse

SECONDS = 0.5  # to connect, and for an answer
# Several may have to be asked within the second that a caller has.
SENTINEL_SECONDS = 0.25


class _Closing:
    """redis-py's own connections of threads to a primary stay open when an answer is late, and would give it to the
    next who asks; nor would they ever ask the Sentinels again."""

    def read_response(
        self, disable_decoding: bool = False, *, disconnect_on_error: bool = True, push_request: bool = False
    ) -> Any:
        """An answer."""
        return super().read_response(  # type: ignore[misc]
            disable_decoding=disable_decoding, disconnect_on_error=disconnect_on_error, push_request=push_request
        )


class _Managed(_Closing, sentinel.SentinelManagedConnection):  # type: ignore[misc]
    """By TCP."""


class _ManagedByTls(_Closing, sentinel.SentinelManagedSSLConnection):  # type: ignore[misc]
    """By TLS."""


class _Kind(NamedTuple):
    """The classes of redis-py of one colour."""

    client: Any
    retry: Any
    pool: Any
    tcp: Any
    tls: Any
    unix: Any
    sentinels: Any
    sentinel_pool: Any
    managed: Any
    managed_by_tls: Any


_SYNC = _Kind(
    redis.Redis, Retry, redis.ConnectionPool, redis.Connection, redis.SSLConnection, redis.UnixDomainSocketConnection,
    sentinel.Sentinel, sentinel.SentinelConnectionPool, _Managed, _ManagedByTls,
)  # fmt: skip
_ASYNC = _Kind(
    redis_asyncio.Redis, AsyncRetry, redis_asyncio.ConnectionPool, redis_asyncio.Connection,
    redis_asyncio.SSLConnection, redis_asyncio.UnixDomainSocketConnection,
    sentinel_asyncio.Sentinel, sentinel_asyncio.SentinelConnectionPool,
    sentinel_asyncio.SentinelManagedConnection, sentinel_asyncio.SentinelManagedSSLConnection,
)  # fmt: skip


def client(url: str, **options: Any) -> redis.Redis:
    """A client for threads; raises `WrongUrl`. Its pool is closed with it. Options are those of a connection."""
    return connect(parse(url), **options)


def connect(address: Address, **options: Any) -> redis.Redis:
    """The same of what was read already."""
    return _client(_SYNC, address, options)  # type: ignore[no-any-return]


def async_client(url: str, **options: Any) -> Any:
    """The same for an event loop: a `redis.asyncio.Redis`."""
    return _client(_ASYNC, parse(url), options)


def _client(kind: _Kind, address: Address, options: dict[str, Any]) -> Any:
    common = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS, "retry": _once(kind), **options}
    return kind.client.from_pool(_pool(kind, address, common))


def _once(kind: _Kind) -> Any:
    """Only where the connection broke: what has waited in vain does not wait again."""
    return kind.retry(NoBackoff(), 1, supported_errors=(RedisBroken,))


def _pool(kind: _Kind, address: Address, common: dict[str, Any]) -> Any:
    given = {**address.options, **common}
    uses_tls = given.pop("ssl", False)
    if address.service:
        limits = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
        never = kind.retry(NoBackoff(), 0)
        known = kind.sentinels(
            list(address.hosts), sentinel_kwargs={**address.sentinel_options, **limits, "retry": never}
        )
        connection = kind.managed_by_tls if uses_tls else kind.managed
        return kind.sentinel_pool(address.service, known, connection_class=connection, **given)
    if not address.hosts:
        return kind.pool(connection_class=kind.unix, **given)
    host, port = address.hosts[0]
    return kind.pool(connection_class=kind.tls if uses_tls else kind.tcp, host=host, port=port, **given)


class Factory(ConnectionFactory):
    """What makes django-redis use these connections, too."""

    def get_connection_pool(self, params: dict[str, Any]) -> Any:
        """A pool for the URL in `params`."""
        return client(params["url"]).connection_pool


def cache_client() -> Any:
    """What stands behind Django's cache in Redis: the cache swallows errors, this raises `ConnectionInterrupted`."""
    return caches["default"].client  # type: ignore[attr-defined]


def reason(error: BaseException) -> str:
    """Why Redis does not answer, in a word that holds nothing secret, whatever was wrapped around the error."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    text = " ".join(map(str, chain)).lower()
    for words, found in _WORDS:
        if any(word in text for word in words):
            return found
    for kinds, found in _KINDS:
        if any(isinstance(one, kinds) for one in chain):
            return found
    return "unreachable"


# Certificates first: a Sentinel's troubles are in the text of an error that only says that there is no primary.
_WORDS = (
    (("certificate has expired", "certificate expired"), "certificate_expired"),
    (("hostname mismatch", "ip address mismatch", "not valid for"), "certificate_of_another_host"),
    (("certificate verify failed", "unknown ca"), "certificate_not_trusted"),
    (("certificate required", "bad certificate"), "certificate_required"),
    (("[ssl", "ssl:"), "no_tls"),
    (("invalid username-password", "wrongpass", "noauth", "authentication required"), "wrong_password"),
    (("no master found",), "no_primary"),
    (("acl failure", "no permissions"), "no_permission"),  # a script's, too
    (("oom command not allowed",), "full"),
)
_KINDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((NoPermissionError,), "no_permission"),
    ((AuthenticationError, AuthorizationError), "wrong_password"),
    ((ReadOnlyError,), "read_only"),
    ((BusyLoadingError,), "loading"),
    ((RedisTimeout, TimeoutError), "timeout"),
)
