"""seance_project, the doctor: the database: whether it answers, is migrated, waits as it should, and has room."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django.db.migrations.loader import MigrationLoader

from seance_project import databases
from seance_project.doctor.findings import Finding, ok, warning, wrong
from seance_project.env import Env
from seance_project.refusals import NETWORK_FILE_SYSTEMS, POOLER, file_system_of, sqlite_path, uses_sqlite
from sessions_app.services import store

SECONDS = 5
OLDEST = 140_000  # Django 5.2 takes no older one
SKEW_SECONDS = 2.0
SAY_SO = f"Add ?{POOLER}=transaction to DATABASE_URL, or put the pooler into session mode."
BESIDE_THREADS = 7  # of a process's connections: three for probes, two for slow requests, webhooks, rollups

Connection = psycopg.Connection[tuple[Any, ...]]


def database(env: Env) -> Iterator[Finding]:
    """database: whichever it is."""
    yield from _sqlite(env) if uses_sqlite(env) else _postgresql(env, env.database_url)


def replica(env: Env) -> Iterator[Finding]:
    """replica: a copy that only answers."""
    if not env.database_replica_url:
        return
    try:
        with connect(env.database_replica_url, takes="any") as link:
            is_copy, lag = _one(
                link, "SELECT pg_is_in_recovery(), extract(epoch FROM now() - pg_last_xact_replay_timestamp())"
            )
    except psycopg.Error as error:
        yield wrong("replica", _first_line(error), "Start it, or set DATABASE_REPLICA_URL right, or unset it.")
        return
    if not is_copy:
        yield wrong("replica", "takes writes, so it is no copy", "Set DATABASE_REPLICA_URL to a standby, or unset it.")
    else:
        yield ok("replica", "has all there is" if lag is None else f"last heard something {float(lag):.0f} s ago")


def connect(url: str, *, takes: str = "primary") -> Connection:
    """A connection with the options of the server's own."""
    config = databases.postgresql(url, takes=takes)
    options = {**config["OPTIONS"], "connect_timeout": SECONDS}
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    parts = {ours: config[theirs] for theirs, ours in names.items() if config.get(theirs)}
    return psycopg.connect(**parts, **options, autocommit=True)


def _one(link: Connection, sql: str) -> tuple[Any, ...]:
    row = link.execute(sql.encode()).fetchone()
    return row or ()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _postgresql(env: Env, url: str) -> Iterator[Finding]:
    try:
        link = connect(url)
    except psycopg.Error as error:
        said = _first_line(error)
        if "unsupported startup parameter" in str(error):
            yield wrong("pooler", f"a pooler refuses our time limits: {said}", SAY_SO)
        else:
            yield wrong("database", f"cannot be reached: {said}", "Start PostgreSQL, or set DATABASE_URL right.")
        return
    with link:
        number = link.info.server_version
        if number < OLDEST:
            yield wrong("database", f"is PostgreSQL {number // 10_000}", f"Upgrade it to {OLDEST // 10_000} or newer.")
        else:
            yield ok("database", f"is PostgreSQL {number // 10_000}")
        yield from _encoding(link)
        yield from _clock(link)
        yield from _limits(link)
        yield from _pooler(link, url)
        if not databases.is_pooled(databases.postgresql(url)):  # else the pooler has the connections, and counts them
            yield from _room(link, env)
        yield from (
            _migrations({(app, name) for app, name in _applied(link)}) if _has_migrations(link) else _unmigrated()
        )
        if _one(link, "SELECT to_regclass('store')")[0] is not None:
            yield from _store(_one(link, store.SAME_SQL))


def _has_migrations(link: Connection) -> bool:
    return _one(link, "SELECT to_regclass('django_migrations')")[0] is not None


def _applied(link: Connection) -> list[tuple[Any, ...]]:
    return link.execute("SELECT app, name FROM django_migrations").fetchall()


def _encoding(link: Connection) -> Iterator[Finding]:
    (found,) = _one(link, "SHOW server_encoding")
    if found != "UTF8":
        yield wrong("database", f"stores text as {found}", "Create the database with ENCODING 'UTF8'.")


def _clock(link: Connection) -> Iterator[Finding]:
    began = time.time()
    (found,) = _one(link, "SELECT extract(epoch FROM clock_timestamp())")
    skew = float(found) - (began + time.time()) / 2
    if abs(skew) > SKEW_SECONDS:
        yield wrong(
            "clock",
            f"the database's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's",
            "Let NTP or chrony keep both: tokens expire by this machine's clock, leases by the database's.",
        )
    else:
        yield ok("clock", f"differs from the database's by {abs(skew) * 1000:.0f} ms")


def _limits(link: Connection) -> Iterator[Finding]:
    off = databases.limits_off(lambda name: _one(link, f"SHOW {name}")[0])
    if off:
        said = f"{', '.join(off)} {'are' if len(off) > 1 else 'is'} off on our connections"
        commands = "; ".join(f"ALTER ROLE … SET {name} = '{databases.LIMITS[name]}'" for name in off)
        remedy = f"Take them out of the options in DATABASE_URL; behind a pooler give them to the role: {commands}."
        yield wrong("database", said, remedy)


def _pooler(link: Connection, url: str) -> Iterator[Finding]:
    """Two connections that share a backend, or one that changes it, are no sessions."""
    backend = "SELECT pg_backend_pid()"
    with connect(url) as other:
        mine, theirs = _one(link, backend)[0], _one(other, backend)[0]
        is_shared = mine == theirs
        if not is_shared:
            with other.transaction():  # it takes a backend that is free, which may be the one that was ours
                is_shared = _one(other, backend)[0] != theirs or _one(link, backend)[0] != mine
    if is_shared and databases.is_pooled(databases.postgresql(url)):
        yield ok("pooler", "lends connections out by the transaction, and DATABASE_URL says so")
    elif is_shared:
        yield wrong("pooler", "hands one connection out to several: it is in transaction mode", SAY_SO)
    elif databases.is_pooled(databases.postgresql(url)):
        yield warning(
            "pooler", f"DATABASE_URL says {POOLER}=transaction, and each connection is kept",
            "Take it out: without it statements are prepared.",
        )  # fmt: skip
    elif mine != link.info.backend_pid:
        yield ok("pooler", "stands in front of the database, in session mode")


def _room(link: Connection, env: Env) -> Iterator[Finding]:
    processes = 1
    if _one(link, "SELECT to_regclass('server_processes')")[0] is not None:
        processes = max(1, _one(link, "SELECT count(*) FROM server_processes WHERE lease_until > now()")[0])
    need = processes * (2 * env.database_threads + BESIDE_THREADS)
    caps = {
        "max_connections": _one(
            link,
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int",
        )[0],
        "the connection limit of the database": _one(
            link, "SELECT datconnlimit FROM pg_database WHERE datname = current_database()"
        )[0],
        "the connection limit of the role": _one(
            link, "SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user"
        )[0],
    }
    for name, cap in caps.items():
        if 0 <= cap < need:
            yield wrong(
                "connections", f"{name} leaves {cap}, {processes} process{'es' * (processes > 1)} may want {need}",
                "Raise it, or lower DATABASE_THREADS.",
            )  # fmt: skip
        elif 0 <= cap < 2 * need:
            yield warning(
                "connections", f"{name} leaves {cap}: enough for {need}, not for as many new ones in a rollout",
                "Raise it, or lower DATABASE_THREADS.",
            )  # fmt: skip
    if all(cap < 0 or cap >= 2 * need for cap in caps.values()):
        yield ok("connections", f"there is room for {need}, and as many again")


def _store(is_same: tuple[Any, ...] | None) -> Iterator[Finding]:
    """Without a row nobody has served it yet."""
    if is_same and is_same[0]:
        yield ok("store", "is the one that was served last, and no copy of it")
    elif is_same:
        yield warning(
            "store", "was restored or copied: the next server to start gives all logs new epochs",
            "See docs/backup.md for what else a restore takes back.",
        )  # fmt: skip


def _unmigrated() -> Iterator[Finding]:
    yield wrong("migrations", "the database has no tables", "python manage.py migrate")


def _migrations(applied: set[tuple[str, str]]) -> Iterator[Finding]:
    loader = MigrationLoader(None)
    missing = sorted(f"{app}.{name}" for app, name in loader.disk_migrations if (app, name) not in applied)
    ours = {app for app, _ in loader.disk_migrations}
    strange = sorted(
        f"{app}.{name}" for app, name in applied if app in ours and (app, name) not in loader.disk_migrations
    )
    strange = [
        name for name in strange if not any(name in _names(one.replaces) for one in loader.disk_migrations.values())
    ]
    if missing:
        yield wrong("migrations", f"{len(missing)} are not applied, {missing[0]} first", "python manage.py migrate")
    if strange:
        yield warning(
            "migrations", f"the database has some of a newer release, such as {strange[0]}",
            "Run the release that made them; an older one works only as long as that says so.",
        )  # fmt: skip
    if not missing and not strange:
        yield ok("migrations", "all are applied")


def _names(pairs: Any) -> set[str]:
    return {f"{app}.{name}" for app, name in pairs}


def _sqlite(env: Env) -> Iterator[Finding]:
    path = sqlite_path(env)
    kind = file_system_of(path)
    if kind in NETWORK_FILE_SYSTEMS:
        yield wrong(
            "database", f"is SQLite on {kind}, which loses its locks", "Move it to a local disk, or use PostgreSQL."
        )
    elif env.is_production:
        yield warning("database", "is SQLite: one process, one writer at a time", "Set DATABASE_URL to PostgreSQL.")
    if not path.exists():
        yield from _unmigrated()
        return
    link = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=SECONDS)
    try:
        (check,) = link.execute("PRAGMA quick_check(1)").fetchone()
        (journal,) = link.execute("PRAGMA journal_mode").fetchone()
        if check != "ok":
            yield wrong("database", f"{path} is damaged: {check}", "Restore a backup; see docs/backup.md.")
        if journal != "wal":
            yield wrong("database", f"{path} is not in WAL mode", "python manage.py migrate")
        if check == "ok" and journal == "wal":
            yield ok("database", f"is SQLite {sqlite3.sqlite_version} in WAL mode")
        has = link.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'").fetchone()
        rows = link.execute("SELECT app, name FROM django_migrations").fetchall() if has else []
        yield from _migrations(set(rows)) if has else _unmigrated()
        if link.execute("SELECT 1 FROM sqlite_master WHERE name = 'store'").fetchone():
            yield from _store(link.execute("SELECT mark = ? FROM store", [store.place_of(path)]).fetchone())
    except sqlite3.Error as error:
        yield wrong(
            "database", f"{path} cannot be read: {error}", "Set the rights of the file right, or restore a backup."
        )
    finally:
        link.close()


CHECKS = (database, replica)
