"""sessions_app, commands: `manage.py purge`, for a daily timer."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from sessions_app import events
from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.management.operator import operator
from sessions_app.management.progress import progress
from sessions_app.services import retention


class Command(SeanceCommand):
    """Tells what would go, and with --yes deletes it, each session with an entry in the audit log."""

    help = "Tell which sessions ended longer ago than RETENTION_DAYS; with --yes delete them. Audit and analytics stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        days = settings.SEANCE.retention_days
        parser.add_argument(
            "--older-than", type=whole_number(1, 36_500), default=days, metavar="DAYS",
            help=f"in place of RETENTION_DAYS ({days or 'for ever'})",
        )  # fmt: skip
        parser.add_argument("--yes", action="store_true", help="delete them; there is no way back")
        self.add_json(parser)

    def handle(self, *_: Any, older_than: int, yes: bool, as_json: bool, **__: Any) -> None:
        if not older_than:
            raise CommandError("RETENTION_DAYS is 0, which keeps sessions for ever: give --older-than.", returncode=2)
        before = events.now() - timedelta(days=older_than)
        found = retention.count(before)
        if yes and found.sessions:
            with progress(self.stderr, "Deleting", found.sessions, color=self._color) as bar:
                found = retention.purge(actor=operator(), ended_before=before, tell=bar.at)
        if as_json:
            self.show_json({"ended_before": before, "is_done": yes, **found._asdict()})
            return
        self.show_pairs(
            [
                ("ended before", f"{before:%Y-%m-%d %H:%M}"),
                ("sessions", found.sessions),
                ("messages", found.messages),
                ("state", "deleted" if yes else "would go: say --yes"),
            ]
        )
