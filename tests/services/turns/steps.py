"""Tests of sessions_app/services/turns: what they have in common."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app.errors import Code, SeanceError
from sessions_app.models import Session, SpiritTurn, User
from sessions_app.services.turns import (
    Claim,
    answer,
    claim,
)
from sessions_app.spirits.base import Finish
from sessions_app.spirits.speech import format_response
from tests.services.helpers import (
    Told,
    body,
    make_account,
    make_process,
    sit,
)


def take(room: Session) -> Claim:
    found = claim(room.id)
    assert isinstance(found, Claim)
    return found


def reply(turn: Claim, text: str = "It is I. Who asks?") -> bool:
    response = format_response(text, board="IT IS I", pace="instant", seed=1)
    finish = Finish("oracle", None, "oracle", "v1")
    return answer(
        session_id=turn.session_id, turn_id=turn.turn_id, attempt=turn.attempt, response=response, finish=finish
    )


def run_out(turn: Claim) -> None:
    """Let the lease of a turn expire."""
    late = timezone.now() - timedelta(seconds=1)
    SpiritTurn.objects.filter(pk=turn.turn_id).update(lease_until=late)


def people(room: Session, count: int) -> list[User]:
    """So many who sit there."""
    process_id = make_process()
    found = [make_account(f"P{number}") for number in range(count)]
    for one in found:
        sit(room, process_id, one)
    return found


def states(room: Session) -> list[str]:
    return list(SpiritTurn.objects.filter(session=room).order_by("number").values_list("state", flat=True))


def places(told: Told) -> list[tuple[str, int]]:
    """Who was told to wait where."""
    queued = [body(notice) for notice in told.commit() if notice.event == "question_queued"]
    return [(item.asker.name, item.position) for item in queued]


def refused(service: object, **values: object) -> Code:
    with pytest.raises(SeanceError) as caught:
        service(**values)  # type: ignore[operator]
    return caught.value.code
