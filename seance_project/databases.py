"""seance_project: where data is kept: the database, the cache and the channel layer, each with its time limits."""

from __future__ import annotations

from typing import Any

import dj_database_url

from seance_project.env import Env
from seance_project.refusals import sqlite_path, uses_sqlite

# WAL lets readers read while one writes. FULL makes an acknowledged message survive a power cut.
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON"
# A session row that somebody else locks must not hold a sender for longer than 2 s.
POSTGRESQL_LIMITS = "-c lock_timeout=2s -c statement_timeout=10s -c idle_in_transaction_session_timeout=15s"


def databases(env: Env) -> dict[str, dict[str, Any]]:
    """Django's DATABASES: `default`, and `replica` where there is one."""
    found = {"default": _sqlite(env) if uses_sqlite(env) else _postgresql(env.database_url)}
    if env.database_replica_url:
        found["replica"] = _postgresql(env.database_replica_url) | {"TEST": {"MIRROR": "default"}}
    return found


def _sqlite(env: Env) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(sqlite_path(env)),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Django's default BEGIN takes the lock at the first write, too late to wait for it: "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,
            "init_command": SQLITE_PRAGMAS,
        },
    }


def _postgresql(url: str) -> dict[str, Any]:
    """No pool: all database work runs in a fixed number of threads, each of which keeps its connection.

    No health checks either, each of which is a query: `realtime.bridge` sees by itself that a restart killed one.
    """
    config: dict[str, Any] = dict(dj_database_url.parse(url, conn_max_age=None))
    options: dict[str, Any] = {"connect_timeout": 5, "application_name": "seance", **config.get("OPTIONS", {})}
    # Ours come first: PostgreSQL lets the last one win, so a URL may still say otherwise.
    options["options"] = f"{POSTGRESQL_LIMITS} {options.get('options', '')}".strip()
    return config | {"OPTIONS": options}


def caches(env: Env) -> dict[str, dict[str, Any]]:
    """Django's CACHES. A cache that is away is a cache that misses, after half a second at most."""
    if not env.redis_url:
        return {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    return {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": env.redis_url,
            "KEY_PREFIX": "seance",
            "OPTIONS": {
                "IGNORE_EXCEPTIONS": True,
                "LOG_IGNORED_EXCEPTIONS": True,
                "SOCKET_CONNECT_TIMEOUT": 0.5,
                "SOCKET_TIMEOUT": 0.5,
            },
        }
    }


def channel_layers(env: Env) -> dict[str, dict[str, Any]]:
    """Django Channels' CHANNEL_LAYERS. Pub/sub: sockets outlive Redis; the numbered log heals what it loses."""
    if not env.redis_url:
        return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    return {
        "default": {
            "BACKEND": "sessions_app.layers.PubSubLayer",
            "CONFIG": {"hosts": [env.redis_url], "prefix": "seance"},
        }
    }
