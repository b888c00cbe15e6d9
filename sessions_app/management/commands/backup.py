"""sessions_app, commands: `manage.py backup`, for SQLite."""

import sqlite3
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.db import connection

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.services import store


class Command(SeanceCommand):
    """Never over a file that is there: it might be the last good backup."""

    help = "Copy the SQLite database, also while it is served. For PostgreSQL there is pg_dump: see docs/backup.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, help="the new file")
        self.add_json(parser)

    def handle(self, *_: Any, target: Path, as_json: bool, **__: Any) -> None:
        if connection.vendor != "sqlite":
            raise Refused("This is PostgreSQL: take pg_dump or pg_basebackup, as docs/backup.md has it.")
        part = target.with_name(f"{target.name}.part")
        try:
            if target.exists():
                raise Refused(f"{target} is there already.")
            part.unlink(missing_ok=True)
            store.copy(Path(connection.settings_dict["NAME"]), part)
            part.rename(target)
        except (OSError, sqlite3.Error) as error:
            raise Refused(f"{target} cannot be written: {error}") from None
        done = {"file": str(target), "bytes": target.stat().st_size}
        if as_json:
            self.show_json(done)
        else:
            self.show_pairs(list(done.items()))
