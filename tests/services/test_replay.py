"""Tests of `replay_session`: an evening leaves no difference, and each one that is planted is found."""

from __future__ import annotations

import io
import json
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from seance_project import databases
from sessions_app.inputs import UpdateSession
from sessions_app.management.base import Refused
from sessions_app.models import Event, Message, Session, SpiritTurn
from sessions_app.selectors import replay as replaying
from sessions_app.selectors.replay import replay, snapshot
from sessions_app.services.messages import delete_message
from sessions_app.services.sessions import end_session, update_session
from sessions_app.services.turns import cancel_question, fail
from tests.services.helpers import make_account, make_process, make_session, say, sit
from tests.services.turns.steps import reply, take

pytestmark = pytest.mark.django_db


def replayed(session: Session) -> Any:
    out = io.StringIO()
    try:
        call_command("replay_session", str(session.id), "--json", stdout=out)
    except Refused:
        pass
    return json.loads(out.getvalue())


@pytest.fixture
def evening() -> Session:
    """Six messages, of which one is deleted, an answer, a change, a cancelled, a failed and a withdrawn question."""
    ada, eve = make_account("Ada"), make_account("Eve")
    room, process_id = make_session(ada, spirit_mode="open", spirit_pace="instant"), make_process()
    for one in (ada, eve):
        sit(room, process_id, one)
    say(room, ada, "Who is there?")
    reply(take(room))
    say(room, ada, "Is it cold?")
    turn = take(room)
    fail(session_id=room.id, turn_id=turn.turn_id, attempt=turn.attempt, code="SPIRIT_ERROR")
    say(room, ada, "Where are you?")
    cancel_question(actor=ada, session_id=room.id, turn_id=SpiritTurn.objects.get(state="queued").id)
    say(room, eve, "What is your name?")
    delete_message(actor=ada, session_id=room.id, message_id=Message.objects.get(text="What is your name?").id)
    update_session(actor=ada, session_id=room.id, values=UpdateSession(name="Another name", is_locked=True))
    room.refresh_from_db()
    return room


def test_an_evening_comes_to_what_is_stored(evening: Session) -> None:
    before = replayed(evening)
    end_session(actor=evening.host, session_id=evening.id)
    delete_message(actor=evening.host, session_id=evening.id, message_id=Message.objects.get(text="Is it cold?").id)
    after = replayed(evening)

    assert before == {"messages": 5, "events": 5, "differences": []}
    assert after == {"messages": 5, "events": 7, "differences": []}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: Message.objects.filter(seq=1).delete(), "of the numbers up to 10 are missing: 1"),
        (lambda: Event.objects.filter(seq=10).delete(), "of the numbers up to 10 are missing: 10"),
        (lambda: Session.objects.update(last_seq=9), "there is more: 1"),
        (lambda: Event.objects.create(session=Session.objects.get(), seq=3, type="x", data={}), "3 is there twice"),
        (lambda: Message.objects.filter(seq=1).update(deleted_at=Session.objects.get().created_at), "not tell: 1"),
        (lambda: Message.objects.update(deleted_at=None), "deletes messages that are not deleted, at 8"),
        (lambda: Session.objects.update(name="Third"), "name is 'Third', and 'Another name' by the log"),
        (lambda: Session.objects.update(spirit_mode="off"), "spirit is "),
        (lambda: SpiritTurn.objects.filter(state="failed").update(state="answered"), "turn 2 is answered"),
        (lambda: SpiritTurn.objects.filter(state="answered").update(state="queued"), "turn 1 is queued"),
    ],
)  # fmt: skip
def test_a_difference_is_found_and_ends_with_one(evening: Session, fault: Any, said: str) -> None:
    fault()

    found = replayed(evening)

    assert any(said in line for line in found["differences"]), found
    with pytest.raises(Refused, match="differ"):
        call_command("replay_session", str(evening.id), stdout=io.StringIO())


def test_a_session_that_ended_without_a_word_is_found() -> None:
    room = make_session()
    Session.objects.update(is_active=False, ended_at=room.created_at)

    assert replay(room.id).differences == ["the session has ended, and the log says otherwise"]


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_what_is_written_meanwhile_is_not_seen_and_does_not_wait() -> None:
    room = make_session()

    def write() -> None:
        Session.objects.update(last_seq=7)
        connection.close()

    with snapshot():
        before = Session.objects.get(pk=room.id).last_seq
        writer = Thread(target=write)
        writer.start()
        writer.join(3)
        after = Session.objects.get(pk=room.id).last_seq
        was_done = not writer.is_alive()
    writer.join()

    assert (before, after, was_done) == (0, 0, True)
    assert Session.objects.get(pk=room.id).last_seq == 7


@pytest.mark.once
def test_a_snapshot_of_a_file_shuts_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own SQLite is in memory, where readers and writers share a cache; what runs is a file in WAL mode."""
    monkeypatch.setattr(replaying, "connection", reader := _file(tmp_path))
    writer = _file(tmp_path)
    writer.cursor().execute("CREATE TABLE t (n)")

    with snapshot(), reader.cursor() as cursor:
        before = cursor.execute("SELECT count(*) FROM t").fetchone()
        writer.cursor().execute("INSERT INTO t VALUES (1)")
        after = cursor.execute("SELECT count(*) FROM t").fetchone()
    then = reader.cursor().execute("SELECT count(*) FROM t").fetchone()
    for one in (reader, writer):
        one.close()

    assert (before, after, then) == ((0,), (0,), (1,))


def _file(folder: Path) -> BaseDatabaseWrapper:
    env = msgspec.structs.replace(settings.SEANCE, database_url=f"sqlite:///{folder}/file.sqlite3")
    found: BaseDatabaseWrapper = ConnectionHandler(databases.databases(env))["default"]
    found.inc_thread_sharing()
    return found
