"""Tests of scripts/check_migrations.py: each way to stop a house that is in use is planted, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now, Random

from scripts import check_migrations
from scripts.check_migrations import problems
from sessions_app import unlocked

pytestmark = pytest.mark.once
INDEX = models.Index(fields=["text"], name="planted")
CHECK = models.CheckConstraint(condition=models.Q(seq__gte=0), name="planted")


@pytest.fixture(scope="module")
def state() -> ProjectState:
    """The tables as they are."""
    return MigrationLoader(None).project_state()


def found(state: ProjectState, *operations: Operation, **attributes: Any) -> list[str]:
    """What is refused of a migration with these operations."""
    planted = type("Migration", (migrations.Migration,), {"operations": list(operations), **attributes})
    return [str(one) for one in problems(planted("9999_planted", "sessions_app"), state)]


def sql(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("ALTER TABLE messages DISABLE TRIGGER ALL")


def rows(apps: Any, _: Any) -> None:
    apps.get_model("sessions_app", "Session").objects.update(is_listed=False)


LONG = models.CharField(max_length=500)
REFUSED: dict[str, tuple[list[Operation], str]] = {
    "an index": ([migrations.AddIndex("message", INDEX)], "AddIndex message.planted: locks the table against writers"),
    "an index goes": ([migrations.RemoveIndex("message", "messages_deleted")], "locks the table"),
    "a check": ([migrations.AddConstraint("message", CHECK)], "looks at all rows"),
    "a unique constraint": (
        [migrations.AddConstraint("message", models.UniqueConstraint(fields=["text"], name="planted"))],
        "builds an index",
    ),
    "unique together": ([migrations.AlterUniqueTogether("message", {("text", "seq")})], "builds an index"),
    "a column without a default": ([migrations.AddField("message", "mood", LONG)], "writes rows without it"),
    "a column whose default is Django's": (
        [migrations.AddField("message", "mood", models.CharField(max_length=9, default="calm"))],
        "writes rows without it",
    ),
    "a column that differs from row to row": (
        [migrations.AddField("message", "luck", models.FloatField(db_default=Random()))],
        "whole table anew",
    ),
    "a generated column": (
        [migrations.AddField("message", "twice", models.GeneratedField(
            expression=models.F("seq") * 2, output_field=models.BigIntegerField(), db_persist=True))],
        "whole table anew",
    ),
    "a column with an index": (
        [migrations.AddField("message", "mood", models.CharField(max_length=9, null=True, db_index=True))],
        "builds an index",
    ),
    "a foreign key, which has an index": (
        [migrations.AddField("message", "room", models.ForeignKey("sessions_app.Session", models.CASCADE, null=True,
                                                                  related_name="+"))],
        "builds an index",
    ),
    "another type": ([migrations.AlterField("message", "seq", models.FloatField())], "whole table anew"),
    "a shorter text": (
        [migrations.AlterField("message", "text", models.CharField(max_length=400))], "whole table anew",
    ),
    "a longer text": (
        [migrations.AlterField("message", "text", models.CharField(max_length=600))], "fails once in each connection",
    ),
    "a text of any length": (
        [migrations.AlterField("message", "text", models.TextField())], "fails once in each connection",
    ),
    "null no more": (
        [migrations.AlterField("message", "user_name", models.CharField(max_length=50))], "looks at all rows",
    ),
    "a default no more": (
        [migrations.AlterField("session", "is_locked", models.BooleanField(default=False))], "keep db_default",
    ),
    "an index on a column that was there": (
        [migrations.AlterField("message", "text", models.CharField(max_length=500, db_index=True))], "builds an index",
    ),
    "another column": (
        [migrations.AlterField("message", "text", models.CharField(max_length=500, db_column="words"))], "old column",
    ),
    "a column goes": ([migrations.RemoveField("message", "user_name")], "RemoveField message.user_name: the running"),
    "a table goes": ([migrations.DeleteModel("Report")], "DeleteModel Report: the running release still reads it"),
    "a column gets another name": ([migrations.RenameField("message", "text", "words")], "knows the old name"),
    "a table gets another name": ([migrations.AlterModelTable("message", "words")], "knows the old name"),
    "hidden in a pair": (
        [migrations.SeparateDatabaseAndState(database_operations=[migrations.AddIndex("message", INDEX)])], "locks",
    ),
    "rows in the transaction of a change": (
        [migrations.AddField("message", "mood", models.CharField(max_length=9, null=True)),
         migrations.RunPython(rows)],
        "a migration of its own",
    ),
    "SQL in Python": ([migrations.RunPython(sql)], "cannot be read here"),
    "SQL": ([migrations.RunSQL("VACUUM FULL messages")], "cannot be read here"),
    "an index beside the writers in a transaction": ([unlocked.AddIndex("message", INDEX)], "atomic = False"),
    "a check that is looked at under its own lock": (
        [unlocked.AddConstraintNotValid("message", CHECK), unlocked.ValidateConstraint("message", "planted")],
        "the next migration",
    ),
}  # fmt: skip


@pytest.mark.parametrize("planted", REFUSED)
def test_it_refuses(planted: str, state: ProjectState) -> None:
    operations, said = REFUSED[planted]

    (problem,) = found(state, *operations)

    assert said in problem


@pytest.mark.parametrize(
    ("operations", "attributes"),
    [
        ([unlocked.AddIndex("message", INDEX)], {"atomic": False}),
        ([unlocked.RemoveIndex("message", "messages_deleted")], {"atomic": False}),
        ([unlocked.AddConstraintNotValid("message", CHECK)], {}),
        ([unlocked.ValidateConstraint("message", "messages_seq")], {}),
        ([migrations.AddField("message", "mood", models.CharField(max_length=9, null=True))], {}),
        ([migrations.AddField("message", "mood", models.CharField(max_length=9, default="", db_default=""))], {}),
        ([migrations.AddField("message", "at", models.DateTimeField(db_default=Now()))], {}),
        (
            [migrations.AlterField("message", "user_name", models.CharField(max_length=50, null=True, help_text="x"))],
            {},
        ),
        ([migrations.RunPython(rows)], {}),
        ([migrations.RemoveField("message", "user_name")], {"accepted": {"RemoveField message.user_name": "gone"}}),
        (
            [
                migrations.CreateModel("Mood", [("id", models.BigAutoField(primary_key=True)), ("text", LONG)]),
                migrations.AddIndex("mood", INDEX),
            ],
            {},
        ),
    ],
)
def test_it_lets_pass(operations: list[Operation], attributes: dict[str, Any], state: ProjectState) -> None:
    assert found(state, *operations, **attributes) == []


def test_a_reason_must_be_one_and_be_needed(state: ProjectState) -> None:
    gone = migrations.RemoveField("message", "user_name")

    assert found(state, gone, accepted={"RemoveField message.user_name": " "}) == [
        "RemoveField message.user_name: is accepted without a reason"
    ]
    assert found(state, accepted={"RemoveField message.text": "gone"}) == [
        "RemoveField message.text: is accepted, and nothing is wrong with it"
    ]


def test_half_of_a_migration_may_not_stay_behind(state: ProjectState) -> None:
    fields = [migrations.AddField("message", name, models.FloatField(null=True)) for name in ("one", "two")]

    assert found(state, *fields) == []
    assert len(found(state, *fields, atomic=False)) == 1


def test_what_is_shipped_after_the_baseline_passes_and_what_is_under_it_would_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_migrations.main() == 0
    monkeypatch.setattr(check_migrations, "BASELINE", 1)

    assert check_migrations.main() == 1
    assert "0009_days_and_acts: AddIndex message.messages_deleted: locks" in capsys.readouterr().err
