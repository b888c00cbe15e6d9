"""sessions_app, the operator's door: what every command of the séance has in common.

Exit codes: 0 done, 1 refused with one line on standard error, 2 wrongly called.
"""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from sessions_app.errors import SeanceError
from sessions_app.management import output
from sessions_app.outage import OUTAGE


class Refused(CommandError):
    """A rule said no; its text is one line."""

    def __init__(self, said: object) -> None:
        super().__init__(output.harmless(" ".join(str(said).split())))


def sentence(error: SeanceError) -> str:
    """The whole refusal on one line: the sentence, or what is wrong with each field."""
    if error.details and all(isinstance(said, list) for said in error.details.values()):
        return " ".join(f"{field}: {' '.join(map(str, said))}" for field, said in error.details.items())
    return error.message


class SeanceCommand(BaseCommand):
    """A command that acts as the operator, through the same services as both doors."""

    requires_system_checks = ()
    _color = True

    def execute(self, *args: Any, **options: Any) -> str | None:
        self._color = not options.get("no_color")
        try:
            return super().execute(*args, **options)
        except SeanceError as error:
            raise Refused(sentence(error)) from None
        except ProgrammingError:
            raise Refused("The database lacks its tables: run `python manage.py migrate` first.") from None
        except OUTAGE as error:
            if "no such table" in str(error):
                raise Refused("The database lacks its tables: run `python manage.py migrate` first.") from None
            raise Refused(f"The database is away or busy ({type(error).__name__}).") from None

    def add_json(self, parser: ArgumentParser) -> None:
        """The option `--json`."""
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def show_json(self, value: Any) -> None:
        self.stdout.write(output.as_json(value))

    def show_table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        if self.stdout.isatty():
            self.stdout.write(output.rich_table(columns, rows, color=self._color))
        else:
            self.stdout.write(output.plain_table(columns, rows))

    def show_pairs(self, pairs: Sequence[tuple[str, object]]) -> None:
        if self.stdout.isatty():
            self.stdout.write(output.rich_pairs(pairs, color=self._color))
        else:
            self.stdout.write(output.plain_pairs(pairs))


def whole_number(lowest: int, highest: int) -> Any:
    """An argparse type: a whole number from `lowest` to `highest`."""

    def read(given: str) -> int:
        value = int(given)
        if not lowest <= value <= highest:
            raise ValueError
        return value

    read.__name__ = f"whole number from {lowest} to {highest}"  # argparse says "invalid … value"
    return read


@contextmanager
def until_the_reader_goes() -> Iterator[None]:
    """Around long output: a reader that has read enough, such as `head`, is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at its end
