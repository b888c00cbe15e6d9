"""Tests of sessions_app/services: people tell staff, staff close what they were told."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from sessions_app.errors import SeanceError
from sessions_app.inputs import NewReport
from sessions_app.models import AuditEntry, Participant, Report, Session, User
from sessions_app.services.messages import delete_message
from sessions_app.services.reports import close_report, report
from sessions_app.services.sessions import end_session
from tests.services.helpers import make_account, make_guest, make_session, say, sit

pytestmark = pytest.mark.django_db


@pytest.fixture
def eve(process_id: UUID) -> Participant:
    """Somebody who sits in a session and has said something."""
    room, guest = make_session(make_account("Host")), make_guest("Eve")
    sit(room, process_id, guest)
    say(room, guest, "Buy now")
    return Participant.objects.get(user=guest)


def made(actor: User | None, room: Session, **values: Any) -> Any:
    return report(actor=actor, session_id=room.id, values=NewReport(**{"reason": "spam", **values}))


def refused(act: Any, *args: Any, **values: Any) -> str:
    with pytest.raises(SeanceError) as caught:
        act(*args, **values)
    return str(caught.value.code)


def test_a_message_is_reported_with_whoever_said_it(eve: Participant) -> None:
    message = eve.session.messages.get()

    found = made(make_guest(), eve.session, message_id=message.id, note=" again ")

    assert found.is_new
    assert (found.row.message, found.row.participant, found.row.note, found.row.state) == (
        message,
        eve,
        "again",
        "open",
    )


def test_the_same_twice_is_once_until_it_is_closed(eve: Participant) -> None:
    guest, staff = make_guest(), make_account("Sol", is_staff=True)

    first = made(guest, eve.session, participant_id=eve.id)
    again = made(guest, eve.session, participant_id=eve.id, reason="hate")
    close_report(actor=staff, report_id=first.row.id, state="acted")
    later = made(guest, eve.session, participant_id=eve.id)

    assert (first.row, again.is_new, later.is_new) == (again.row, False, True)
    assert Report.objects.count() == 2


def test_what_may_be_reported_by_whom(eve: Participant, process_id: UUID) -> None:
    guest, room = make_guest(), eve.session
    elsewhere, secret = make_session(), make_session(access="invite")
    sit(elsewhere, process_id, guest)
    stranger = Participant.objects.get(session=elsewhere)

    assert refused(made, None, room, participant_id=eve.id) == "UNAUTHORIZED"
    assert refused(made, eve.user, room, participant_id=eve.id) == "FORBIDDEN"
    assert refused(made, guest, room) == "VALIDATION_ERROR"
    assert refused(made, guest, room, participant_id=eve.id, note="x" * 501) == "VALIDATION_ERROR"
    assert refused(made, guest, room, participant_id=eve.id, note="x\x00") == "VALIDATION_ERROR"
    assert refused(made, guest, room, participant_id=stranger.id) == "NOT_FOUND"
    assert refused(made, guest, room, message_id=uuid4()) == "NOT_FOUND"
    assert refused(made, guest, secret, participant_id=eve.id) == "SESSION_NOT_FOUND"
    assert Report.objects.count() == 0


def test_after_the_end_and_a_deletion_staff_still_see_what_was_said(eve: Participant) -> None:
    room, message = eve.session, eve.session.messages.get()
    delete_message(actor=room.host, session_id=room.id, message_id=message.id)
    end_session(actor=room.host, session_id=room.id)

    found = made(make_guest(), room, message_id=message.id)

    assert found.row.message.text == "Buy now"


def test_a_report_is_closed_once_by_staff_and_written_down(eve: Participant) -> None:
    staff, guest = make_account("Sol", is_staff=True), make_guest()
    row = made(guest, eve.session, participant_id=eve.id, note="a secret word").row

    assert refused(close_report, actor=None, report_id=row.id, state="acted") == "UNAUTHORIZED"
    assert refused(close_report, actor=guest, report_id=row.id, state="acted") == "FORBIDDEN"
    assert refused(close_report, actor=staff, report_id=uuid4(), state="acted") == "NOT_FOUND"
    closed = close_report(actor=staff, report_id=row.id, state="dismissed")
    again = close_report(actor=staff, report_id=row.id, state="acted")

    assert (closed.state, again.state, closed.closed_by) == ("dismissed", "dismissed", staff)
    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.target, entry.details) == (
        "close_report", staff.id, row.id, {"state": "dismissed"},
    )  # fmt: skip
