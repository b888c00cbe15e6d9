"""Tests of sessions_app/services: what is refused by the thousand leaves nothing for the garbage collection."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from sessions_app.errors import SeanceError
from sessions_app.services import seats
from sessions_app.services.messages import Draft, post_messages
from sessions_app.services.seats import join_sessions
from tests.services.helpers import code, make_account, make_process, make_session, request, sit

pytestmark = pytest.mark.django_db


@pytest.fixture
def left_behind() -> Iterator[Callable[[], list[Any]]]:
    """Call it for the refusals that only a collection found."""

    def found() -> list[Any]:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        return [one for one in gc.garbage if isinstance(one, SeanceError)]

    gc.collect()
    gc.disable()
    yield found
    gc.garbage.clear()
    gc.enable()


def test_a_refused_join_leaves_nothing(left_behind: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    process_id, room = make_process(), make_session(max_users=2)
    for _ in range(2):
        sit(room, process_id, make_account())

    full = code(join_sessions([request(room, process_id)])[0])
    monkeypatch.setattr(seats, "locks", lambda *_, **__: dict)  # somebody else holds it
    busy = code(join_sessions([request(room, process_id)], wait=False)[0])

    assert (full, busy) == ("SESSION_FULL", "UNAVAILABLE")
    assert left_behind() == []


def test_a_refused_message_leaves_nothing(left_behind: Callable[[], list[Any]]) -> None:
    person, process_id = make_account(), make_process()
    room = make_session(spirit_mode="circle")
    sit(room, process_id, person)

    drafts = [Draft(room.id, person.id, " "), Draft(uuid7(), person.id, "x"), Draft(room.id, None, "x")]
    codes = [code(result) for result in post_messages(drafts)]

    assert codes == ["EMPTY_MESSAGE", "SESSION_NOT_FOUND", "UNAUTHORIZED"]
    assert left_behind() == []
