"""benchmarks: the pages of the admin over the past of `benchmarks.past`: `python -m benchmarks.admin`, on its database.

Each page is asked for in process, as a superuser, several times, in a few tries of which the cheapest counts: where
the machine is shared, what others do to its caches and its clock lands in a try as CPU time, and never takes any away.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from benchmarks.database import backend_pid  # noqa: E402
from benchmarks.rows import cpu_seconds  # noqa: E402
from sessions_app.models import Message, Participant, Session, User  # noqa: E402

TRIES, ROUNDS = 3, 5  # of PostgreSQL's CPU a round of a try tells 2 ms
APP = "/admin/sessions_app"


class Page(NamedTuple):
    """How a page did, in milliseconds: CPU of this process and of PostgreSQL's, which is what it takes where nothing
    else runs, and the least that it took by the clock; and how many queries it made."""

    name: str
    cpu_here: float
    cpu_there: float
    least: float
    queries: int

    @property
    def cpu(self) -> float:
        """Of both."""
        return self.cpu_here + self.cpu_there


def paths() -> Iterator[tuple[str, str]]:
    """Every list, plain, searched and filtered, and the pages of one: what they are called, and where they are."""
    longest = Session.objects.order_by("-last_seq")[0]
    middle = Session.objects.order_by("id")[Session.objects.count() // 2]
    person = Participant.objects.filter(session=longest)[0].user_id
    message = Message.objects.filter(session=middle)[0]
    yield "dashboard, a day", "/admin/"
    yield "dashboard, a week", "/admin/?span=week"
    yield "dashboard, a year", "/admin/?span=year"
    lists = {
        "session": ("?q=candle", "?is_active__exact=1", "?o=-4.3", f"?q={middle.pk}", "?p=150"),
        "message": (
            "?q=river", "?q=zzzzz", f"?q={message.pk}", f"?q={middle.pk}", f"?q={person}", "?p=200",
            f"?session__id__exact={longest.pk}", f"?session__id__exact={middle.pk}&q=river", "?is_spirit__exact=1",
            "?deleted_at__isempty=0", "?off_record__exact=1", "?since=week", "?since=today&is_spirit__exact=0",
            "?deleted_at__isempty=0&off_record__exact=1",
        ),
        "participant": ("?q=Ada", "?q=zzzzz", "?role__exact=host", "?kicked_at__isempty=0", f"?q={person}", "?p=200"),
        "user": ("?q=Ada", "?q=zzzzz", "?is_guest__exact=0", "?is_staff__exact=1", f"?q={person}", "?p=200"),
        "spiritturn": (
            "?q=river", "?q=zzzzz", "?state__exact=failed", "?state__in=queued,active", "?degraded=timeout",
            f"?q={person}", f"?q={longest.pk}", "?since=week", "?p=200",
        ),
        "event": ("?type__exact=session_ended", f"?q={middle.pk}", "?p=150"),
        "report": ("",), "auditentry": (f"?q={middle.pk}",), "spending": (), "personaversion": (),
    }  # fmt: skip
    for name, queries in lists.items():
        for query in dict.fromkeys(("", *queries)):
            yield f"{name}s {_short(query)}".strip(), f"{APP}/{name}/{query}"
    yield "a session, the longest", f"{APP}/session/{longest.pk}/change/"
    yield "a session, one in the middle", f"{APP}/session/{middle.pk}/change/"
    yield "a message", f"{APP}/message/{message.pk}/change/"
    yield "a user", f"{APP}/user/{person}/change/"


def _short(query: str) -> str:
    """A query for people: an id is an id."""
    return "&".join(part if len(part) < 35 else f"{part.partition('=')[0]}=(an id)" for part in query.split("&"))


def measured(tries: int = TRIES, rounds: int = ROUNDS) -> Iterator[Page]:
    """Each page, after it was asked for once to warm up."""
    admin = User.objects.filter(is_superuser=True).first()
    admin = admin or User.objects.create_superuser("measured@example.org", None, name="Measured")
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(admin)
    backend = backend_pid()
    assert backend is not None, "PostgreSQL must run on this machine"
    with connection.cursor() as cursor:  # or its helpers' CPU would be nobody's
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    for name, path in paths():
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
            queries = len(captured)  # the next request empties the record
        tried = [_tried(client, path, backend, rounds) for _ in range(tries)]
        here, there = min(((here, there) for here, there, _ in tried), key=sum)
        yield Page(name, here, there, min(least for _, _, least in tried), queries)


def _tried(client: Client, path: str, backend: int, rounds: int) -> tuple[float, float, float]:
    """One try: milliseconds a round of this process and of PostgreSQL's, and the least by the clock."""
    took = []
    here, there = time.process_time(), cpu_seconds(backend)
    for _ in range(rounds):
        began = time.perf_counter()
        response = client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, (path, response.status_code)
    here, there = time.process_time() - here, cpu_seconds(backend) - there
    return here / rounds * 1000, there / rounds * 1000, min(took)


def main() -> int:
    """A table in Markdown, or with `--json` the rows."""
    if "--json" in sys.argv:
        print(json.dumps(list(measured())))
        return 0
    print("| Page | CPU | of it PostgreSQL's | by the clock | queries |\n| --- | ---: | ---: | ---: | ---: |")
    for page in measured():
        times = " | ".join(f"{ms:.0f}" for ms in (page.cpu, page.cpu_there, page.least))
        print(f"| {page.name} | {times} | {page.queries} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
