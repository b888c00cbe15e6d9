"""benchmarks: a table of messages as large as wanted: `python -m benchmarks.large --messages 1000000 20000000`.

For each size it makes a database of its own beside that of DATABASE_URL, fills it, measures, and drops it; a message
needs about 400 bytes of disk. Sessions have a hundred messages each, and one has a twentieth of all. A thousand
sessions are always held at once, so that no two messages of a session lie on one page: the worst for who reads.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg

OF_ONE, AT_ONCE = 100, 1000  # messages of a session, sessions at once
SAMPLE = 1000  # reads of each kind
PURGED = 300  # sessions, for the pace of retention
FIRST = 1_700_000_000_000  # milliseconds: the moment of the first message
LONG = UUID("00000000-0000-7000-8000-000000000001")  # the session that has a twentieth

# An id as UUIDv7 has it: its moment, then dice.
ID = "(lpad(to_hex({first} + ({n})), 12, '0') || '7' || substr(md5('{kind}' || ({n})), 1, 19))::uuid"
SESSIONS = """
INSERT INTO sessions (id, name, created_at, max_users, is_active, ended_at, access, is_listed, spirit_mode, spirit_pace,
                      spirit_persona, seed, epoch, last_seq, presence_version)
SELECT {id}, 'The attic', at, 6, false, at, 'open', n % 2 = 0, 'open', 'ritual', 'the-spirit', n, 'x', {of_one}, 0
FROM (SELECT n, to_timestamp(({first} + n * {of_one}) / 1000.0) AS at FROM generate_series(0, {last}) n) s
"""
MESSAGES = """
INSERT INTO messages (id, session_id, seq, user_id, user_name, text, timestamp, is_spirit, client_msg_id, off_record)
SELECT {id}, CASE WHEN n % 20 = 0 THEN '{long}'::uuid ELSE {session} END,
       CASE WHEN n % 20 = 0 THEN n / 20 + 1 ELSE k % {block} / {at_once} + 1 END,
       '{user}'::uuid, 'Ada', substr(repeat(md5(n::text), 4), 1, (20 + n % 80)::int),
       to_timestamp(({first} + n) / 1000.0), false, 'm' || n, false
FROM (SELECT n, n - n / 20 - 1 AS k FROM generate_series({begin}::bigint, {end}::bigint) n) m
"""
KEYS = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE 'messages'::regclass IN (conrelid, confrelid) AND contype IN ('p', 'u', 'f')
ORDER BY contype = 'f'
"""
INDEXES = """
SELECT format('DROP INDEX IF EXISTS %I', indexname), indexdef FROM pg_indexes WHERE tablename = 'messages'
AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = 'messages'::regclass)
"""
SIZES = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE oid = 'messages'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'messages'::regclass)
ORDER BY relkind DESC, 2 DESC
"""


def main() -> int:
    """One size after the other, each in a process of its own: Django knows one database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large", description=__doc__)
    parser.add_argument("--messages", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--within", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.within:
        measure(options.messages[0])
        return 0
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        print("DATABASE_URL must name a PostgreSQL server.", file=sys.stderr)
        return 1
    for count in options.messages:
        name = f"seance_large_{uuid4().hex[:8]}"
        with psycopg.connect(url, autocommit=True) as link:
            link.execute(f"CREATE DATABASE {name}".encode())
            try:
                env = {**os.environ, "DATABASE_URL": f"{url.rsplit('/', 1)[0]}/{name}"}
                command = [sys.executable, "-m", "benchmarks.large", "--within", "yes", "--messages", str(count)]
                subprocess.run(command, env=env, check=True)
            finally:
                link.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    return 0


def measure(count: int) -> None:
    """Fill the database of DATABASE_URL, and tell."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        for setting in (
            "statement_timeout = 0",
            "maintenance_work_mem = '1GB'",
            "max_parallel_maintenance_workers = 2",
        ):
            cursor.execute(f"SET {setting}")
        told("filled", timed(lambda: fill(cursor, count)))
        told("VACUUM ANALYZE", timed(lambda: cursor.execute("VACUUM (ANALYZE) messages, sessions")))
        cursor.execute(SIZES)
        for name, size in cursor.fetchall():
            print(f"{name:<32}{size / 2**20:>9,.0f} MiB{size / count:>7.0f} B a message", flush=True)
    reads(count)
    retention(count)
    with connection.cursor() as cursor:
        told("VACUUM after retention", timed(lambda: cursor.execute("VACUUM messages")))


def fill(cursor: Any, count: int) -> None:
    """Rows first, keys and indexes then."""
    from sessions_app.models import User

    user = User.objects.create(name="Ada", is_guest=True)
    block = OF_ONE * AT_ONCE
    session = ID.format(first=FIRST, kind="s", n=f"k / {block} * {AT_ONCE} + k % {AT_ONCE}")
    last = (count // block + 1) * AT_ONCE
    row = ID.format(first=FIRST, kind="s", n="n")
    cursor.execute(SESSIONS.format(id=row, first=FIRST, of_one=OF_ONE, last=last))
    cursor.execute(f"UPDATE sessions SET id = '{LONG}', last_seq = {count // 20} WHERE seed = {last}")  # noqa: S608
    cursor.execute(KEYS)
    keys = cursor.fetchall()
    cursor.execute(INDEXES)
    indexes = cursor.fetchall()
    for drop, _ in [*keys[::-1], *indexes]:
        cursor.execute(drop)
    for begin in range(0, count, 1_000_000):
        cursor.execute(
            MESSAGES.format(
                id=ID.format(first=FIRST, kind="m", n="n"), long=LONG, session=session, block=block, at_once=AT_ONCE,
                user=user.id, first=FIRST, begin=begin, end=min(begin + 1_000_000, count) - 1,
            )
        )  # fmt: skip
    for _, make in [*keys, *indexes]:
        cursor.execute(f"{make} NOT VALID" if "FOREIGN KEY" in make else make)


def reads(count: int) -> None:
    """What people wait for, of sessions that are drawn, over one connection."""
    from sessions_app.models import Session
    from sessions_app.selectors import history
    from sessions_app.services.presence import poll

    dice = random.Random(7)
    blocks = max(1, int(count * 0.95) // (OF_ONE * AT_ONCE))  # those that are full
    rows = list(Session.objects.order_by("seed").values_list("id", flat=True)[: blocks * AT_ONCE])
    asked = dice.choices(rows, k=SAMPLE)
    far = [dice.randrange(count // 20) for _ in range(SAMPLE)]
    kinds: dict[str, Callable[[int], Any]] = {
        "history, the latest 50": lambda n: history.messages(asked[n], limit=50),
        "history, 50 from the middle": lambda n: history.messages(asked[n], limit=50, after_seq=25),
        "history, 50 of the long one": lambda n: history.messages(LONG, limit=50, before_seq=far[n]),
        "resume, 20 missed": lambda n: history.entries(asked[n], after_seq=80, upto_seq=100),
        "resume, 1000 of the long one": lambda n: history.entries(LONG, after_seq=far[n], upto_seq=far[n] + 1000),
        "head poll, 500 sessions": lambda n: poll(process_id=LONG, session_ids=asked[n % 500 :][:500]),
    }
    for name, ask in kinds.items():
        for state in ("first", "again"):
            took = sorted(timed(partial(ask, n)) * 1000 for n in range(SAMPLE if "500" not in name else 300))
            p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
            print(f"{name + ', ' + state:<42}p50 {p50:>8.2f} ms   p99 {p99:>8.2f} ms", flush=True)


def retention(count: int) -> None:
    """Sessions that ended go, as `purge` does it; the first of them, so that what is old goes."""
    from sessions_app.management.operator import operator
    from sessions_app.models import Session
    from sessions_app.services.retention import purge

    wanted = min(PURGED, count // OF_ONE // 4)
    ended = Session.objects.order_by("ended_at").values_list("ended_at", flat=True)[wanted]
    assert ended is not None
    began = time.perf_counter()
    gone = purge(actor=operator(), ended_before=ended + timedelta(microseconds=1))
    took = time.perf_counter() - began
    print(f"purge: {gone.sessions} sessions, {gone.messages} messages: {gone.messages / took:,.0f} messages/s")


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def told(what: str, seconds: float) -> None:
    """A line."""
    print(f"{what}: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
