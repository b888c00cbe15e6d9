"""Tests of sessions_app/services: many at once, each on a connection of its own.

In memory SQLite has one writer and one lock for everybody, which is no race; there these run on real servers only.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection, transaction
from uuid_utils.compat import uuid7

from sessions_app.errors import SeanceError
from sessions_app.inputs import NewInvite
from sessions_app.models import Invite, Message, Participant, Session, SpiritTurn
from sessions_app.services import accounts
from sessions_app.services.invites import create_invite
from sessions_app.services.log import lock_session
from sessions_app.services.messages import Draft, Posted, post_message, post_messages
from sessions_app.services.seats import guest_id, join, join_sessions
from sessions_app.services.turns import claim
from tests.services.helpers import code, make_account, make_guest, make_process, make_session, numbers, request

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

T = TypeVar("T")
THREADS = 8


def at_once(works: list[Callable[[], T]]) -> list[T | SeanceError]:
    """Run each in a thread of its own, all released together; a refusal is a result."""
    gate = threading.Barrier(len(works))

    def one(work: Callable[[], T]) -> T | SeanceError:
        gate.wait(10)
        try:
            return work()
        except SeanceError as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(one, works))


def test_a_race_for_the_last_seat_has_one_winner() -> None:
    process_id = make_process()
    for _ in range(5):
        room = make_session(max_users=2)
        join(request(room, process_id, secret="first"))
        wishes = [request(room, process_id, secret=str(number)) for number in range(THREADS)]

        results = at_once([lambda wish=wish: join(wish) for wish in wishes])  # type: ignore[misc]

        assert Counter(code(result) for result in results) == {"": 1, "SESSION_FULL": THREADS - 1}
        assert Participant.objects.filter(session=room, left_at=None).count() == 2


def test_one_guest_at_many_doors_is_one_participant() -> None:
    room, process_id = make_session(), make_process()
    wishes = [request(room, process_id, secret="1") for _ in range(THREADS)]

    results = at_once([lambda wish=wish: join(wish) for wish in wishes])  # type: ignore[misc]

    assert Counter(code(result) for result in results) == {"": THREADS}
    assert Participant.objects.get().user_id == guest_id(room.id, "1")


def test_a_message_sent_twice_at_once_is_stored_once() -> None:
    ada = make_account()
    room = make_session(ada)

    results = at_once([lambda: post_message(Draft(room.id, ada.id, "Once", "x"))] * THREADS)

    posted = [result for result in results if isinstance(result, Posted)]
    assert len(posted) == THREADS
    assert sum(not item.duplicate for item in posted) == 1
    assert {item.message.seq for item in posted} == {1}
    assert Message.objects.count() == 1


def test_writers_in_many_rooms_leave_no_hole_and_no_deadlock() -> None:
    ada = make_account()
    rooms = [make_session(ada) for _ in range(4)]

    def batch(offset: int) -> list[Posted | SeanceError]:
        order = rooms[offset % 4 :] + rooms[: offset % 4]
        results: list[Posted | SeanceError] = []
        for number in range(10):
            results += post_messages([Draft(room.id, ada.id, f"{offset}/{number}") for room in order])
        return results

    at_once([lambda offset=offset: batch(offset) for offset in range(THREADS)])  # type: ignore[misc]

    for room in rooms:
        assert numbers(room) == list(range(1, THREADS * 10 + 1))
        assert Session.objects.get(pk=room.id).last_seq == THREADS * 10


def test_a_turn_is_claimed_by_one() -> None:
    ada = make_account()
    room = make_session(ada, spirit_mode="open")
    post_message(Draft(room.id, ada.id, "Who?"))

    claims = at_once([lambda: claim(room.id)] * THREADS)

    assert sum(found is not None for found in claims) == 1
    assert SpiritTurn.objects.get().attempt == 1


def test_a_refresh_token_used_twice_at_once_leaves_nobody_in() -> None:
    tokens = accounts.issue_tokens(make_guest())

    results = at_once([lambda: accounts.refresh_tokens(tokens.refresh)] * 2)

    fresh = [result[1] for result in results if not isinstance(result, SeanceError)]
    assert len(fresh) == 1
    with pytest.raises(SeanceError):
        accounts.refresh_tokens(fresh[0].refresh)


def test_who_does_not_want_to_wait_for_a_locked_session_is_told_busy() -> None:
    ada = make_account()
    locked, free = make_session(ada), make_session(ada)
    process_id, held, done = make_process(), threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock_session(locked.id)
            held.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        posted = post_messages([Draft(locked.id, ada.id, "x"), Draft(free.id, ada.id, "x")], wait=False)
        joined = join_sessions([request(locked, process_id), request(free, process_id)], wait=False)
    finally:
        done.set()
        holder.join()

    assert [code(result) for result in posted] == ["UNAVAILABLE", ""]
    assert [code(result) for result in joined] == ["UNAVAILABLE", ""]
    assert [code(result) for result in post_messages([Draft(uuid7(), ada.id, "x")])] == ["SESSION_NOT_FOUND"]


def test_an_invite_of_five_lets_five_of_twenty_in() -> None:
    host, process_id = make_account(), make_process()
    room = make_session(host, access="invite", max_users=12)
    shown = create_invite(actor=host, session_id=room.id, values=NewInvite(max_uses=5)).code
    wishes = [request(room, process_id, secret=str(number), invite=shown) for number in range(20)]

    results = at_once([lambda wish=wish: join(wish) for wish in wishes])  # type: ignore[misc]

    assert Counter(code(result) for result in results) == {"": 5, "SESSION_NOT_FOUND": 15}
    assert Invite.objects.get().uses == 5
    assert Participant.objects.count() == 5
