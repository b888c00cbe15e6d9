"""seance_project: `manage.py migrate`, Django's own, with a patience that a server must not have."""

from __future__ import annotations

import random
import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connections
from psycopg.errors import DeadlockDetected, LockNotAvailable

from seance_project.databases import is_pooled

TRIES = 20
PAUSE_SECONDS = (1.0, 4.0)  # between two of them, in which those who waited behind us get through


class Command(Migrate):
    """A statement may take as long as it takes. A lock must be had within `lock_timeout`, since everybody who comes
    later waits behind us: else the migration is given up and tried again, from where the last whole one ended.

    Behind a pooler the role's limits stay, since what is set there is set for everybody.
    """

    help = "Bring the tables up to date."

    def handle(self, *arguments: Any, **options: Any) -> None:
        """Django's, between the two."""
        connection = connections[options["database"]]
        is_ours = connection.vendor == "postgresql" and not is_pooled(connection.settings_dict)
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
        try:
            self._try(*arguments, **options)
        finally:
            if is_ours and connection.is_usable():
                with connection.cursor() as cursor:
                    cursor.execute("RESET statement_timeout")

    def _try(self, *arguments: Any, **options: Any) -> None:
        for left in reversed(range(TRIES)):
            try:
                super().handle(*arguments, **options)
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                    raise
                if not left:
                    raise CommandError(
                        f"A table is held by others, {TRIES} times in a row; what was whole is applied."
                        " See in pg_stat_activity who holds it, and migrate again."
                    ) from None
                self.stderr.write(f"A table is held by others: tried again, up to {left} times.")
                time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311  no secret
            else:
                return
