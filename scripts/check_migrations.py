"""Would a migration make people wait, or break the release that runs beside it? Part of `make check`.

It reads operations, not SQL: what breaks the running release is not in the SQL, and it needs no database. A migration
may say why something is right all the same: `accepted = {"RemoveField message.old": "not read since 1.3"}`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")

import django  # noqa: E402
from django.db import migrations, models  # noqa: E402
from django.db.backends.postgresql.base import DatabaseWrapper  # noqa: E402
from django.db.migrations.loader import MigrationLoader  # noqa: E402
from django.db.migrations.operations.base import Operation  # noqa: E402
from django.db.migrations.operations.models import AlterTogetherOptionOperation  # noqa: E402
from django.db.migrations.state import ProjectState  # noqa: E402
from django.db.models.expressions import Value  # noqa: E402
from django.db.models.fields import NOT_PROVIDED  # noqa: E402
from django.db.models.functions import Now  # noqa: E402

django.setup()

from sessions_app import unlocked  # noqa: E402

APP = "sessions_app"
# Those up to here made the tables of the first release: nobody has rows under them, and no older release runs beside.
BASELINE = 10
POSTGRESQL = DatabaseWrapper({"ENGINE": "django.db.backends.postgresql", "NAME": "", "OPTIONS": {}}, "never")


class Problem(NamedTuple):
    """What an operation does to people; `what` is its key in `accepted`."""

    what: str
    said: str

    def __str__(self) -> str:
        return f"{self.what}: {self.said}"


def problems(migration: migrations.Migration, before: ProjectState) -> list[Problem]:
    """What is wrong with a migration that is applied to this state, the accepted left out."""
    accepted: dict[str, str] = getattr(migration, "accepted", {})
    found = [*_of_the_whole(migration), *_of_operations(migration.operations, before.clone(), set())]
    wrong = [one for one in found if one.what not in accepted]
    unused = set(accepted) - {one.what for one in found}
    wrong += [Problem(what, "is accepted, and nothing is wrong with it") for what in sorted(unused)]
    wrong += [Problem(what, "is accepted without a reason") for what, why in accepted.items() if not why.strip()]
    return wrong


def _of_the_whole(migration: migrations.Migration) -> Iterator[Problem]:
    operations = migration.operations
    runs = [one for one in operations if isinstance(one, migrations.RunPython | migrations.RunSQL)]
    if runs and len(operations) > len(runs):
        yield Problem(name_of(runs[0]), "holds the locks of the other operations while it runs: a migration of its own")
    alone = [one for one in operations if isinstance(one, unlocked.ALONE)]
    if alone and (migration.atomic or len(operations) > 1):
        yield Problem(name_of(alone[0]), "must be alone in its migration, which has atomic = False")
    if not migration.atomic and not alone and len(operations) > 1:
        yield Problem("atomic", "without a transaction half of it may stay behind: one operation, or a transaction")
    added = {one.constraint.name for one in operations if isinstance(one, migrations.AddConstraint)}
    for one in operations:
        if isinstance(one, unlocked.ValidateConstraint) and one.name in added:
            yield Problem(
                name_of(one), "looks at all rows while the lock of ADD CONSTRAINT is held: the next migration"
            )


def _of_operations(operations: Sequence[Operation], state: ProjectState, new: set[str]) -> Iterator[Problem]:
    """`new` are tables that this migration made: nobody uses them yet."""
    for one in operations:
        after = state.clone()
        one.state_forwards(APP, after)
        if isinstance(one, migrations.CreateModel):
            new.add(one.name_lower)
        elif isinstance(one, migrations.SeparateDatabaseAndState):
            yield from _of_operations(one.database_operations, state.clone(), new)
        elif getattr(one, "model_name", getattr(one, "name", "")).lower() not in new:
            said = _said(one, state, after)
            if said:
                yield Problem(name_of(one), said)
        state = after


def _said(one: Operation, before: ProjectState, after: ProjectState) -> str:
    match one:
        case unlocked.AddIndex() | unlocked.RemoveIndex() | unlocked.AddConstraintNotValid():
            return ""
        case migrations.AddIndex() | migrations.RemoveIndex():
            return "locks the table against writers while it works: unlocked.AddIndex or unlocked.RemoveIndex"
        case migrations.AddConstraint() if isinstance(one.constraint, models.CheckConstraint):
            return "looks at all rows while nobody reads or writes: unlocked.AddConstraintNotValid, then validate it"
        case migrations.AddConstraint():
            return "builds an index while nobody writes: CREATE UNIQUE INDEX CONCURRENTLY, see CONTRIBUTING.md"
        case migrations.AddField():
            return _of_new_field(one.field)
        case migrations.AlterField():
            model = one.model_name_lower
            return _of_changed_field(before.models[APP, model].fields[one.name], one.field)
        case migrations.RemoveField() | migrations.DeleteModel():
            return "the running release still reads it: first a release that does not, then this"
        case migrations.RenameField() | migrations.RenameModel() | migrations.AlterModelTable():
            return "the running release knows the old name alone: db_column or db_table keeps it; or add, copy, remove"
        case AlterTogetherOptionOperation():
            return "builds an index while nobody writes: unlocked.AddIndex"
        case migrations.RunPython() if "execute" in getattr(one.code, "__code__").co_names:  # noqa: B009  any callable
            return "runs SQL, which cannot be read here: say in accepted what it locks, and for how long"
        case migrations.RunSQL():
            return "cannot be read here: say in accepted what it locks, and for how long"
    return ""


def _of_new_field(field: Any) -> str:
    if isinstance(field, models.GeneratedField):
        return "writes the whole table anew while nobody reads: a column that is filled in steps"
    if field.many_to_many:
        return ""
    default = getattr(field, "db_default", NOT_PROVIDED)
    if not field.null and default is NOT_PROVIDED:
        return "the running release writes rows without it: null=True, or db_default"
    if not isinstance(default, Value | Now) and hasattr(default, "resolve_expression"):
        return "a db_default that differs from row to row writes the whole table anew: null=True, then fill it"
    return _of_its_index(field)


def _of_its_index(field: Any) -> str:
    if field.unique or field.db_index:
        return "builds an index while nobody writes: without it, then unlocked.AddIndex"
    return ""


def _of_changed_field(old: Any, new: Any) -> str:
    if (old.db_column or "") != (new.db_column or ""):
        return "the running release knows the old column alone"
    if type_of(old) != type_of(new):
        if _is_wider(old, new):
            return "each statement prepared with it fails once in each connection: say in accepted that this is meant"
        return "writes the whole table anew while nobody reads: a new column, filled in steps"
    if old.null and not new.null:
        return "looks at all rows while nobody reads or writes, and the running release may write none: a check first"
    if getattr(old, "db_default", NOT_PROVIDED) is not NOT_PROVIDED and new.db_default is NOT_PROVIDED and not new.null:
        return "the running release may write rows without it: keep db_default"
    if (new.unique and not old.unique) or (new.db_index and not old.db_index):
        return _of_its_index(new)
    if new.remote_field and getattr(new, "db_constraint", False) and not getattr(old, "db_constraint", False):
        return "looks at all rows of two tables while nobody writes"
    return ""


def type_of(field: Any) -> str:
    """The type of its column on PostgreSQL; a foreign key is not looked through."""
    return str(field.get_internal_type() if field.remote_field else field.db_type(POSTGRESQL))


def _is_wider(old: Any, new: Any) -> bool:
    """Text that may be longer stays as it is stored."""
    if not type_of(old).startswith("varchar"):
        return False
    if type_of(new) == "text" or type_of(new) == "varchar":
        return True
    return type_of(new).startswith("varchar") and old.max_length is not None and new.max_length >= old.max_length


def name_of(one: Operation) -> str:
    """What an operation is called in `accepted`."""
    names = [getattr(one, "model_name", ""), getattr(one, "name", "") or ""]
    for part in ("index", "constraint"):
        if hasattr(one, part):
            names[1] = getattr(one, part).name
    return f"{type(one).__name__} {'.'.join(name for name in names if name)}".strip()


def main() -> int:
    """1 where something is wrong; each problem is a line on standard error."""
    loader = MigrationLoader(None)
    wrong = 0
    for app, name in sorted(loader.disk_migrations):
        if app == APP and int(name[:4]) > BASELINE:
            migration = loader.disk_migrations[app, name]
            before = loader.project_state(migration.dependencies)
            for problem in problems(migration, before):
                wrong += 1
                print(f"{name}: {problem}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
