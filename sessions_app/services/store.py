"""sessions_app, writes: whether this database is the one that was written to, and new epochs for its logs if it is not.

A backup has the epochs of its time. Restored, it would go on under them, and give numbers a second time that clients
know already, for other messages. Nobody has to remember that: the row of `Store` says where and by which transaction it
was written, and neither comes back with it.

PostgreSQL: the cluster's identifier, its timeline, and the database's number. `pg_restore` writes the row in another
transaction, wherever it does; `CREATE DATABASE … TEMPLATE` makes another number; recovery from an archive begins
another timeline, as does a replica that takes over. SQLite: the number of the file; and `copy` puts a word in its
place, since the number of a file that was deleted may be given again. What nothing shows is a snapshot of a disk: for
that there is `renew_epochs`.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import structlog
from django.db import connection, transaction

log = structlog.get_logger(__name__)

COPY = "a copy"
# Of the present timeline, not that of the last checkpoint, which a replica that took over has not made yet.
PLACE_SQL = """
    SELECT concat_ws('/', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), oid)
    FROM pg_control_system(), pg_database WHERE datname = current_database()
"""
SAME_SQL = f"SELECT mark = ({PLACE_SQL}) AND written_by = xmin::text FROM store"  # noqa: S608  no input
_EPOCH = {
    "postgresql": "left(replace(gen_random_uuid()::text, '-', ''), 12)",
    "sqlite": "lower(hex(randomblob(6)))",
}


class Renewed(NamedTuple):
    """How many sessions got a new epoch, and whether the database had been another one before."""

    sessions: int
    was_another: bool


def look() -> Renewed | None:
    """Give all logs new epochs where this database is not the one that was written to; None where it is.

    Every process calls it before it lets anybody in, and with its head poll. It takes seconds for 100,000 sessions.
    """
    if _is_same():
        return None
    with transaction.atomic(durable=True):
        _lock()
        if _is_same():  # another process did it meanwhile
            return None
        done = _renew()
    if done.was_another and done.sessions:
        log.warning("store_restored", sessions=done.sessions)
    return done


@transaction.atomic(durable=True)
def renew() -> Renewed:
    """The same at any time: after a restore that leaves no trace."""
    _lock()
    return _renew()


def copy(source: Path, target: Path) -> None:
    """Copy a SQLite database, also while it is served; the copy knows that it is one. Raises `sqlite3.Error`."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("UPDATE store SET mark = ?", [COPY])
        new.commit()


def place_of(path: str | Path) -> str:
    """What a SQLite file is told by: a file that is put in its place has another number."""
    try:
        return f"file {os.stat(path).st_ino}"
    except OSError:
        return "memory"


def _is_same() -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(SAME_SQL)
            return bool(cursor.fetchone() == (True,))
        cursor.execute("SELECT mark FROM store")
        return bool(cursor.fetchone() == (place_of(connection.settings_dict["NAME"]),))


def _lock() -> None:
    """Until this transaction ends nobody else does the same; whoever comes waits for as long as it takes."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 0")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("LOCK TABLE store IN SHARE ROW EXCLUSIVE MODE")


def _renew() -> Renewed:
    # In SQL and without a savepoint, which would be a transaction of its own to PostgreSQL.
    if connection.vendor == "postgresql":
        place, writer = f"({PLACE_SQL})", "pg_current_xact_id()::xid::text"
    else:
        place, writer = "%s", "''"
    path = [] if connection.vendor == "postgresql" else [place_of(connection.settings_dict["NAME"])]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE sessions SET epoch = {_EPOCH[connection.vendor]}")  # noqa: S608  no input
        count = cursor.rowcount
        cursor.execute("DELETE FROM store")
        was_another = cursor.rowcount > 0  # else nobody has served it yet, whatever commands may have written
        cursor.execute(
            "INSERT INTO store (id, mark, written_by, written_at)"  # noqa: S608  no input
            f" VALUES (1, {place}, {writer}, CURRENT_TIMESTAMP)",
            path,
        )
    return Renewed(count, was_another)
