"""benchmarks: a house with a past: `python -m benchmarks.past` fills the empty PostgreSQL database of DATABASE_URL.

Sessions of the last ninety days, most of them small and some very long, with their people, messages, questions and
answers, deletions and measured latencies, and sockets of people who are there now; the same dice for the same numbers.
Rows go in by COPY, and the rollups are counted by the product itself.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Model  # noqa: E402
from psycopg.types.json import Jsonb  # noqa: E402

from sessions_app import histogram, models  # noqa: E402
from sessions_app.services.rollup import rollup  # noqa: E402
from sessions_app.spirits.board import board_script  # noqa: E402

DAYS = 90
PEOPLE_OF_ONE = 5  # in a session, on average
LIVE = 40  # sessions that go on
NAMES = ("Ada", "Bo", "Cy", "Dora", "Edda", "Finn", "Grete", "Hal", "Ines", "Jon", "Kit", "Lou", "Max", "Nell", "Ola")
EVENINGS = ("Friday night", "The attic", "By candlelight", "Old friends", "The long table", "Midnight", "Rain outside")
WORDS = "is anyone there who are you what do you want tell us more a name the house the river cold door light".split()
ANSWERS = ("I never left.", "Ask the one who waits.", "The river remembers.", "Not yet.", "Look behind the clock.")
SCRIPT = board_script("YES").as_dict()


class Clock:
    """Ids and moments: an id begins with its moment, as UUIDv7 has it, and the rest is drawn."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def id_at(self, at: datetime) -> UUID:
        """An id of that millisecond."""
        ms = int(at.timestamp() * 1000)
        return UUID(int=ms << 80 | 7 << 76 | self.rng.getrandbits(12) << 64 | 2 << 62 | self.rng.getrandbits(62))


class Copy:
    """Rows for one table, kept until there are enough for a COPY."""

    def __init__(self, model: type[Model], *columns: str) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        rest = [name for name, field in fields.items() if name not in columns and not field.primary_key]
        self.defaults = tuple(_plain(fields[name].get_default()) for name in rest)
        names = ", ".join(f'"{fields[name].column}"' for name in (*columns, *rest))
        self.statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
        self.rows: list[Sequence[Any]] = []

    def add(self, *values: Any) -> None:
        """One more."""
        self.rows.append(values)

    def flush(self) -> None:
        """Send them; a table that refers to another is flushed after it."""
        with connection.cursor() as cursor, cursor.copy(self.statement) as copy:
            for row in self.rows:
                copy.write_row((*row, *self.defaults))
        self.rows = []


def _plain(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


class Past:
    """The tables, and the dice."""

    def __init__(self, sessions: int, messages: int, now: datetime) -> None:
        self.rng, self.now, self.messages = random.Random(7), now, messages
        self.clock = Clock(self.rng)
        self.users = Copy(models.User, "id", "name", "is_guest", "email", "joined_at")
        self.sessions = Copy(
            models.Session, "id", "name", "created_at", "is_active", "ended_at", "host_id", "last_seq",
            "presence_version", "is_listed", "seed", "epoch",
        )  # fmt: skip
        self.seats = Copy(models.Participant, "id", "session_id", "user_id", "name", "role", "joined_at", "left_at")
        self.said = Copy(
            models.Message, "id", "session_id", "seq", "user_id", "user_name", "text", "timestamp", "is_spirit",
            "in_reply_to_id", "off_record", "deleted_at",
        )  # fmt: skip
        self.turns = Copy(
            models.SpiritTurn, "id", "session_id", "message_id", "asker_id", "state", "number", "created_at",
            "started_at", "ended_at", "code", "provider", "source", "degraded", "completion_tokens",
        )  # fmt: skip
        self.answers = Copy(
            models.Answer, "message_id", "turn_id", "board_script", "letter_timings", "word_count", "source", "degraded"
        )
        self.events = Copy(models.Event, "session_id", "seq", "type", "data", "timestamp")
        self.invites = Copy(models.Invite, "id", "session_id", "digest", "uses", "created_at", "expires_at")
        self.latencies = Copy(models.LatencyHour, "session_id", "hour", "kind", "buckets")
        self.closes = Copy(models.CloseHour, "hour", "code", "count")
        self.sockets = Copy(models.Connection, "id", "participant_id", "process_id", "opened_at")
        # A few sessions are very long: sizes fall like 1/√rank.
        weights = [1 / (rank + 3) ** 0.5 for rank in range(sessions)]
        scale = messages / sum(weights)
        self.sizes = [max(2, round(weight * scale)) for weight in weights]
        self.rng.shuffle(self.sizes)
        self.people: list[tuple[UUID, str]] = []
        self.process = self.clock.id_at(now)

    def tables(self) -> Iterator[Copy]:
        """In an order in which nothing refers to what is not there yet."""
        yield from (self.users, self.sessions, self.seats, self.said, self.turns, self.answers, self.events)
        yield from (self.invites, self.latencies, self.sockets)

    def make_people(self, count: int) -> None:
        """Guests, and an account for every fifth."""
        begin = self.now - timedelta(days=DAYS)
        for number in range(count):
            at = begin + timedelta(seconds=number)
            key, name = self.clock.id_at(at), f"{self.rng.choice(NAMES)} {number}"
            email = None if number % 5 else f"{number}@example.org"
            self.users.add(key, name, email is None, email, at)
            self.people.append((key, name))

    def make_session(self, size: int, *, live: bool) -> None:
        """One session and all in it, in the order of its log."""
        rng, length = self.rng, timedelta(seconds=max(600, size * self.rng.uniform(8, 40)))
        begin = self.now - length if live else self._evening(length)
        length = min(length, self.now - begin)
        key = self.clock.id_at(begin)
        crowd = rng.sample(self.people, rng.randrange(2, 2 * PEOPLE_OF_ONE - 1))
        end = None if live else begin + length
        seq = numbers = 0
        moments = sorted(begin + length * rng.random() for _ in range(size))
        question: tuple[UUID, datetime, UUID | None] | None = None
        for at in moments:
            seq += 1
            message = self.clock.id_at(at)
            if question is not None and rng.random() < 0.85:
                numbers += 1
                self._answer(key, message, seq, at, question, numbers)
                question = None
                continue
            who, name = rng.choice(crowd)
            gone = at + timedelta(seconds=5) if rng.random() < 0.002 else None
            text = " ".join(rng.choices(WORDS, k=rng.randrange(2, 12)))
            self.said.add(message, key, seq, who, name, text, at, False, None, rng.random() < 0.002, gone)
            question = (message, at, who) if rng.random() < 0.4 and gone is None else None
        if end is not None:
            seq += 1
            self.events.add(key, seq, "session_ended", Jsonb({}), end)
        host = crowd[0][0]
        name = f"{rng.choice(EVENINGS)} {rng.randrange(1000)}"
        listed, epoch = rng.random() < 0.5, f"{rng.getrandbits(48):012x}"
        self.sessions.add(key, name, begin, live, end, host, seq, 1, listed, rng.getrandbits(62), epoch)
        for number, (who, called) in enumerate(crowd):
            came = begin + length * rng.random() * 0.3
            left = end if end is not None and rng.random() < 0.7 else None
            left = left or (None if live else came + (begin + length - came) * rng.random())
            seat = self.clock.id_at(came)
            self.seats.add(seat, key, who, called, "participant" if number else "host", came, left)
            if live:
                self.sockets.add(self.clock.id_at(came), seat, self.process, came)
        if rng.random() < 0.3:
            digest = rng.getrandbits(256).to_bytes(32, "big")
            self.invites.add(self.clock.id_at(begin), key, digest, rng.randrange(4), begin, begin + timedelta(days=7))
        self._measure(key, begin, begin + length, size)

    def _evening(self, length: timedelta) -> datetime:
        """More of them late in the day, at the end of the week, and lately."""
        while True:
            at: datetime = self.now - length - timedelta(days=DAYS * self.rng.random() ** 1.3)
            likely = (0.2 + 0.8 * ((at.hour + 6) % 24 > 20)) * (1.0 if at.weekday() > 3 else 0.6)
            if self.rng.random() < likely:
                return at

    def _answer(
        self, key: UUID, message: UUID, seq: int, at: datetime, question: tuple[UUID, datetime, Any], number: int
    ) -> None:
        """A turn, and mostly its answer; now and then a worse one, or none."""
        rng, (asked, asked_at, who) = self.rng, question
        chance = rng.random()
        took = timedelta(seconds=min((at - asked_at).total_seconds(), rng.lognormvariate(0.8, 0.5)))
        ended, turn = asked_at + took, self.clock.id_at(asked_at)
        degraded = rng.choice(("timeout", "provider")) if chance < 0.04 else ""
        source, provider = ("oracle", "oracle") if degraded or rng.random() < 0.6 else ("model", "local")
        state, code = ("failed", "SPIRIT_ERROR") if chance > 0.99 else ("answered", "")
        self.turns.add(
            turn, key, asked, who, state, number, asked_at, asked_at, ended, code, provider, source, degraded, 12
        )
        text = rng.choice(ANSWERS)
        self.said.add(message, key, seq, None, None, text, at, True, asked, False, None)
        script, timings = Jsonb(SCRIPT), Jsonb([90] * len(text))
        self.answers.add(message, turn, script, timings, len(text.split()), source, degraded or None)

    def _measure(self, key: UUID, begin: datetime, end: datetime, size: int) -> None:
        hour = begin.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            for kind, middle in (("ack", 3.0), ("delivery", 5.0)):
                took = histogram.count(self.rng.lognormvariate(0, 0.6) * middle for _ in range(min(size, 20)))
                self.latencies.add(key, hour, kind, Jsonb(histogram.stored(took)))
            hour += timedelta(hours=1)

    def make_closes(self) -> None:
        """Sockets that ended, by hour."""
        likely = ((1000, 300), (4505, 120), (4003, 25), (4001, 18), (4006, 9), (4503, 3), (4002, 2))
        first = self.now.replace(minute=0, second=0, microsecond=0)
        for back, (code, times) in itertools.product(range(DAYS * 24), likely):
            if count := round(times * self.rng.random()):
                self.closes.add(first - timedelta(hours=back), code, count)
        self.closes.flush()


def fill(sessions: int, messages: int, now: datetime) -> None:
    """Make it. The database has its tables, and nothing in them."""
    past = Past(sessions, messages, now)
    past.make_people(2 * sessions)
    past.users.flush()
    models.ServerProcess.objects.create(
        id=past.process, name="elsewhere", started_at=now, lease_until=now + timedelta(days=7)
    )
    for batch in batched(enumerate(past.sizes), 250):
        for number, size in batch:
            past.make_session(size, live=number < LIVE)
        for table in past.tables():
            table.flush()
    past.make_closes()


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many."""
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch


def main() -> int:
    """Fill the database, count its rollups, and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.past", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=1_000_000)
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        print("DATABASE_URL must name a PostgreSQL database.", file=sys.stderr)
        return 1
    call_command("migrate", verbosity=0)
    if models.Session.objects.exists():
        print("The database has sessions already.", file=sys.stderr)
        return 1
    began = time.monotonic()
    fill(options.sessions, options.messages, datetime.now(UTC))
    filled = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    done = rollup()
    print(
        f"{models.Session.objects.count()} sessions, {models.Message.objects.count()} messages: {filled - began:.0f} s"
    )
    print(f"rollups: {done}, {time.monotonic() - filled:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
