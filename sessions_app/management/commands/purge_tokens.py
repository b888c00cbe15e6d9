"""sessions_app, commands: `manage.py purge_tokens`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import SeanceCommand
from sessions_app.services.tokens import purge


class Command(SeanceCommand):
    """Prints how many; for a daily timer. Nothing depends on it: what has expired is worth nothing either way."""

    help = "Forget tokens that have expired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, **__: Any) -> None:
        count = purge()
        if as_json:
            self.show_json({"forgotten": count})
        else:
            self.stdout.write(f"{count} forgotten.")
