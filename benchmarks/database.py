"""benchmarks: the group commit and the join on a database: wall time, CPU of this process and of the backend."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable
from uuid import UUID

import django

from benchmarks.rows import Row, cpu_seconds, print_rows

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from uuid_utils.compat import uuid7  # noqa: E402

from sessions_app import publish  # noqa: E402
from sessions_app.errors import SeanceError  # noqa: E402
from sessions_app.inputs import CreateSession, SpiritInput  # noqa: E402
from sessions_app.services.messages import Draft, post_messages  # noqa: E402
from sessions_app.services.presence import Release, register_process, release_connections  # noqa: E402
from sessions_app.services.seats import JoinRequest, join_sessions  # noqa: E402
from sessions_app.services.sessions import create_session  # noqa: E402

SESSIONS, PEOPLE = 50, 6
SIZES = (1, 5, 20, 50)
LARGEST_RUN = 20_000  # calls


def main(quick: bool) -> None:
    """Each figure is per message, per join, or per join and release.

    The sessions of one batch are different ones, as in a busy process.
    """
    seconds = 0.3 if quick else 1.5
    call_command("migrate", verbosity=0)
    publish.connect(lambda notices: None)  # as in a server: the notices are made, and handed over
    process_id = uuid7()
    register_process(process_id=process_id, name="benchmark")
    values = CreateSession(name="A benchmark", max_users=PEOPLE, spirit=SpiritInput(mode="off"))
    sessions = [create_session(actor=None, values=values)[0].id for _ in range(SESSIONS)]
    numbers = itertools.count()

    def joins(size: int, offset: int) -> list[JoinRequest]:
        keys = [(offset + n) % (SESSIONS * PEOPLE) for n in range(size)]
        return [
            JoinRequest(uuid7(), process_id, sessions[key % SESSIONS], secret=f"user {key}", name=f"User {key}")
            for key in keys
        ]

    seats: dict[UUID, UUID] = {}
    for start in range(0, SESSIONS * PEOPLE, SESSIONS):
        requests = joins(SESSIONS, start)
        for request, joined in zip(requests, join_sessions(requests), strict=True):
            assert not isinstance(joined, SeanceError), joined
            seats.setdefault(request.session_id, joined.participant.user_id)

    def post(size: int) -> None:
        first = next(numbers) * size
        keys = [sessions[(first + n) % SESSIONS] for n in range(size)]
        drafts = [Draft(key, seats[key], "Is anyone there?", f"{first}-{n}") for n, key in enumerate(keys)]
        refused = [one for one in post_messages(drafts) if isinstance(one, SeanceError)]
        assert not refused, refused[0]

    def come_and_go(size: int) -> None:
        requests = joins(size, next(numbers) * size)
        refused = [one for one in join_sessions(requests) if isinstance(one, SeanceError)]
        assert not refused, refused[0]
        gone.extend(Release(one.session_id, one.connection_id, False) for one in requests)

    def pass_by(size: int) -> None:
        come_and_go(size)
        release_connections(gone)
        gone.clear()

    gone: list[Release] = []
    rows = [row for size in SIZES for row in measured("post", size, post, seconds)]
    with connection.cursor() as cursor:  # as PostgreSQL does by itself in a minute: till then it knows of no messages
        cursor.execute("ANALYZE")
    for size in (1, 20):
        rows += measured("join", size, come_and_go, seconds)
        release_connections(gone)  # not measured, and the book of sockets does not grow
        gone.clear()
        rows += measured("join and release", size, pass_by, seconds)
    print_rows(rows)


def measured(name: str, size: int, work: Callable[[int], None], seconds: float) -> list[Row]:
    """One kind of work in batches of one size."""
    for _ in range(5):
        work(size)
    backend = backend_pid()
    wall, cpu, behind = time.perf_counter(), time.process_time(), cpu_seconds(backend) if backend else 0.0
    count = 0
    while time.perf_counter() - wall < seconds and count < LARGEST_RUN:
        work(size)
        count += 1
    done = count * size
    took = (time.perf_counter() - wall, time.process_time() - cpu, cpu_seconds(backend) - behind if backend else 0.0)
    group, what = f"database, {connection.vendor}", f"{name}, {size} together"
    rows = [
        Row(group, f"{what}: wall", took[0] / done * 1e6, "µs"),
        Row(group, f"{what}: CPU here", took[1] / done * 1e6, "µs"),
    ]
    return [*rows, Row(group, f"{what}: CPU of the backend", took[2] / done * 1e6, "µs")] if backend else rows


def backend_pid() -> int | None:
    """The process of PostgreSQL that serves this connection, where it runs on this machine."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = int(cursor.fetchone()[0])
    return pid if os.path.exists(f"/proc/{pid}/stat") else None


if __name__ == "__main__":
    main("--quick" in sys.argv)
