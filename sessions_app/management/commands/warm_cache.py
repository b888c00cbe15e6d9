"""sessions_app, commands: `manage.py warm_cache`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.selectors.cached import keeps, warm


class Command(SeanceCommand):
    """The same that a server does when it starts; safe to repeat."""

    help = "Keep in Redis what will be read: of the sessions in which somebody has a seat, the newest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--limit", type=whole_number(1, 100_000), default=1000, metavar="N", help="at most so many (default 1000)"
        )
        self.add_json(parser)

    def handle(self, *_: Any, limit: int, as_json: bool, **__: Any) -> None:
        if not keeps():
            self.stderr.write("Nothing is kept: that takes REDIS_URL, READ_CACHE, and READ_CACHE_SECONDS above 0.")
        done = {"sessions": warm(limit)}
        if as_json:
            self.show_json(done)
        else:
            self.show_pairs(list(done.items()))
