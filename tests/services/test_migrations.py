"""Tests of sessions_app/migrations: tables go back, and come again, with rows in them."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread, Timer

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.migrations import AddIndex
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import pre_migrate
from django.utils import timezone

from seance_project.management.commands import migrate
from sessions_app import fitness, unlocked
from sessions_app.models import (
    AuditEntry,
    Identity,
    OneTimeToken,
    Participant,
    PersonaVersion,
    Report,
    Session,
    SpiritTurn,
    TurnState,
    WebhookEndpoint,
)
from sessions_app.services.bans import ban
from sessions_app.services.messages import Draft, post_messages
from sessions_app.services.webhooks import endpoints
from sessions_app.spirits.personas import bundled
from tests.harness.processes import ROOT, clean_environment
from tests.harness.server import DEFAULTS
from tests.harness.services import Databases
from tests.services.helpers import make_account, make_guest, make_process, make_session, sit


@pytest.mark.django_db(transaction=True)
def test_tables_go_back_and_come_again_with_rows_in_them() -> None:
    people = [make_account(name) for name in ("Ada", "Bob", "Eve")]
    room, process_id = make_session(people[0], spirit_mode="open"), make_process()
    for one in (*people, make_guest("\u0410da")):
        sit(room, process_id, one)
    post_messages([Draft(room.id, one.id, f"Question {number // 2}?") for number, one in enumerate(people)])
    assert TurnState.MERGED in SpiritTurn.objects.values_list("state", flat=True)
    Session.objects.update(is_locked=True)
    ban(actor=make_account("Staff", is_staff=True), user_id=make_account("Mallory").id)
    acts = AuditEntry.objects.count()
    OneTimeToken.objects.create(kind="password", digest=b"x", user=people[0], expires_at=timezone.now())
    Identity.objects.create(provider="x", subject="1", user=people[0])
    Report.objects.create(session=room, reporter=people[0], reason="spam", created_at=timezone.now())
    endpoints.create_endpoint(actor=make_account(is_superuser=True), name="x", url="https://a.example.org", kinds=["*"])

    call_command("migrate", "sessions_app", "0002", verbosity=0)
    call_command("migrate", verbosity=0)

    turns = SpiritTurn.objects.order_by("number").values_list("state", flat=True)
    assert list(turns) == ["queued", "withdrawn", "queued"]
    assert PersonaVersion.objects.count() == len(bundled())
    assert AuditEntry.objects.filter(act="ban").count() == acts
    assert Participant.objects.filter(session=room, looks_like=None).count() == 4
    assert not Session.objects.get().is_locked
    assert not any(model.objects.exists() for model in (Report, Identity, OneTimeToken, WebhookEndpoint))


@pytest.mark.services
@pytest.mark.django_db
def test_a_migration_may_take_long_and_waits_for_no_lock() -> None:
    had: list[tuple[str, str]] = []

    def look(**_: object) -> None:
        had.append((shown("statement_timeout"), shown("lock_timeout")))

    pre_migrate.connect(look)
    call_command("migrate", verbosity=0)
    pre_migrate.disconnect(look)

    assert set(had) == {("0", "2s")}
    assert shown("statement_timeout") == "10s"


@pytest.mark.services
def test_a_migration_that_waits_for_a_lock_lets_others_pass_and_is_tried_again(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.on_shared_postgres()
    env = clean_environment(**DEFAULTS, VAR_DIR=str(tmp_path), DATABASE_URL=url)
    waits: list[float] = []
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as reader:
        holder.execute("SELECT count(*) FROM server_processes")  # in a transaction that stays open
        command = [sys.executable, "manage.py", "migrate", "sessions_app", "0009"]
        migrating = subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        until = time.monotonic() + 12
        while time.monotonic() < until and migrating.poll() is None:
            began = time.monotonic()
            reader.execute("SELECT count(*) FROM server_processes")
            waits.append(time.monotonic() - began)
            time.sleep(0.01)
        still = reader.execute("SELECT to_regclass('streams')").fetchone()
        holder.rollback()
    _, said = migrating.communicate(timeout=60)

    assert migrating.returncode == 0, said
    assert b"A table is held by others: tried again" in said
    assert still != (None,), "while somebody holds the table nothing is done"
    assert 1 < max(waits) < 3.5, "its lock_timeout is what others wait, and not as long as the holder likes"
    with psycopg.connect(url) as link:
        assert link.execute("SELECT to_regclass('streams')").fetchone() == (None,)
    databases.drop(url)


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_one_that_gets_no_lock_at_all_gives_up_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "TRIES", 2)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", (0.0, 0.0))
    with another() as holder:
        holder.execute("SELECT count(*) FROM server_processes")

        with pytest.raises(CommandError, match=r"held by others, 2 times in a row.*migrate again\.$"):
            call_command("migrate", "sessions_app", "0009", verbosity=0, stderr=io.StringIO())

    assert "streams" in connection.introspection.table_names()
    assert shown("statement_timeout") == "10s"
    assert fitness.lacking(), "what was whole has gone back"
    call_command("migrate", verbosity=0)  # others have this database after us
    assert fitness.lacking() == 0


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_unlocked", [True, False])
def test_an_index_is_built_beside_writers_and_one_that_was_cut_off_is_built_anew(is_unlocked: bool) -> None:
    index = models.Index(fields=["text"], name="planted")
    operation = (unlocked.AddIndex if is_unlocked else AddIndex)("message", index)
    room = make_session(make_account("Ada"))
    state = MigrationLoader(connection).project_state()
    waited: list[float] = []

    def write() -> None:
        time.sleep(1)
        with another() as link:
            began = time.monotonic()
            link.execute(
                "INSERT INTO messages (id, session_id, seq, text, timestamp, is_spirit, off_record)"
                " VALUES (gen_random_uuid(), %s, 1, 'x', now(), false, false)",
                [room.id],
            )
            link.commit()
            waited.append(time.monotonic() - began)

    def build() -> None:
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("sessions_app", editor, state, state)

    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '20s'")
    with another() as holder:
        holder.execute("UPDATE messages SET text = text")  # an old writer, for whom every build waits
        threads = [Thread(target=write), Timer(4, holder.commit)]
        for one in threads:
            one.start()
        build()
        for one in threads:
            one.join()
    assert (waited[0] < 1) is is_unlocked, waited
    if is_unlocked:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'planted'::regclass")
        build()
        with connection.cursor() as cursor:
            cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'planted'::regclass")
            assert cursor.fetchone() == (True,)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX planted")
        cursor.execute("SET lock_timeout = '2s'")


@pytest.mark.django_db(transaction=True)
def test_what_is_done_without_locks_is_done_on_both_databases_and_undone() -> None:
    index = models.Index(fields=["text"], name="planted")
    check = models.CheckConstraint(condition=models.Q(seq__gte=0), name="planted_check")
    before = MigrationLoader(connection).project_state()
    steps = [
        unlocked.AddIndex("message", index), unlocked.RemoveIndex("message", "planted"),
        unlocked.AddConstraintNotValid("message", check), unlocked.ValidateConstraint("message", "planted_check"),
    ]  # fmt: skip
    states = [before]
    for step in steps:
        after = states[-1].clone()
        step.state_forwards("sessions_app", after)
        states.append(after)

    seen = []
    for old, step, new in zip(states, steps, states[1:], strict=False):
        with connection.schema_editor(atomic=not isinstance(step, unlocked.ALONE)) as editor:
            step.database_forwards("sessions_app", editor, old, new)
        seen.append({"planted", "planted_check"} & set(constraints()))
    for old, step, new in reversed(list(zip(states, steps, states[1:], strict=False))):
        with connection.schema_editor(atomic=not isinstance(step, unlocked.ALONE)) as editor:
            step.database_backwards("sessions_app", editor, new, old)

    assert seen == [{"planted"}, set(), {"planted_check"}, {"planted_check"}]
    assert not {"planted", "planted_check"} & set(constraints())


def constraints() -> dict[str, object]:
    """Indexes and constraints of the messages."""
    with connection.cursor() as cursor:
        return dict(connection.introspection.get_constraints(cursor, "messages"))


def another() -> psycopg.Connection:
    """A connection beside Django's, to the same database; its transaction is open until its end."""
    given = connection.settings_dict
    return psycopg.connect(
        host=given["HOST"], port=given["PORT"] or 5432, user=given["USER"], password=given["PASSWORD"],
        dbname=given["NAME"],
    )  # fmt: skip


def shown(name: str) -> str:
    """A setting of the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])
