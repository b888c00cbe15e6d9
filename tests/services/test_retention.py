"""Tests of sessions_app/services: what ended long ago goes, once it is counted; what tells of deeds stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError

from sessions_app import events
from sessions_app.models import (
    Answer,
    AuditEntry,
    DayRollup,
    Event,
    Message,
    Participant,
    Report,
    Session,
    SessionRollup,
    SpiritTurn,
    User,
)
from sessions_app.services import retention
from sessions_app.services.rollup import rollup
from sessions_app.services.sessions import delete_session, end_session
from tests.commands.test_commands import run, run_json
from tests.services.helpers import make_account, make_process, make_session, say, sit, with_settings
from tests.services.turns.steps import reply, take

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended() -> Session:
    """A session with a question, its answer and an end, ten days ago."""
    ada = make_account("Ada")
    room = make_session(ada, spirit_mode="open", spirit_pace="instant")
    sit(room, make_process(), ada)
    say(room, ada)
    reply(take(room))
    end_session(actor=ada, session_id=room.id)
    Session.objects.filter(pk=room.id).update(ended_at=events.now() - timedelta(days=10))
    return room


def test_nothing_goes_before_somebody_says_yes(ended: Session) -> None:
    told = run_json("purge", "--older-than", "9")

    assert (told["sessions"], told["messages"], told["is_done"]) == (1, 2, False)
    assert Session.objects.filter(pk=ended.id).exists()
    assert "would go" in run("purge", "--older-than", "9")


def test_what_is_due_goes_with_all_that_hangs_on_it_and_what_was_counted_stays(
    ended: Session, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = make_session(name="Goes on")
    settings.SEANCE = with_settings(retention_days=9)
    monkeypatch.setattr(retention, "CHUNK", 1)
    rollup()
    days = list(DayRollup.objects.order_by("day").values("day", "messages"))

    told = run_json("purge", "--yes")
    rollup(since=events.now().date() - timedelta(days=20))

    assert (told["sessions"], told["messages"], told["is_done"]) == (1, 2, True)
    assert list(Session.objects.all()) == [open_]
    for model in (Message, Event, Answer, SpiritTurn, Participant):
        assert not model.objects.exists()
    assert list(DayRollup.objects.order_by("day").values("day", "messages")) == days
    assert SessionRollup.objects.get(pk=ended.id).messages == 1
    assert [entry.act for entry in AuditEntry.objects.filter(session=ended.id)] == ["end_session", "delete_session"]
    assert AuditEntry.objects.get(act="delete_session").details == {"messages": 2, "by": "operator"}
    assert User.objects.filter(name="Ada").exists()


def test_a_younger_one_stays_and_so_does_one_that_is_reported(ended: Session) -> None:
    Report.objects.create(session=ended, reason="spam", created_at=events.now())

    reported = run_json("purge", "--older-than", "9", "--yes")
    Report.objects.update(state="dismissed", closed_at=events.now())
    younger = run_json("purge", "--older-than", "11", "--yes")
    closed = run_json("purge", "--older-than", "9", "--yes")

    assert (reported["sessions"], younger["sessions"], closed["sessions"]) == (0, 0, 1)


def test_what_was_not_counted_is_counted_before_it_goes(ended: Session) -> None:
    before = SessionRollup.objects.count()

    run_json("purge", "--older-than", "9", "--yes")
    rollup()

    assert before == 0
    assert SessionRollup.objects.get(pk=ended.id).messages == 1
    assert [one.messages for one in DayRollup.objects.filter(messages__gt=0)] == [1]


def test_an_admin_deletes_by_the_same_way(ended: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 1)
    staff = make_account("Staff", is_staff=True)

    delete_session(actor=staff, session_id=ended.id)

    assert not Message.objects.exists()
    assert SessionRollup.objects.get(pk=ended.id).messages == 1
    entry = AuditEntry.objects.get(act="delete_session")
    assert (entry.actor, entry.session, entry.details) == (staff.id, ended.id, {"messages": 2})


def test_without_a_retention_nothing_is_due() -> None:
    with pytest.raises(CommandError, match="RETENTION_DAYS is 0") as wrong:
        run("purge", "--yes")

    assert wrong.value.returncode == 2
