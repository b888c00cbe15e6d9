"""sessions_app, nouns: what migrations do to tables in use without anybody waiting; on SQLite, too.

Django's own for PostgreSQL do not run on SQLite, and an index that was cut off half-way stands in their way for ever.
Those of indexes need `atomic = False`, and are alone in their migration. `scripts/check_migrations.py` asks for them.
"""

from typing import Any

from django.contrib.postgres import operations as postgresql
from django.db.migrations import AddConstraint
from django.db.migrations.operations.base import Operation


class _AnyWait:
    """CREATE and DROP INDEX CONCURRENTLY wait for old transactions, during which nobody waits for them."""

    def __init__(self, schema_editor: Any) -> None:
        self._editor = schema_editor

    def __enter__(self) -> None:
        self._editor.execute("SET lock_timeout = 0")

    def __exit__(self, *_: object) -> None:
        self._editor.execute("RESET lock_timeout")


def _is_postgresql(schema_editor: Any) -> bool:
    return bool(schema_editor.connection.vendor == "postgresql")


class AddIndex(postgresql.AddIndexConcurrently):
    """Build an index beside the writers."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """What a former try left behind is not valid, and goes first."""
        if not _is_postgresql(schema_editor):
            schema_editor.add_index(to_state.apps.get_model(app_label, self.model_name), self.index)
            return
        self._ensure_not_in_transaction(schema_editor)
        with _AnyWait(schema_editor):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop it again."""
        if not _is_postgresql(schema_editor):
            schema_editor.remove_index(from_state.apps.get_model(app_label, self.model_name), self.index)
            return
        with _AnyWait(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class RemoveIndex(postgresql.RemoveIndexConcurrently):
    """Drop an index without anybody waiting for those who use it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop it."""
        if not _is_postgresql(schema_editor):
            super(postgresql.RemoveIndexConcurrently, self).database_forwards(
                app_label, schema_editor, from_state, to_state
            )
            return
        with _AnyWait(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Build it again."""
        if not _is_postgresql(schema_editor):
            super(postgresql.RemoveIndexConcurrently, self).database_backwards(
                app_label, schema_editor, from_state, to_state
            )
            return
        with _AnyWait(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddConstraintNotValid(postgresql.AddConstraintNotValid):
    """A check for new rows; `ValidateConstraint` in the next migration looks at the others. SQLite looks at once."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Add it."""
        if _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)


class ValidateConstraint(postgresql.ValidateConstraint):
    """Look at the rows that were there before the check, while everybody reads and writes."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Look."""
        if _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


ALONE: tuple[type[Operation], ...] = (AddIndex, RemoveIndex)
