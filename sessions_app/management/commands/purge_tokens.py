"""sessions_app, commands: `manage.py purge_tokens`."""

from typing import Any

from sessions_app.management.base import SeanceCommand
from sessions_app.services.tokens import purge


class Command(SeanceCommand):
    """Prints how many; for a daily timer. Nothing depends on it: what has expired is worth nothing either way."""

    help = "Forget tokens that have expired."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(f"{purge()} forgotten.")
