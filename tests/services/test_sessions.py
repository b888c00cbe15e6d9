"""Tests of sessions_app/services and selectors: sessions are opened, changed, ended, found and read."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest
from pytest_django import Settings
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import CreateSession, SpiritInput, UpdateSession, read
from sessions_app.models import Connection, Participant, Session, User
from sessions_app.selectors import history
from sessions_app.selectors.sessions import get_session, listed_sessions, participants, taken_seats, visible_session
from sessions_app.services.messages import delete_message
from sessions_app.services.sessions import create_session, end_session, get_session_history, update_session
from tests.services.helpers import (
    Told,
    body,
    hang_up,
    make_account,
    make_guest,
    make_session,
    say,
    sit,
    with_settings,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_account("Ada")


def refused(service: object, **values: object) -> SeanceError:
    with pytest.raises(SeanceError) as caught:
        service(**values)  # type: ignore[operator]
    return caught.value


# --- Opening ----------------------------------------------------------------------------------------------------------


def test_a_session_has_the_contract_s_defaults(ada: User) -> None:
    session, host, is_fresh = create_session(actor=ada, values=CreateSession(name="  An evening "))

    assert (host, is_fresh) == (ada, False)
    assert session.name == "An evening"
    assert (session.max_users, session.access, session.is_listed, session.is_active) == (6, "open", False, True)
    assert (session.host_id, session.participant_count, session.last_seq, session.ended_at) == (ada.id, 0, 0, None)
    assert (session.spirit.mode, session.spirit.pace) == ("open", "ritual")
    assert get_session(session.id, None) == session


def test_without_an_actor_a_fresh_guest_is_the_host() -> None:
    session, host, is_fresh = create_session(actor=None, values=CreateSession(name="An evening"))

    assert is_fresh
    assert (host.is_guest, host.name, session.host_id) == (True, "Anonymous", host.id)


def test_where_guests_are_not_wanted_opening_needs_an_actor(settings: Settings) -> None:
    settings.SEANCE = with_settings(allow_anonymous=False)

    error = refused(create_session, actor=None, values=CreateSession(name="An evening"))

    assert error.code == Code.UNAUTHORIZED
    assert not Session.objects.exists()


def test_every_wrong_field_is_named(ada: User, settings: Settings) -> None:
    settings.SEANCE = with_settings(max_users_limit=12)
    values = CreateSession(name=" \u200b", max_users=13, spirit=SpiritInput(persona="nobody-of-that-name"))

    error = refused(create_session, actor=ada, values=values)

    assert error.code == Code.VALIDATION_ERROR
    assert set(error.details) == {"name", "max_users", "spirit"}
    assert not Session.objects.exists()


@pytest.mark.parametrize("limit", [12, 1000])
def test_the_setting_is_the_upper_bound_of_the_seats(limit: int, ada: User, settings: Settings) -> None:
    settings.SEANCE = with_settings(max_users_limit=limit)

    session, _, _ = create_session(actor=ada, values=CreateSession(name="Many", max_users=limit))

    assert session.max_users == limit


@pytest.mark.parametrize(
    ("body_", "field"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"name": "x", "max_users": 1}, "max_users"),
        ({"name": "x", "max_users": "6"}, "max_users"),
        ({"name": "x", "max_users": 6.0}, "max_users"),
        ({"name": "x", "max_users": True}, "max_users"),
        ({"name": "x", "access": "secret"}, "access"),
        ({"name": "x", "is_listed": 1}, "is_listed"),
        ({"name": "x", "spirit": []}, "spirit"),
        ({"name": "x", "spirit": {"pace": "slow"}}, "spirit"),
        ([], "non_field_errors"),
        (None, "non_field_errors"),
        ("text", "non_field_errors"),
    ],
)
def test_types_are_strict(body_: object, field: str) -> None:
    error = refused(read, shape=CreateSession, body=body_)

    assert error.code == Code.VALIDATION_ERROR
    assert set(error.details) == {field}


# --- Changing ---------------------------------------------------------------------------------------------------------


def test_a_change_is_stored_and_told_as_it_is_then(ada: User, told: Told) -> None:
    room = make_session(ada)

    changed = update_session(
        actor=ada, session_id=room.id, values=UpdateSession(name="Midnight", spirit=SpiritInput(pace="brisk"))
    )

    announced = told.one("session_updated")
    assert announced.seq == 1
    assert body(announced).session == changed == get_session(room.id, ada)
    assert (changed.name, changed.spirit.pace, changed.spirit.mode, changed.last_seq) == ("Midnight", "brisk", "off", 1)


def test_a_change_of_nothing_is_not_told(ada: User, told: Told) -> None:
    room = make_session(ada, name="Same")

    changed = update_session(actor=ada, session_id=room.id, values=UpdateSession(name=" Same "))

    assert changed.last_seq == 0
    assert told.names() == []


def test_only_host_and_staff_change_and_end(ada: User) -> None:
    room = make_session(ada)
    bob, staff = make_account("Bob"), make_account("Staff", is_staff=True)
    values = UpdateSession(name="Mine now")

    assert refused(update_session, actor=bob, session_id=room.id, values=values).code == Code.FORBIDDEN
    assert refused(update_session, actor=None, session_id=room.id, values=values).code == Code.UNAUTHORIZED
    assert refused(end_session, actor=bob, session_id=room.id).code == Code.FORBIDDEN
    assert refused(end_session, actor=None, session_id=room.id).code == Code.UNAUTHORIZED
    assert update_session(actor=staff, session_id=room.id, values=values).name == "Mine now"
    assert not end_session(actor=staff, session_id=room.id).is_active


def test_what_one_may_not_know_of_one_cannot_change(ada: User) -> None:
    room = make_session(ada, access="invite")
    bob = make_account("Bob")

    assert refused(update_session, actor=bob, session_id=room.id, values=UpdateSession()).code == Code.SESSION_NOT_FOUND
    assert refused(end_session, actor=bob, session_id=room.id).code == Code.SESSION_NOT_FOUND
    assert refused(end_session, actor=ada, session_id=uuid7()).code == Code.SESSION_NOT_FOUND


def test_a_room_cannot_shrink_below_who_sits_in_it(ada: User, process_id: UUID) -> None:
    room = make_session(ada)
    for number in range(3):
        sit(room, process_id, secret=str(number))
    sit(room, process_id, secret="watcher", role="observer")

    error = refused(update_session, actor=ada, session_id=room.id, values=UpdateSession(max_users=2))

    assert set(error.details) == {"max_users"}
    assert update_session(actor=ada, session_id=room.id, values=UpdateSession(max_users=3)).max_users == 3


def test_an_ended_session_cannot_be_changed(ada: User) -> None:
    room = make_session(ada)
    end_session(actor=ada, session_id=room.id)

    assert refused(update_session, actor=ada, session_id=room.id, values=UpdateSession(name="x")).code == (
        Code.SESSION_ENDED
    )


# --- Ending -----------------------------------------------------------------------------------------------------------


def test_an_end_is_told_sends_everybody_away_and_empties_the_seats(ada: User, process_id: UUID, told: Told) -> None:
    room = make_session(ada)
    sit(room, process_id, ada)
    sit(room, process_id, secret="1")
    say(room, ada)
    told.commit()

    ended = end_session(actor=ada, session_id=room.id)

    announced = told.one("session_ended")
    assert announced.seq == ended.last_seq == 2
    assert body(announced).session == ended == get_session(room.id, ada)
    assert (ended.is_active, ended.participant_count) == (False, 0)
    assert ended.ended_at is not None
    assert not Participant.objects.filter(left_at=None).exists()
    assert set(Connection.objects.values_list("close_code", flat=True)) == {4505}


def test_ending_twice_is_the_same_as_once(ada: User, told: Told) -> None:
    room = make_session(ada)
    first = end_session(actor=ada, session_id=room.id)
    told.commit()

    assert end_session(actor=ada, session_id=room.id) == first
    assert told.names() == []


def test_sockets_that_close_after_the_end_are_no_leaves(ada: User, process_id: UUID, told: Told) -> None:
    room = make_session(ada)
    sit(room, process_id, ada)
    end_session(actor=ada, session_id=room.id)
    told.commit()

    hang_up(room, ada)

    assert told.names() == []


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_history_comes_in_pages_from_both_ends(ada: User) -> None:
    room = make_session(ada)
    for number in range(1, 8):
        say(room, ada, f"{number}")

    def page(**cursor: int) -> tuple[list[int], bool]:
        found, has_more = history.messages(room.id, limit=3, **cursor)
        return [message.seq for message in found], has_more

    assert page() == ([5, 6, 7], True)
    assert page(before_seq=5) == ([2, 3, 4], True)
    assert page(before_seq=4) == ([1, 2, 3], False)
    assert page(after_seq=0) == ([1, 2, 3], True)
    assert page(after_seq=4) == ([5, 6, 7], False)
    assert page(after_seq=7) == ([], False)
    assert page(after_seq=1, before_seq=4) == ([2, 3], False)


def test_history_of_a_hidden_session_is_nobody_s_business(ada: User) -> None:
    room = make_session(ada, access="invite")
    say(room, ada)

    assert refused(get_session_history, actor=None, session_id=room.id, limit=5).code == Code.SESSION_NOT_FOUND
    found, has_more, row = get_session_history(actor=ada, session_id=room.id, limit=5)
    assert (len(found), has_more, row.last_seq, row.epoch) == (1, False, 1, room.epoch)


def test_replay_history_and_live_say_the_same(ada: User, told: Told) -> None:
    room = make_session(ada)
    kept, gone = say(room, ada, "kept"), say(room, ada, "gone")
    delete_message(actor=ada, session_id=room.id, message_id=gone.message.id)
    update_session(actor=ada, session_id=room.id, values=UpdateSession(name="Renamed"))
    end_session(actor=ada, session_id=room.id)
    live = {notice.seq: notice.text for notice in told.commit() if notice.seq}

    replay = history.entries(room.id, after_seq=0, upto_seq=5)

    assert [entry.seq for entry in replay] == [1, 3, 4, 5]
    for entry in replay:
        assert msgspec.json.decode(entry.text) == msgspec.json.decode(live[entry.seq])
    assert history.messages(room.id, limit=5)[0] == [kept.message]
    assert [entry.seq for entry in history.entries(room.id, after_seq=1, upto_seq=4)] == [3, 4]
    assert history.last_seq(room.id) == 5
    assert history.last_seq(uuid7()) == 0


def test_recent_is_by_session(ada: User) -> None:
    rooms = [make_session(ada), make_session(ada)]
    for room in rooms:
        say(room, ada, room.name)

    found = history.recent([room.id for room in rooms], 5)()

    assert {key: [message.session_id for message in value] for key, value in found.items()} == {
        room.id: [room.id] for room in rooms
    }


def test_recent_looks_past_what_is_no_message_any_more(ada: User) -> None:
    silent, long, short = make_session(ada), make_session(ada), make_session(ada)
    kept = [say(long, ada, f"word {number}").message.seq for number in range(3)]
    for room in (long, silent):
        for gone in [say(room, ada, "gone") for _ in range(3)]:
            delete_message(actor=ada, session_id=room.id, message_id=gone.message.id)
    said = say(short, ada, "only this").message.seq

    found = history.recent([silent.id, long.id, short.id], 3)()

    assert {key: [message.seq for message in value] for key, value in found.items()} == {
        silent.id: [],
        long.id: kept,
        short.id: [said],
    }


def test_participants_are_who_is_and_was_there(process_id: UUID) -> None:
    room, gone = make_session(), make_account("Gone")
    sit(room, process_id, gone)
    hang_up(room, gone)
    sit(room, process_id, name="Here")
    sit(room, process_id, name="Watcher", role="observer")

    found = participants(room.id)

    assert [(person.name, person.is_present, person.left_at is None) for person in found] == [
        ("Gone", False, False), ("Here", True, True), ("Watcher", True, True),
    ]  # fmt: skip
    assert all(isinstance(person, events.ParticipantData) for person in found)


def test_the_count_is_of_seats_wherever_it_is_told(process_id: UUID, ada: User) -> None:
    room, empty = make_session(ada), make_session(ada)
    gone = make_account("Gone")
    sit(room, process_id, gone)
    hang_up(room, gone)
    for number in range(2):
        sit(room, process_id, secret=str(number))
    sit(room, process_id, secret="watcher", role="observer")

    rows = {row.id: row.taken for row in listed_sessions(ada)}  # type: ignore[attr-defined]

    assert rows == {room.id: 2, empty.id: 0}
    assert taken_seats(room.id) == get_session(room.id, ada).participant_count == 2


def test_the_list_shows_to_each_what_each_may_see(process_id: UUID) -> None:
    ada, guest, staff = make_account("Ada"), make_guest(), make_account("Staff", is_staff=True)
    names = {
        "listed": make_session(is_listed=True),
        "listed members": make_session(is_listed=True, access="members"),
        "listed invite": make_session(is_listed=True, access="invite"),
        "unlisted": make_session(),
        "own": make_session(ada, access="invite"),
        "took part": make_session(),
        "kicked": make_session(),
    }
    for name in ("took part", "kicked"):
        sit(names[name], process_id, ada)
    Participant.objects.filter(session=names["kicked"]).update(kicked_at=names["kicked"].created_at)

    def seen(user: User | None) -> set[str]:
        ids = [row.id for row in listed_sessions(user)]
        assert len(ids) == len(set(ids))
        return {name for name, row in names.items() if row.id in ids}

    assert seen(None) == {"listed"}
    assert seen(guest) == {"listed"}
    assert seen(ada) == {"listed", "listed members", "own", "took part"}
    assert seen(staff) == set(names)


def test_who_may_know_of_a_session(process_id: UUID) -> None:
    host, member, guest, staff = make_account(), make_account(), make_guest(), make_account(is_staff=True)
    sitter = make_guest()
    rooms = {access: make_session(host, access=access) for access in ("open", "members", "invite")}
    for room in rooms.values():
        Participant.objects.create(session=room, user=sitter, name="Sitter")
    people = {"nobody": None, "guest": guest, "member": member, "sitter": sitter, "host": host, "staff": staff}

    def answer(room: Session, user: User | None) -> str:
        try:
            return "" if visible_session(room.id, user) == room else "another"
        except SeanceError as error:
            return error.code

    told = {access: {name: answer(room, user) for name, user in people.items()} for access, room in rooms.items()}

    hidden = "SESSION_NOT_FOUND"
    fine = dict.fromkeys(people, "")
    assert told["open"] == fine
    assert told["members"] == fine | {"nobody": "UNAUTHORIZED", "guest": "FORBIDDEN"}
    assert told["invite"] == fine | {"nobody": hidden, "guest": hidden, "member": hidden}


def test_who_was_kicked_out_of_a_hidden_session_does_not_see_it_any_more(process_id: UUID) -> None:
    room, eve = make_session(access="invite"), make_account()
    Participant.objects.create(session=room, user=eve, name="Eve", kicked_at=room.created_at)

    assert refused(visible_session, session_id=room.id, user=eve).code == Code.SESSION_NOT_FOUND
