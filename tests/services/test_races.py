"""Tests of sessions_app/services: many at once, each on a connection of its own.

In memory SQLite has one writer and one lock for everybody, which is no race; there these run on real servers only.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app import outbox
from sessions_app.errors import SeanceError
from sessions_app.inputs import NewInvite
from sessions_app.models import (
    STALE,
    Connection,
    Invite,
    Message,
    Participant,
    RefreshToken,
    Role,
    Session,
    SessionRollup,
    SpiritTurn,
    TokenKind,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from sessions_app.security import verify_token
from sessions_app.services import accounts, fastpath, messages
from sessions_app.services.bans import ban, sign_out
from sessions_app.services.departures import erase
from sessions_app.services.invites import create_invite
from sessions_app.services.log import lock_session
from sessions_app.services.mails import make_token
from sessions_app.services.messages import Draft, Posted, post_message, post_messages
from sessions_app.services.moderation import kick, mute, set_role
from sessions_app.services.presence import Release, register_process, release_connections, unregister_process
from sessions_app.services.rollup.sessions import count_sessions, prepare
from sessions_app.services.seats import Joined, guest_id, join, join_sessions
from sessions_app.services.tokens import end_all, lock_user
from sessions_app.services.turns import Claim, Later, claim
from sessions_app.services.webhooks import queue
from sessions_app.services.webhooks.endpoints import create_endpoint, delete_endpoint, ping
from sessions_app.webhooks.sending import Outcome
from tests.services.helpers import (
    code,
    hang_up,
    make_account,
    make_guest,
    make_process,
    make_session,
    numbers,
    request,
    sit,
)

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


@pytest.mark.parametrize("ends", [False, True])
def test_a_seat_waits_though_its_last_two_sockets_end_at_once_in_two_ways(*, ends: bool) -> None:
    room, person, here, there = make_session(), make_account(), make_process("here"), make_process("there")
    sit(room, here, person)
    other = request(room, there, person)
    join(other)
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            if ends:
                unregister_process(here)
            else:
                register_process(process_id=uuid7(), name="here")  # the next of its name
            closing = threads.submit(
                at_once, [lambda: release_connections([Release(room.id, other.connection_id, for_good=False)])]
            )
            wait([closing], 0.5)
        closing.result()

    seat = Participant.objects.get(session=room, user=person)
    assert (Connection.objects.count(), seat.away_since is not None) == (0, True)


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


def while_locked(room: Session, change: Callable[[], object], work: Callable[[], T]) -> T:
    """What `work` returns, which comes upon the lock of a session in which `change` is done before it opens."""
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            lock_session(room.id)
            waiting = threads.submit(lambda: at_once([work])[0])
            time.sleep(0.2)
            assert not waiting.done()
            change()
        found = waiting.result(10)
    assert not isinstance(found, SeanceError)
    return found


def beside(hold: Callable[[], object], work: Callable[[], T], go_on: Callable[[], object]) -> T | SeanceError:
    """What becomes of `work` that comes while a transaction has done `hold`, and has `go_on` and COMMIT before it."""
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            hold()
            waiting = threads.submit(lambda: at_once([work])[0])
            wait([waiting], 0.5)
            go_on()
        return waiting.result(10)


def answers(work: Callable[[], Sequence[object]], trace: Path) -> list[str]:
    """How PostgreSQL answered `work`, of which nothing may be refused: T within a transaction, I without."""
    connection.ensure_connection()
    outbox.is_wanted()  # asked now and then, and never under a lock
    with trace.open("w") as file:
        connection.connection.pgconn.trace(file.fileno())
        results = work()
        connection.connection.pgconn.untrace()
    assert not any(isinstance(result, SeanceError) for result in results)
    return re.findall(r"\tReadyForQuery\t (\w)", trace.read_text())


@pytest.mark.parametrize("count", [1, 3])
def test_who_was_muted_while_a_message_waited_has_not_said_it(count: int) -> None:
    bob, process_id = make_account(), make_process()
    room = make_session()
    sit(room, process_id, bob)
    drafts = [Draft(room.id, bob.id, f"Hello {n}") for n in range(count)]

    def mute() -> None:
        Participant.objects.update(is_muted=True)

    results = while_locked(room, mute, lambda: post_messages(drafts))

    assert [code(result) for result in results] == ["FORBIDDEN"] * count
    assert not Message.objects.exists()


def test_a_message_that_waited_comes_after_what_it_waited_for() -> None:
    bob, process_id = make_account(), make_process()
    room = make_session()
    sit(room, process_id, bob)

    results = while_locked(
        room,
        lambda: post_messages([Draft(room.id, bob.id, "First", "x")]),
        lambda: post_messages([Draft(room.id, bob.id, "Second"), Draft(room.id, bob.id, "First", "x")]),
    )

    posted = [result for result in results if isinstance(result, Posted)]
    assert [(item.message.seq, item.duplicate) for item in posted] == [(2, False), (1, True)]


@pytest.mark.parametrize("count", [1, 3])
def test_what_was_stored_before_is_acknowledged_beside_the_lock(count: int) -> None:
    bob, process_id = make_account(), make_process()
    room = make_session()
    sit(room, process_id, bob)
    drafts = [Draft(room.id, bob.id, f"Hello {n}", str(n)) for n in range(count)]
    post_messages(drafts)

    with transaction.atomic():
        lock_session(room.id)
        (results,) = at_once([lambda: post_messages(drafts, wait=False)])

    assert not isinstance(results, SeanceError)
    assert [result.duplicate for result in results if isinstance(result, Posted)] == [True] * count


def test_nothing_passes_what_came_before_it_to_a_locked_session(monkeypatch: pytest.MonkeyPatch) -> None:
    bob, process_id = make_account(), make_process()
    room = make_session()
    sit(room, process_id, bob)
    drafts = [Draft(room.id, bob.id, text, text) for text in ("First", "Second", "Second", " ")]
    with transaction.atomic():
        lock_session(room.id)
        monkeypatch.setattr(messages, "_Posting", None)  # the lock may be gone by now

        (results,) = at_once([lambda: post_messages(drafts, wait=False)])

    assert not isinstance(results, SeanceError)
    assert [code(result) for result in results] == ["UNAVAILABLE"] * 4


def test_a_message_that_finds_the_lock_taken_again_and_again_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bob, process_id = make_account(), make_process()
    room = make_session()
    sit(room, process_id, bob)
    waited: list[set[UUID]] = []

    def wait_in_vain(ids: set[UUID]) -> set[UUID]:
        waited.append(ids)
        return ids

    monkeypatch.setattr(fastpath, "wait_for", wait_in_vain)

    results = while_locked(room, lambda: None, lambda: post_messages([Draft(room.id, bob.id, "Hello")]))

    assert [code(result) for result in results] == [""]
    assert waited == [{room.id}] * messages.ROUNDS
    assert numbers(room) == [1]


@pytest.mark.parametrize("beside", [0, 2])
@pytest.mark.parametrize("act", ["mute", "kick", "observer", "erase"])
def test_who_lost_the_voice_between_a_look_and_the_lock_does_not_speak(
    act: str, beside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, bob, process_id = make_account("Ada"), make_account("Bob"), make_process()
    room, *others = [make_session(host) for _ in range(1 + beside)]
    for one in (room, *others):
        sit(one, process_id, bob)
    seat = Participant.objects.get(session=room, user=bob)
    names: dict[str, UUID] = {"session_id": room.id, "participant_id": seat.id}
    acts: dict[str, Callable[[], object]] = {
        "mute": lambda: mute(actor=host, muted=True, **names),
        "kick": lambda: kick(actor=host, **names),
        "observer": lambda: set_role(actor=host, role=Role.OBSERVER, **names),
        "erase": lambda: erase(actor=bob),
    }
    # A look that takes so long that all of the act fits between it and the lock.
    slow = {
        key: fastpath._Statement(
            *(re.sub(r"(FROM sessions\s+WHERE )", r"\1(SELECT pg_sleep(0.5)) IS NOT NULL AND ", sql) for sql in each)
        )
        for key, each in fastpath._STATEMENTS.items()
    }
    monkeypatch.setattr(fastpath, "_STATEMENTS", slow)

    def speak() -> list[Posted | SeanceError]:
        return post_messages([Draft(one.id, bob.id, "Am I heard?", "x") for one in (room, *others)])

    with ThreadPoolExecutor(1) as threads:
        speaking = threads.submit(lambda: at_once([speak])[0])
        time.sleep(0.2)
        acts[act]()
        results = speaking.result(10)

    assert isinstance(results, list)
    assert code(results[0]) in {"FORBIDDEN", "UNAUTHORIZED"}
    assert not Message.objects.filter(session=room).exists()
    if act != "erase":
        assert [code(result) for result in results[1:]] == [""] * beside


@pytest.mark.parametrize("count", [1, 3])
def test_a_message_that_waits_holds_the_lock_for_no_round_trip(count: int, tmp_path: Path) -> None:
    bob, process_id = make_account(), make_process()
    room = make_session()
    sit(room, process_id, bob)

    drafts = [Draft(room.id, bob.id, f"Hello {n}") for n in range(count)]

    said = while_locked(room, lambda: None, lambda: answers(lambda: post_messages(drafts), tmp_path / "trace"))

    assert set(said) == {"I"}


@pytest.mark.parametrize("count", [1, 5])
def test_a_join_holds_the_lock_for_three_round_trips(count: int, tmp_path: Path) -> None:
    room, process_id = make_session(max_users=100), make_process()

    def come() -> list[Joined | SeanceError]:
        return join_sessions([request(room, process_id, secret=str(uuid7())) for _ in range(count)])

    for _ in range(2):  # what is prepared takes one more
        come()
        post_messages(
            [Draft(room.id, Participant.objects.filter(session=room).values_list("user", flat=True)[0], "Hi")]
        )

    # Then BEGIN, which holds nothing; the lock, and what is read under it; who was there before; what is written.
    assert answers(come, tmp_path / "trace") == ["T", "T", "T", "T", "I"]


@pytest.mark.parametrize("for_good", [True, False])
@pytest.mark.parametrize("count", [1, 5])
def test_a_release_holds_the_lock_for_two_round_trips(count: int, for_good: bool, tmp_path: Path) -> None:
    room, process_id = make_session(max_users=100), make_process()

    def gone() -> list[Release]:
        requests = [request(room, process_id, secret=str(uuid7())) for _ in range(count)]
        join_sessions(requests)
        return [Release(room.id, one.connection_id, for_good) for one in requests]

    for _ in range(2):  # what is prepared takes one more
        release_connections(gone())
    releases = gone()

    # Then BEGIN, which holds nothing; the lock, and what is read under it; what is written; COMMIT.
    assert answers(lambda: release_connections(releases), tmp_path / "trace") == ["T", "T", "T", "I"]


def test_no_thread_waits_to_claim_a_turn() -> None:
    ada = make_account()
    room = make_session(ada, spirit_mode="open")
    post_message(Draft(room.id, ada.id, "Who?"))

    with transaction.atomic():
        lock_session(room.id)
        (meanwhile,) = at_once([lambda: claim(room.id)])

    assert isinstance(meanwhile, Later)
    assert isinstance(claim(room.id), Claim)
    assert claim(uuid7()) is None


def test_a_turn_is_claimed_by_one() -> None:
    ada = make_account()
    room = make_session(ada, spirit_mode="open")
    post_message(Draft(room.id, ada.id, "Who?"))

    claims = at_once([lambda: claim(room.id)] * THREADS)

    assert sum(isinstance(found, Claim) for found in claims) == 1
    assert SpiritTurn.objects.get().attempt == 1


def test_of_many_who_refresh_at_once_one_wins_and_keeps_what_it_won() -> None:
    tokens = accounts.issue_tokens(make_guest())

    results = at_once([lambda: accounts.refresh_tokens(tokens.refresh)] * 20)

    fresh = [result[1] for result in results if not isinstance(result, SeanceError)]
    assert Counter(code(result) for result in results) == {"": 1, "UNAUTHORIZED": 19}
    assert accounts.refresh_tokens(fresh[0].refresh)


def test_a_refresh_token_that_comes_again_later_is_a_theft_contested_or_not() -> None:
    tokens = accounts.issue_tokens(make_guest())
    fresh = at_once([lambda: accounts.refresh_tokens(tokens.refresh)] * 2)
    won = next(result[1] for result in fresh if not isinstance(result, SeanceError))
    RefreshToken.objects.filter(used_at__isnull=False).update(used_at=timezone.now() - timedelta(seconds=11))

    refused = at_once([lambda: accounts.refresh_tokens(tokens.refresh)])

    assert code(refused[0]) == "UNAUTHORIZED"
    with pytest.raises(SeanceError):
        accounts.refresh_tokens(won.refresh)


@pytest.mark.parametrize("end", ["ban", "erase", "logout", "sign out"])
@pytest.mark.parametrize("has_sat", [False, True])
def test_an_end_that_races_a_join_leaves_no_socket_open(end: str, *, has_sat: bool) -> None:
    """Whichever is first: the join is refused, or its socket is asked to close."""
    staff, process_id = make_account("Sol", is_staff=True), make_process()
    outcomes: Counter[str] = Counter()
    for _ in range(8):
        person, rooms = make_account("Ada"), [make_session() for _ in range(3)]
        tokens = accounts.issue_tokens(person)
        claims = verify_token(tokens.access)
        if has_sat:
            for room in rooms:
                join(request(room, process_id, person))
                hang_up(room, person)
        wishes = [request(room, process_id, person, family=claims.family) for room in rooms]
        ends: dict[str, Callable[[], object]] = {
            "ban": lambda person=person: ban(actor=staff, user_id=person.id),  # type: ignore[misc]
            "erase": lambda person=person: erase(actor=person),  # type: ignore[misc]
            "logout": lambda tokens=tokens: accounts.revoke(tokens.refresh),  # type: ignore[misc]
            "sign out": lambda person=person: sign_out(actor=staff, user=person),  # type: ignore[misc]
        }
        works: list[Callable[[], object]] = [lambda wish=wish: join(wish) for wish in wishes]  # type: ignore[misc]

        results = at_once([*works, ends[end]])

        assert not isinstance(results[-1], SeanceError)
        outcomes.update(code(result) for result in results[:-1])
        open_ = Connection.objects.filter(participant__user=person)
        assert open_.filter(close_code=None).count() == 0
        if end in ("ban", "erase"):
            assert Participant.objects.filter(user=person, left_at=None).count() == 0
    assert set(outcomes) <= {"", "UNAUTHORIZED"}, outcomes


@pytest.mark.parametrize("kind", [TokenKind.UPGRADE, TokenKind.PASSWORD])
def test_what_was_mailed_and_comes_while_everything_is_ended_does_nothing(kind: TokenKind) -> None:
    email = "ada@example.org"
    person = make_guest("Ada") if kind == TokenKind.UPGRADE else User.objects.create_user(email, None, name="Ada")
    token = make_token(kind, user=person, email=email, name="Ada", password="!")
    works: dict[TokenKind, Callable[[], object]] = {
        TokenKind.UPGRADE: lambda: accounts.finish_registration(token=token),
        TokenKind.PASSWORD: lambda: accounts.finish_reset(token=token, password="a planchette of oak 77"),
    }

    result = beside(lambda: lock_user(person.id), works[kind], lambda: end_all(person, 4001))

    assert code(result) == "VALIDATION_ERROR"
    assert User.objects.get().password == person.password


def test_an_erasure_and_a_count_of_the_same_session_pass_each_other() -> None:
    ada, process_id = make_account("Ada"), make_process()
    room = make_session()
    sit(room, process_id, ada)
    prepare([room.id])

    erased = beside(lambda: count_sessions([room.id]), lambda: erase(actor=ada), lambda: None)

    assert not isinstance(erased, SeanceError)
    assert SessionRollup.objects.get().last_seq == STALE


@pytest.mark.parametrize("is_delivered", [True, False])
def test_a_try_that_ends_while_its_endpoint_is_deleted_is_lost(*, is_delivered: bool) -> None:
    root = make_account("Root", is_superuser=True)
    endpoint, _ = create_endpoint(actor=root, name="Ours", url="https://hooks.example.org/in", kinds=["*"])
    WebhookEndpoint.objects.update(failures=1)
    ping(actor=root, endpoint_id=endpoint.id)
    (try_,), _ = queue.claim({})
    outcome = Outcome(is_delivered, 200 if is_delivered else 500, "", 0.1)

    settled = beside(
        lambda: list(WebhookEndpoint.objects.select_for_update()),
        lambda: queue.settle(try_, outcome),
        lambda: delete_endpoint(actor=root, endpoint_id=endpoint.id),
    )

    assert settled == "lost"
    assert not WebhookDelivery.objects.exists()


def test_who_does_not_want_to_wait_for_a_locked_session_is_told_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, process_id = make_account(), make_process()
    locked, free = make_session(ada), make_session(ada)
    join_sessions([request(room, process_id, ada) for room in (locked, free)])
    held, done = threading.Event(), threading.Event()

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
        with monkeypatch.context() as patch:  # the one statement that stores the other says so
            patch.delattr(messages, "_Posting")
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
