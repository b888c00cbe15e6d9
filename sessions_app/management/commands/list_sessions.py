"""sessions_app, commands: `manage.py list_sessions`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.management.operator import operator
from sessions_app.selectors.sessions import listed_sessions
from sessions_app.selectors.shapes import session_data

COLUMNS = ("id", "name", "created", "state", "seats", "access", "spirit", "seq")


class Command(SeanceCommand):
    """Shows sessions, the newest first: all of them, not only what is on the public list."""

    help = "List sessions, the newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--active", action="store_true", help="only those that have not ended")
        parser.add_argument("--search", metavar="TEXT", help="only those whose name contains this, in any case")
        parser.add_argument(
            "--limit", type=whole_number(1, 10_000), default=50, metavar="N", help="at most this many (default 50)"
        )
        self.add_json(parser)

    def handle(self, *_: Any, active: bool, search: str | None, limit: int, as_json: bool, **__: Any) -> None:
        rows = listed_sessions(operator()).order_by("-created_at", "-id")
        if active:
            rows = rows.filter(is_active=True)
        if search:
            rows = rows.filter(name__icontains=search.replace("\x00", ""))
        sessions = [
            session_data(row, row.taken)  # type: ignore[attr-defined]  # annotated
            for row in rows[:limit]
        ]
        if as_json:
            self.show_json(sessions)
            return
        self.show_table(
            COLUMNS,
            [
                (
                    one.id,
                    one.name,
                    f"{one.created_at:%Y-%m-%d %H:%M}",
                    "open" if one.is_active else "ended",
                    f"{one.participant_count}/{one.max_users}",
                    f"{one.access}, listed" if one.is_listed else one.access,
                    f"{one.spirit.persona}, {one.spirit.mode}",
                    one.last_seq,
                )
                for one in sessions
            ],
        )
