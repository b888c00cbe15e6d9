"""benchmarks: REST reads on a real server of one process: a session, and its latest 50 messages, kept in Redis or not.

A request's cost is CPU: of the server, of the PostgreSQL backends that serve it, and of Redis. Two servers, one of
which keeps nothing, are asked in turn for half a second each, so that both have the same noise of the machine.
DATABASE_URL and REDIS_URL are needed.
"""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import time
from collections.abc import Callable

from benchmarks.rows import Row, percentile, print_rows
from benchmarks.server import Served, redis_seconds

SESSIONS, MESSAGES = 10, 60
TEXT = "Is anyone there, and if so, who are you?"
OPENED = {"name": "A benchmark", "max_users": 6, "spirit": {"mode": "off"}}


class Reader:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, path: str, body: object = None, token: str = "") -> bytes:
        """A request; the body of its answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        text = None if body is None else json.dumps(body)
        self.link.request("GET" if text is None else "POST", path, text, headers | {"Content-Type": "application/json"})
        answer = self.link.getresponse()
        found = answer.read()
        assert answer.status < 300, found
        return found

    def close(self) -> None:
        """Hang up."""
        self.link.close()


class Asked:
    """A server under measurement: what one kind of work has cost so far."""

    def __init__(self, server: Served, group: str) -> None:
        self.server, self.group, self.reader = server, group, Reader(server.port)
        self.begin()

    def begin(self) -> None:
        """Forget what was."""
        self.times: list[float] = []
        self.cost = [0.0, 0.0, 0.0]

    def repeat(self, work: Callable[[Reader], None], seconds: float) -> None:
        """Work for so long."""
        before = (*self.server.cpu(), redis_seconds())
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            work(self.reader)
            self.times.append(time.perf_counter() - began)
        after = (*self.server.cpu(), redis_seconds())
        self.cost = [sum(one) for one in zip(self.cost, after, (-value for value in before), strict=True)]

    def rows(self, what: str) -> list[Row]:
        """The figures of one kind of work."""
        parts = [value / len(self.times) * 1e6 for value in self.cost]
        named = zip(("server CPU", "PostgreSQL CPU", "Redis CPU"), parts, strict=True)
        return [
            *(Row(self.group, f"{what}: {name}", value, "µs") for name, value in named),
            Row(self.group, f"{what}: all of it", sum(parts), "µs"),
            Row(self.group, f"{what}: p50", percentile(self.times, 0.5) * 1000, "ms"),
        ]


def main(quick: bool) -> None:
    rounds = 1 if quick else 12
    keeps = {"READ_CACHE": "session,history", "READ_CACHE_SECONDS": "300"}
    with Served(READ_CACHE_SECONDS="0") as plain, Served(**keeps) as keeping:
        both = [Asked(plain, "reading, nothing kept"), Asked(keeping, "reading, kept in Redis")]
        reader = both[0].reader
        made = [json.loads(reader.ask("/api/sessions", OPENED)) for _ in range(SESSIONS)]
        rooms = [f"/api/sessions/{one['data']['id']}" for one in made]
        tokens = [one["meta"]["host_token"] for one in made]
        for room, token in zip(rooms, tokens, strict=True):
            for _ in range(MESSAGES):
                reader.ask(f"{room}/messages", {"text": TEXT}, token)
        turn = itertools.count()

        def detail(reader: Reader) -> None:
            reader.ask(rooms[next(turn) % SESSIONS])

        def latest(reader: Reader) -> None:
            reader.ask(f"{rooms[next(turn) % SESSIONS]}/history")

        def post_and_read(reader: Reader) -> None:
            n = next(turn) % SESSIONS
            reader.ask(f"{rooms[n]}/messages", {"text": TEXT}, tokens[n])
            reader.ask(f"{rooms[n]}/history")

        works = {
            "a session": detail, "the latest 50 messages": latest, "a message, then the latest 50": post_and_read,
        }  # fmt: skip
        rows = []
        for what, work in works.items():
            for one in both:
                one.repeat(work, 0.1)  # warm
                one.begin()
            for _ in range(rounds):
                for one in both:
                    one.repeat(work, 0.5)
            rows += [row for one in both for row in one.rows(what)]
        for one in both:
            one.reader.close()
    print_rows(sorted(rows, key=lambda row: row.group, reverse=True))


if __name__ == "__main__":
    main("--quick" in sys.argv)
