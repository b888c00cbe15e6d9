"""sessions_app, commands: `manage.py renew_epochs`, for a restore that shows no trace."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import SeanceCommand
from sessions_app.services.store import renew


class Command(SeanceCommand):
    """Servers that run find it with their next head poll; clients resync."""

    help = "Give every log a new epoch, after a snapshot of a disk was put back; all other restores servers find."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, **__: Any) -> None:
        done = {"sessions": renew().sessions}
        if as_json:
            self.show_json(done)
        else:
            self.show_pairs(list(done.items()))
