"""Tests of the analytics: random worlds of raw rows, and what the tests count in them by hand."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from sessions_app.models import Invite, Message, Participant, Session, SpiritTurn, Stay
from tests.services.helpers import make_guest, make_session

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def scatter(rng: random.Random, rooms: int = 8, people: int = 12) -> None:
    """Sessions over two weeks with former and latest stays, messages, turns of every end, and invites."""
    everybody = [make_guest(f"P{number}") for number in range(people)]
    for number in range(rooms):
        begin = START + rng.randrange(14 * 1440) * MINUTE
        end = begin + rng.randrange(1, 3000) * MINUTE
        over = rng.random() < 0.7
        room = make_session(everybody[0], created_at=begin, is_active=not over, ended_at=end if over else None)

        def moment(begin: datetime = begin, end: datetime = end) -> datetime:
            return begin + (end - begin) * rng.random()

        for person in rng.sample(everybody, rng.randrange(1, people)):
            at = sorted(moment() for _ in range(4))
            left = at[3] if over or rng.random() < 0.5 else None
            row = Participant.objects.create(session=room, user=person, name="P", joined_at=at[2], left_at=left)
            if rng.random() < 0.5:
                Stay.objects.create(participant=row, joined_at=at[0], left_at=at[1])
        seq = 0
        for _ in range(rng.randrange(30)):
            seq += 1
            spirit = rng.random() < 0.2
            speaker = None if spirit else rng.choice(everybody)
            said = Message.objects.create(
                session=room, seq=seq, user=speaker, text="Hm", timestamp=moment(), is_spirit=spirit
            )
            if not spirit and rng.random() < 0.6:
                state = rng.choice(["answered", "failed", "cancelled", "merged", "queued"])
                ended = said.timestamp + timedelta(milliseconds=rng.randrange(1, 90_000))
                SpiritTurn.objects.create(
                    session=room, message=said, asker=speaker, number=seq, state=state, created_at=said.timestamp,
                    ended_at=None if state == "queued" else ended, degraded=rng.choice(["", "timeout"]),
                )  # fmt: skip
        for _ in range(rng.randrange(3)):
            Invite.objects.create(
                session=room, digest=uuid7().bytes * 2, uses=rng.randrange(3), created_at=moment(), expires_at=end
            )
        Session.objects.filter(pk=room.pk).update(last_seq=seq, presence_version=number)


def percentile_by_hand(durations: list[float], share: float) -> float:
    ordered = sorted(durations)
    return ordered[max(0, -(-len(ordered) * round(share * 100) // 100) - 1)]


def presence_by_day() -> dict[date, set[Any]]:
    found: dict[date, set[Any]] = {}
    for one in Message.objects.filter(is_spirit=False, user__isnull=False):
        found.setdefault(one.timestamp.astimezone(UTC).date(), set()).add(one.user_id)
    for row in Participant.objects.all():
        for at in (row.joined_at, *row.stays.values_list("joined_at", flat=True)):
            found.setdefault(at.astimezone(UTC).date(), set()).add(row.user_id)
    return found
