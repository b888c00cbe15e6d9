"""seance_project: where data is kept: the database, the cache and the channel layer, each with its time limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dj_database_url

from seance_project.env import Env
from seance_project.refusals import POOLER, sqlite_path, uses_sqlite

# WAL lets readers read while one writes. FULL makes an acknowledged message survive a power cut. What a connection has
# cached is void as soon as another one writes, so 512 KiB of it do what SQLite's 2 MB did.
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-512"
# A session row that somebody else locks must not hold a sender for longer than 2 s.
LIMITS = {"lock_timeout": "2s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}

# PostgreSQL notices within 25 s that a host is gone in the middle of what it was sending, and lets its locks go: the
# limit for an idle transaction begins only with an answer.
KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}


def databases(env: Env) -> dict[str, dict[str, Any]]:
    """Django's DATABASES: `default`, and `replica` where there is one."""
    found = {"default": _sqlite(env) if uses_sqlite(env) else postgresql(env.database_url)}
    if env.database_replica_url:
        found["replica"] = postgresql(env.database_replica_url, takes="any") | {"TEST": {"MIRROR": "default"}}
    return found


def _sqlite(env: Env) -> dict[str, Any]:
    return {
        "ENGINE": "seance_project.sqlite3",
        "NAME": str(sqlite_path(env)),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Django's default BEGIN takes the lock at the first write, too late to wait for it: "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,
            # Of 150 that a server uses, each of a dozen connections would keep nearly all, after hours.
            "cached_statements": 48,
            "init_command": SQLITE_PRAGMAS,
        },
    }


def postgresql(url: str, *, takes: str = "primary") -> dict[str, Any]:
    """No pool: all database work runs in a fixed number of threads, each of which keeps its connection.

    No health checks either, each of which is a query: `realtime.bridge` sees by itself that a restart killed one.
    `takes` is libpq's `target_session_attrs`: a connection to a standby would stay, and refuse to write for ever.
    """
    config: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=None))
    ours = {"connect_timeout": 5, "application_name": "seance", "target_session_attrs": takes}
    options: dict[str, Any] = ours | config.get("OPTIONS", {})
    if options.pop(POOLER, None):
        # Whatever a connection remembers is another's at the next transaction: no prepared statements, no cursors that
        # outlive their transaction, and no options at its start: the time limits are the role's.
        return config | {"OPTIONS": options | {"prepare_threshold": None}, "DISABLE_SERVER_SIDE_CURSORS": True}
    # Ours come first: PostgreSQL lets the last one win, so a URL may still say otherwise.
    limits = " ".join(f"-c {name}={value}" for name, value in (LIMITS | KEEPALIVES).items())
    options["options"] = f"{limits} {options.get('options', '')}".strip()
    # Without a threshold, which is Django's default, psycopg prepares nothing, not even what asks for it.
    return config | {"OPTIONS": {"prepare_threshold": 5, **options}}


def is_pooled(config: Mapping[str, Any]) -> bool:
    """Whether a database of DATABASES stands behind a pooler in transaction mode."""
    return bool(config.get("DISABLE_SERVER_SIDE_CURSORS"))


def limits_off(show: Callable[[str], str]) -> list[str]:
    """Which of our time limits a connection has not; `show` asks PostgreSQL for one, as SHOW does."""
    return [name for name in LIMITS if show(name) in ("0", "")]


def caches(env: Env) -> dict[str, dict[str, Any]]:
    """Django's CACHES. A cache that is away is a cache that misses, after half a second at most."""
    if not env.redis_url:
        return {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    return {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": [env.redis_url],  # of a text, what stands between commas would be servers of their own
            "KEY_PREFIX": "seance",
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "CONNECTION_FACTORY": "sessions_app.redis_links.Factory"},
        }
    }


def channel_layers(env: Env) -> dict[str, dict[str, Any]]:
    """Django Channels' CHANNEL_LAYERS. Pub/sub: sockets outlive Redis; the numbered log heals what it loses."""
    if not env.redis_url:
        return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    return {
        "default": {
            "BACKEND": "sessions_app.layers.PubSubLayer",
            "CONFIG": {"hosts": env.pubsub, "prefix": "seance"},
        }
    }
